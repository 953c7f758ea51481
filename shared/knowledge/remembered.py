"""Caches vectors of questions for an hour and search results for five minutes."""

from __future__ import annotations

import array
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import orjson

from shared.cache.two_level import FLIGHT_S, TwoLevel, key_of
from shared.knowledge.embed import Embedder, Vector

VECTORS_TTL_S, VECTORS_ENTRIES = 3600.0, 2_000
RESULTS_TTL_S, RESULTS_ENTRIES = 300.0, 5_000
VERSIONS_MAX = 10_000
"""Of companies, in this process' memory."""


class RememberingEmbedder:
    """Caches the vectors of questions for an hour. A question that several threads ask at once is embedded once.

    For questions only: a chunk is embedded once anyway. renew: embed again, and cache for another hour.
    """

    def __init__(self, embedder: Embedder, vectors: TwoLevel, *, renew: bool = False) -> None:
        self._embedder, self._vectors, self._renew = embedder, vectors, renew
        self.model, self.baseline = embedder.model, embedder.baseline

    def prepare(self) -> None:
        self._embedder.prepare()

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Vector]:
        if passages:
            return self._embedder.embed(texts, deadline_s=deadline_s, passages=True)
        keys = {text: key_of("vector", self.model, _normal(text)) for text in texts}
        asked = {key: text for text, key in keys.items()}
        if self._renew:
            self._vectors.put_many(self._vectors.get_many(list(asked)))

        def make(missing: Sequence[str]) -> dict[str, bytes]:
            made = self._embedder.embed([asked[key] for key in missing], deadline_s=deadline_s)
            return {key: array.array("f", vector).tobytes() for key, vector in zip(missing, made, strict=True)}

        known = self._vectors.get_or_make_many(list(asked), make, wait_s=min(FLIGHT_S, deadline_s / 2))
        return [array.array("f", known[keys[text]]).tolist() for text in texts]

    def trust(self, text: str) -> float:
        return self._embedder.trust(text)


def _normal(text: str) -> str:
    """Normalise white space and Unicode forms, so that the same question typed twice has one key. Case stays: to some
    models it matters."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage without its text, which is read from the database each time, so that nothing is shown that was just
    deleted."""

    chunk_id: int
    document_id: int
    ordinal: int
    score: float
    relevance: float
    bm25: float | None
    cosine: float | None
    identifiers: tuple[str, ...] = ()
    evidence: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identifiers", tuple(self.identifiers))  # a list where it was cached


_VERSION = "4"
"""Of keys. Another number where Scored has changed: two versions of the program may share a cache for a while."""

_FIELDS = tuple(one.name for one in fields(Scored))
Parts = tuple[str, ...]
"""The company, the version of its knowledge, who asks, what, where."""


class Results:
    """Caches search results, under a key of everything that they depend on."""

    def __init__(self, cache: TwoLevel) -> None:
        self._cache = cache
        self._versions: dict[int, int] = {}

    def version_of(self, company_id: int) -> int | None:
        """Return the version of a company's knowledge that this process saw last. Results under it are valid only if it
        is still the newest."""
        return self._versions.get(company_id)

    def saw(self, company_id: int, version: int) -> None:
        if len(self._versions) >= VERSIONS_MAX:
            self._versions.clear()
        self._versions[company_id] = version

    def get(self, parts: Parts) -> list[Scored] | None:
        """Return the cached results; None if there are none."""
        return self.get_many([parts]).get(parts)

    def get_many(self, several: Sequence[Parts]) -> dict[Parts, list[Scored]]:
        """Return the cached results of several keys; those without any are left out."""
        keys = {key_of("found", _VERSION, *parts): parts for parts in several}
        return {keys[key]: _scored(value) for key, value in self._cache.get_many(list(keys)).items()}

    def get_or_find(
        self, parts: Parts, find: Callable[[], list[Scored]], *, renew: bool = False, looked: bool = False
    ) -> list[Scored]:
        """Return the cached results, or search and cache them. renew: search in any case. looked: `get` has just found
        nothing."""

        def make() -> bytes:
            return orjson.dumps([[getattr(each, name) for name in _FIELDS] for each in find()])

        key = key_of("found", _VERSION, *parts)
        if renew:
            self._cache.put_many({key: make()})
        return _scored(self._cache.get_or_make(key, make, looked=looked))


def _scored(value: bytes) -> list[Scored]:
    return [Scored(*values) for values in orjson.loads(value)]
