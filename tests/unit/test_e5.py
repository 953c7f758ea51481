"""The local model: how its files are made and checked, and what it finds."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts import convert_e5
from shared.errors import SettingsError
from shared.knowledge import e5
from shared.knowledge.e5 import LocalE5

PAIRS = (
    ("Wie viele Tage habe ich, um die Schuhe zurückzuschicken?", "Shoes may be returned within 30 days."),
    ("When do you open on Sundays?", "Sonntags haben wir von 10 bis 16 Uhr geöffnet."),
    ("保修期是多久？", "The warranty covers defects for two years."),
    ("كم تكلفة الشحن؟", "Доставка стоит пять евро."),
)
"""Questions, and the passage in another language that answers each."""
ENGINE = [0.0315, -0.0216, 0.0094, -0.0765, 0.0342, -0.0702, -0.0196, 0.0005]
"""How the vector of one question begins that the wheel's own engine gives."""


def cosines(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> Any:
    return np.array(one) @ np.array(other).T


# ------------------------------------------------------------------ the conversion


def _file(pieces: list[str], characters: dict[str, str], tensors: dict[str, tuple[int, int, bytes]]) -> bytes:
    """An E5S1 file."""
    text = [piece.encode() for piece in pieces]
    ends = np.cumsum([0, *map(len, text)]).astype("<u4")
    made = b"E5S1" + struct.pack("<I7ifi", 1, 384, 12, 12, 1536, 9, 512, 2, 1e-12, 32)
    made += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, sum(map(len, text)))
    made += ends.tobytes() + np.arange(len(pieces), dtype="<f4").tobytes() + b"".join(text)
    mapped = b"".join(
        struct.pack("<IB", ord(one), len(other)) + b"".join(struct.pack("<I", ord(char)) for char in other)
        for one, other in characters.items()
    )
    made += struct.pack("<iI", len(characters), len(mapped)) + mapped + struct.pack("<i", len(tensors))
    begin = len(made) + sum(2 + len(name) + 21 for name in tensors)
    for name, (kind, count, raw) in tensors.items():
        made += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, begin, len(raw))
        begin += len(raw)
    return made + b"".join(raw for _, _, raw in tensors.values())


def _blocks(halves: Any, scales: Any) -> bytes:
    """Weights as halves 0 to 15, in blocks: byte j holds weights j and j + 16."""
    rows = halves.reshape(-1, 32)
    return b"".join(
        np.float16(scale).tobytes() + (row[:16] | (row[16:] << 4)).tobytes()
        for row, scale in zip(rows, scales.ravel(), strict=True)
    )


def test_a_source_file_is_read_whole() -> None:
    halves = np.random.default_rng(1).integers(0, 16, (4, 64), dtype=np.uint8)
    scales = np.array([[0.5, 1.0], [2.0, 0.25], [0.125, 3.0], [1.5, 1.0]], np.float16)
    raw = _file(
        ["<s>", "é", "\u2581a"], {"\t": " ", "ﬁ": "fi", "\x01": ""},
        {"w": (1, halves.size, _blocks(halves, scales)), "b": (0, 2, np.array([1.5, -2], "<f4").tobytes())},
    )  # fmt: skip

    found = convert_e5.read(raw)

    assert (found.pieces, found.characters) == (["<s>", "é", "\u2581a"], {"\t": " ", "ﬁ": "fi", "\x01": ""})
    assert np.frombuffer(found.scores, "<f4").tolist() == [0, 1, 2]
    assert found.floats("b").tolist() == [1.5, -2]
    read_halves, read_scales = found.blocks("w", 64)
    assert (read_halves.tolist(), read_scales.tolist()) == (halves.tolist(), scales.tolist())


def test_neighbouring_weights_share_a_byte_in_what_is_made() -> None:
    halves = np.arange(64, dtype=np.uint8).reshape(1, 64) % 16
    packed = convert_e5._packed(halves)

    assert [packed[0, 0] & 15, packed[0, 0] >> 4, packed[0, 9] & 15, packed[0, 9] >> 4] == [0, 1, 2, 3]


def test_weights_in_8_bits_are_near_to_what_they_were_and_leave_room_for_two_products_in_16_bits() -> None:
    halves = np.random.default_rng(2).integers(0, 16, (6, 64), dtype=np.uint8)
    scales = np.array([[0.5, 0.25]] * 6, np.float16)
    raw = _file(
        ["a"], {},
        {"x.w": (1, halves.size, _blocks(halves, scales)), "x.b": (0, 6, np.arange(6, dtype="<f4").tobytes())},
    )  # fmt: skip

    (_, weights, _), (_, whole, _), (_, bias, _) = convert_e5._linear(convert_e5.read(raw), "x", ["x"], 64)

    exact = (halves.astype(float) - 8) * np.repeat(scales.astype(float), 32, axis=1)
    assert np.abs(weights.T * whole[:, None] - exact).max() <= whole.max() / 2 + 1e-6
    assert int(np.abs(weights.astype(int)).max()) == convert_e5.WEIGHT_MAX
    assert 2 * 255 * convert_e5.WEIGHT_MAX < 2**15
    assert bias.tolist() == [0, 1, 2, 3, 4, 5]


def test_another_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not an E5S1 file"):
        convert_e5.read(b"GGUF" + bytes(100))


def test_files_are_whole_changed_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5, "FILES", {"pieces.txt": hashlib.sha256(b"a").hexdigest()})
    assert e5.problem(tmp_path) == "pieces.txt cannot be read (No such file or directory)"
    (tmp_path / "pieces.txt").write_bytes(b"a")
    assert e5.problem(tmp_path) is None
    (tmp_path / "pieces.txt").write_bytes(b"b")
    assert e5.problem(tmp_path) == "pieces.txt is not the file that this project was made for"


def test_without_its_files_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`make model`"):
        e5._open(tmp_path)


# ------------------------------------------------------------------ batches


def test_a_batch_is_of_similar_lengths_and_bounded_in_texts_and_tokens() -> None:
    rows = [[0] * width for width in (500, 3, 512, 300, *[5] * 20)]

    batches = list(e5._batches(rows))

    assert sorted(number for batch in batches for number in batch) == list(range(len(rows)))
    assert all(len(batch) <= e5.BATCH for batch in batches)
    tokens = [len(batch) * max(len(rows[n]) for n in batch) for batch in batches]
    assert all(len(batch) == 1 or together <= e5.BATCH_TOKENS for batch, together in zip(batches, tokens, strict=True))
    assert len(batches) == 6  # 3 and twenty of 5 in three, the long ones each alone


# ------------------------------------------------------------------ the model itself


def test_vectors_are_those_of_the_engine_in_the_wheel() -> None:
    [vector] = LocalE5().embed(["When can I send the shoes back?"])
    assert np.array(vector[:8]) == pytest.approx(ENGINE, abs=3e-3)


def test_each_question_is_nearest_to_its_answer_in_another_language() -> None:
    model = LocalE5()
    found = cosines(model.embed([q for q, _ in PAIRS]), model.embed([p for _, p in PAIRS], passages=True))

    assert found.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert found.diagonal().min() > e5.BASELINE


def test_questions_and_passages_are_embedded_differently() -> None:
    one, other = LocalE5().embed(["Returns"]), LocalE5().embed(["Returns"], passages=True)
    assert cosines(one, other)[0, 0] < 0.999


def test_a_vector_does_not_depend_on_the_batch_it_is_in() -> None:
    texts = [q for q, _ in PAIRS]
    together, alone = LocalE5().embed(texts), [LocalE5().embed([text])[0] for text in texts]
    assert cosines(together, alone).diagonal() == pytest.approx(1, abs=1e-5)


def test_512_tokens_count() -> None:
    long = "word " * 505
    one, inside, beyond = LocalE5().embed([long, long + "refund", long + "refund " * 100])
    assert cosines([one], [inside])[0, 0] < 0.99999
    assert cosines([beyond], [LocalE5().embed([long + "refund " * 50])[0]])[0, 0] == pytest.approx(1, abs=1e-6)


def test_every_common_language_is_trusted_and_what_no_piece_has_is_not() -> None:
    model = LocalE5()
    assert min(model.trust(text) for pair in PAIRS for text in pair) == 1
    assert model.trust("") == 1
    assert model.trust("𓀀𓀁𓀂𓀃𓀄𓀅𓀆𓀇") < 0.2


def test_a_lone_surrogate_breaks_nothing() -> None:
    [vector] = LocalE5().embed(["broken \ud800 text"])
    assert len(vector) == e5.DIMENSION
