"""What was embedded or found a moment ago: vectors of questions for an hour, results for five minutes."""

from __future__ import annotations

import array
import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from shared.cache.two_level import TwoLevel, key_of
from shared.knowledge.embed import Embedder, Vector

VECTORS_TTL_S, VECTORS_ENTRIES = 3600.0, 2_000
RESULTS_TTL_S, RESULTS_ENTRIES = 300.0, 5_000


class RememberingEmbedder:
    """An embedder that makes each question's vector once an hour. For questions only: what is indexed is read once.
    renew: what is remembered is so for another hour from now on."""

    def __init__(self, embedder: Embedder, vectors: TwoLevel, *, renew: bool = False) -> None:
        self._embedder, self._vectors, self._renew = embedder, vectors, renew
        self.model, self.baseline = embedder.model, embedder.baseline

    def prepare(self) -> None:
        self._embedder.prepare()

    def embed(self, texts: Sequence[str], *, deadline_s: float) -> list[Vector]:
        keys = {text: key_of("vector", self.model, _normal(text)) for text in texts}
        known = self._vectors.get_many(list(dict.fromkeys(keys.values())))
        missing = [text for text, key in keys.items() if key not in known]
        if self._renew and known:
            self._vectors.put_many(known)
        if missing:
            made = self._embedder.embed(missing, deadline_s=deadline_s)
            new = {keys[text]: array.array("f", vector).tobytes() for text, vector in zip(missing, made, strict=True)}
            self._vectors.put_many(new)
            known |= new
        return [array.array("f", known[keys[text]]).tolist() for text in texts]

    def trust(self, text: str) -> float:
        return self._embedder.trust(text)


def _normal(text: str) -> str:
    """The same question typed twice: white space and Unicode's forms do not count; case may, to some models."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage without its text, which is read anew each time: what was deleted a moment ago is not shown."""

    chunk_id: int
    document_id: int
    ordinal: int
    score: float
    relevance: float
    bm25: float | None
    cosine: float | None


class Results:
    """What searches found, under a key of everything that it depends on."""

    def __init__(self, cache: TwoLevel) -> None:
        self._cache = cache

    def get_or_find(
        self, parts: Sequence[str], find: Callable[[], list[Scored]], *, renew: bool = False
    ) -> list[Scored]:
        """parts: the company, the version of its knowledge, who asks, what, where. renew: find it anew, and remember
        that."""

        def make() -> bytes:
            return json.dumps([list(asdict(each).values()) for each in find()]).encode()

        key = key_of("found", *parts)
        if renew:
            self._cache.put_many({key: make()})
        return [Scored(*values) for values in json.loads(self._cache.get_or_make(key, make))]
