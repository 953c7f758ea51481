"""The local embedding model, for about a hundred languages: multilingual-e5-small in 8 bits on ONNX Runtime; 384
dimensions.

Set-up fetches it (scripts/convert_e5.py). The graph (e5.onnx, written by scripts/make_e5_graph.py) is ours and holds no
weights: its initialisers refer to positions in weights-int8.bin, which all processes map, so that the large table of
tokens is in memory once.
"""

from __future__ import annotations

import array
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import SettingsError
from shared.knowledge.unigram import Unigram

if TYPE_CHECKING:
    import numpy as np

MODEL = "multilingual-e5-small"
DIMENSION = 384
FOLDER = Path(sys.prefix) / "models" / MODEL
"""In the environment that set-up makes: another project's Python has none."""
WEIGHTS = "weights-int8.bin"
FILES = {
    WEIGHTS: "8147a5872f7db5345206cb762955effa7953052497a199b7c8e49c847835708f",
    "pieces.txt": "3e8d27b254845a0251bc7d6087db5afc1d67fa8bc89482334b40aec28fdc1f50",
    "scores.bin": "17cf9324b35c402f66c400541ba23c081e42b69ba2f4c20f16632ce61b93541d",
    "characters.json": "271c2a9c9882253b649f69ebd7db3bf220cb3d3bb5bf6f07a62d0321356f983d",
}
"""With their SHA-256. The graph's offsets fit these weights and no others."""
MEND = "Run `make model`"
"""What mends files that are missing or not the known ones."""
QUESTION, PASSAGE = "query: ", "passage: "
"""What the model was trained to find before a question and before a text that may answer it."""
BEGIN, PADDING, END, UNKNOWN = 0, 1, 2, 3
TOKENS_MAX = 512
BATCH = 8
BATCH_TOKENS = 256
"""Padding included. Short texts are faster together; a passage alone is 1.1 times as fast as four."""
BASELINE = 0.75
"""The cosine that texts which have nothing to do with each other still reach."""


class LocalE5:
    """Embeds texts with the local model, which is loaded at the first use. threads: number of batches computed at the
    same time."""

    model = MODEL
    baseline = BASELINE

    def __init__(self, *, threads: int | None = None) -> None:
        # One thread a call: 32 reply threads would otherwise wait in line for a pool that has two.
        self._free = threading.Semaphore(threads or os.cpu_count() or 1)

    def prepare(self) -> None:
        """Load the model, which would take half a second of the first question."""
        _model()

    def embed(self, texts: Sequence[str], *, deadline_s: float = 0.0, passages: bool = False) -> list[Sequence[float]]:
        """Return vectors of length 1. Only a text's first 512 tokens count.

        Takes 6 ms for a question and 60 ms for a chunk, and keeps no deadline. passages: the texts are documents', not
        questions. Raises SettingsError if the model's files are missing or are not the known version.
        """
        vocabulary, session = _model()
        prefix = PASSAGE if passages else QUESTION
        rows = [[BEGIN, *vocabulary.ids(prefix + _sound(text))[: TOKENS_MAX - 2], END] for text in texts]
        found: list[Sequence[float]] = [()] * len(texts)
        for batch in _batches(rows):
            with self._free:
                vectors = session.run(["vectors"], _padded([rows[number] for number in batch]))[0]
            for number, vector in zip(batch, vectors.tolist(), strict=True):
                found[number] = vector
        return found

    def trust(self, text: str) -> float:
        """Return how well the model knows the text: the share of its pieces that are in the vocabulary."""
        ids = _model()[0].ids(_sound(text))
        return 1 - ids.count(UNKNOWN) / max(len(ids), 1)


def problem(folder: Path | None = None) -> str | None:
    """Return what is wrong with the model's files, in its folder or another one; None if they are the ones that belong
    here."""
    folder = folder or FOLDER
    for name, expected in FILES.items():
        try:
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    return f"{name} is not the file that this project was made for"
        except OSError as e:
            return f"{name} cannot be read ({e.strerror})"
    return None


def is_installed() -> bool:
    """Whether set-up made the model's files in this environment. Reads none of them."""
    return (FOLDER / WEIGHTS).exists()


def _batches(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the numbers of rows to compute together. Neighbours of one length need little padding, which costs as much
    as text."""
    batch: list[int] = []
    for number in sorted(range(len(rows)), key=lambda number: len(rows[number])):
        if batch and (len(batch) == BATCH or (len(batch) + 1) * len(rows[number]) > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


_loading = threading.Lock()


def _model() -> tuple[Unigram, Any]:
    """Return the vocabulary and the session, loaded once per process. Both are thread-safe."""
    with _loading:  # `cache` alone would let two threads load it twice
        return _loaded()


@cache
def _loaded() -> tuple[Unigram, Any]:
    return _open(FOLDER)


def _sound(text: str) -> str:
    """Remove lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def _open(folder: Path) -> tuple[Unigram, Any]:
    """Load vocabulary and session. The import stands here, because a process that embeds nothing should not load it."""
    import onnxruntime

    if wrong := problem(folder):
        raise SettingsError(
            f"the local embedding model {MODEL} is not installed: {folder}: {wrong}. {MEND}, or set EMBEDDINGS_BASE_URL"
            " and EMBEDDINGS_MODEL"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it would keep what the largest batch took, 100 MB, for no time saved
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    graph = Path(__file__).with_name("e5.onnx").read_bytes()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return vocabulary(folder), session


def vocabulary(folder: Path) -> Unigram:
    """Load the tokenizer's three files."""
    scores = array.array("f")
    scores.frombytes((folder / "scores.bin").read_bytes())
    if sys.byteorder == "big":
        scores.byteswap()
    characters = json.loads((folder / "characters.json").read_bytes())
    # Not splitlines(), which also splits at characters that are pieces.
    pieces = (folder / "pieces.txt").read_bytes().decode().split("\n")
    return Unigram(pieces, scores, characters, unknown=UNKNOWN)


def _padded(rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray[Any, Any]]:
    """Return token ids and their mask, as wide as the longest row."""
    import numpy as np

    shape = (len(rows), max(len(row) for row in rows))
    ids, mask = np.full(shape, PADDING, np.int64), np.zeros(shape, np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return {"ids": ids, "mask": mask}
