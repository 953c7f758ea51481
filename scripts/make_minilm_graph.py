"""Writes shared/knowledge/minilm.onnx: all-MiniLM-L6-v2 as a graph without weights.

Run once, by hand: `python scripts/make_minilm_graph.py MODEL.SAFETENSORS`, with the package onnx, which nothing else
here needs. The initialisers name places in model.safetensors, so the graph fits exactly the file whose SHA-256 stands
in shared/knowledge/minilm.py.

Inputs: ids, mask (batch, tokens; int64). Output: vectors (batch, 384), the mean of the tokens that the mask
names, length 1.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

LAYERS, HIDDEN, HEADS, EPSILON = 6, 384, 12, 1e-12
OPSET = 20  # the first one with Gelu
TARGET = Path(__file__).parent.parent / "shared" / "knowledge" / "minilm.onnx"


class Graph:
    """Nodes in the order in which they are made; weights as places in a file."""

    def __init__(self, weights: Path) -> None:
        with weights.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            self._header = json.loads(file.read(length))
        self._data_begins = 8 + length
        self.nodes: list = []
        self.initializers: dict = {}

    def weight(self, name: str) -> str:
        entry = self._header[name]
        if entry["dtype"] != "F32":
            raise ValueError(f"{name} is {entry['dtype']}")
        begin, end = entry["data_offsets"]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=entry["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", "model.safetensors"),
            ("offset", self._data_begins + begin),
            ("length", end - begin),
        ):
            tensor.external_data.add(key=key, value=str(value))
        self.initializers[name] = tensor
        return name

    def constant(self, name: str, value: object, dtype: type) -> str:
        self.initializers[name] = numpy_helper.from_array(np.array(value, dtype), name)
        return name

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def linear(self, value: str, name: str) -> str:
        """value: (rows, in). Gemm takes the weight as it lies in the file, (out, in), without turning it round."""
        return self.add("Gemm", value, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)

    def normalised(self, value: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", value, scale, bias, axis=-1, epsilon=EPSILON)


def build(weights: Path) -> bytes:
    graph = Graph(weights)
    shape = graph.add("Shape", "ids")  # (batch, tokens)
    rows = graph.constant("rows", [-1, HIDDEN], np.int64)
    hidden = graph.constant("hidden", [HIDDEN], np.int64)
    heads = graph.constant("heads", [HEADS, HIDDEN // HEADS], np.int64)
    by_head = graph.add("Concat", shape, heads, axis=0)
    bias = _mask_bias(graph)
    value = _embedded(graph, shape, rows)
    for layer in range(LAYERS):
        value = _layer(graph, f"encoder.layer.{layer}", value, bias, by_head, rows)
    tokens = graph.add("Reshape", value, graph.add("Concat", shape, hidden, axis=0))
    graph.nodes.append(helper.make_node("Identity", [_pooled(graph, tokens)], ["vectors"]))
    made = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", HIDDEN])],
        list(graph.initializers.values()),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    return model.SerializeToString(deterministic=True)


def _mask_bias(graph: Graph) -> str:
    """0 where a token is, a very small number where none is: added before the softmax."""
    one, low = graph.constant("one", 1, np.float32), graph.constant("low", -10000, np.float32)
    missing = graph.add("Sub", one, graph.add("Cast", "mask", to=TensorProto.FLOAT))
    axes = graph.constant("axes12", [1, 2], np.int64)
    return graph.add("Unsqueeze", graph.add("Mul", missing, low), axes)


def _embedded(graph: Graph, shape: str, rows: str) -> str:
    words = graph.add("Gather", graph.weight("embeddings.word_embeddings.weight"), "ids")
    length = graph.add("Gather", shape, graph.constant("place1", 1, np.int64))
    places = graph.add("Range", graph.constant("zero", 0, np.int64), length, graph.constant("step", 1, np.int64))
    positions = graph.add("Gather", graph.weight("embeddings.position_embeddings.weight"), places)
    kind = graph.add(
        "Gather", graph.weight("embeddings.token_type_embeddings.weight"), graph.constant("kind", 0, np.int64)
    )
    total = graph.add("Add", graph.add("Add", words, positions), kind)
    return graph.normalised(graph.add("Reshape", total, rows), "embeddings.LayerNorm")


def _layer(graph: Graph, name: str, value: str, bias: str, by_head: str, rows: str) -> str:
    def heads(part: str, order: list[int]) -> str:
        projected = graph.linear(value, f"{name}.attention.self.{part}")
        return graph.add("Transpose", graph.add("Reshape", projected, by_head), perm=order)

    query, key, content = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scale = graph.constant("scale", (HIDDEN // HEADS) ** -0.5, np.float32)
    scores = graph.add("Add", graph.add("Mul", graph.add("MatMul", query, key), scale), bias)
    seen = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), content)
    joined = graph.add("Reshape", graph.add("Transpose", seen, perm=[0, 2, 1, 3]), rows)
    attended = graph.linear(joined, f"{name}.attention.output.dense")
    value = graph.normalised(graph.add("Add", attended, value), f"{name}.attention.output.LayerNorm")
    wide = graph.add("Gelu", graph.linear(value, f"{name}.intermediate.dense"))
    narrow = graph.linear(wide, f"{name}.output.dense")
    return graph.normalised(graph.add("Add", narrow, value), f"{name}.output.LayerNorm")


def _pooled(graph: Graph, tokens: str) -> str:
    """The mean over the tokens, then length 1. No mask is all zeros: every text has [CLS] and [SEP]."""
    last, middle = graph.constant("axis2", [2], np.int64), graph.constant("axis1", [1], np.int64)
    mask = graph.add("Unsqueeze", graph.add("Cast", "mask", to=TensorProto.FLOAT), last)
    total = graph.add("ReduceSum", graph.add("Mul", tokens, mask), middle, keepdims=0)
    mean = graph.add("Div", total, graph.add("ReduceSum", mask, middle, keepdims=0))
    return graph.add("Div", mean, graph.add("ReduceL2", mean, middle, keepdims=1))


if __name__ == "__main__":
    TARGET.write_bytes(build(Path(sys.argv[1])))
