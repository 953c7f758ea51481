"""Chooses the embedding model that a question is searched with.

It is the active one. If its embedder does not answer, it is another one that has been filled and whose embedder does;
if there is none, only the words are searched. One search uses the vectors of one model.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import structlog

from shared.clock import Clock
from shared.errors import DatabaseUnavailable, ModelUnavailable, Permanent
from shared.knowledge import metrics
from shared.knowledge.conversation import Said
from shared.knowledge.embed import Embedder
from shared.knowledge.search import Meaning, understand
from shared.store.db.pool import Conn, Database, describe
from shared.store.knowledge import embedding_models
from shared.store.knowledge.embedding_models import EmbeddingModel

log = structlog.get_logger(__name__)

LOOK_S = 5.0
"""How long the list of models is cached: every process sees a switch within this time."""
FIRST_SHARE = 2 / 3
"""The part of the remaining time that a model gets while another one could follow it, in case its API hangs."""

How = Literal["active", "fallback", "words"]


@dataclass(frozen=True, slots=True)
class Understood:
    """The vectors of questions, all of one embedding model.

    embedding_model: its name; None if nothing could be embedded, so that only words are searched. how: whether it is
    the active model, another one (fallback), or none (words).
    """

    meanings: Mapping[str, Meaning] = field(default_factory=dict)
    embedding_model: str | None = None
    how: How = "words"


class EmbeddingModels:
    """The embedding models of the database, cached for all threads of a process and read anew every LOOK_S seconds."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._lock = threading.Lock()
        self._known: list[EmbeddingModel] = []
        self._good_until_s = 0.0
        self._back_offs: dict[int, float] = {}

    def every(self, conn: Conn | None = None) -> list[EmbeddingModel]:
        """Return them in the order in which searches use them; the last known ones while the database is away.

        conn: a transaction that is under way anyway, to read them in if they are to be read, which then raises what
        its statements raise.
        """
        now_s = self._clock.monotonic_s()
        with self._lock:
            if now_s < self._good_until_s:
                return self._known
        if conn is not None:
            found = embedding_models.every(conn)
        else:
            try:
                with self._db.transaction() as own:
                    found = embedding_models.every(own)
            except DatabaseUnavailable:
                with self._lock:
                    return self._known
        with self._lock:
            # Without a usable model the database is asked each time: the first document makes one usable.
            self._known, self._good_until_s = found, now_s + (LOOK_S if _settled(found) else 0.0)
        return found

    def forget(self) -> None:
        """Drop the cached list, after a change made by this process."""
        with self._lock:
            self._good_until_s = 0.0

    def back_off(self, model_id: int, seconds: float) -> None:
        """Claim no documents for this model for so many seconds: its embedder would refuse them like the last one."""
        with self._lock:
            self._back_offs[model_id] = self._clock.monotonic_s() + seconds

    def backs_off(self, model_id: int) -> bool:
        """Whether `back_off` was called for this model and the time is not over."""
        with self._lock:
            return self._clock.monotonic_s() < self._back_offs.get(model_id, 0.0)


def _settled(found: Sequence[EmbeddingModel]) -> bool:
    """Whether questions can be searched by meaning."""
    return any(model.state == "active" and model.dimension is not None for model in found)


def _usable(known: Sequence[EmbeddingModel], embedders: Mapping[str, Embedder]) -> list[EmbeddingModel]:
    return [
        model for model in known
        if model.state in ("active", "ready") and model.dimension is not None and model.name in embedders
    ]  # fmt: skip


def active(known: Sequence[EmbeddingModel], embedders: Mapping[str, Embedder]) -> str | None:
    """Return the name of the active model; None if there is none, or this process has no embedder of it."""
    first = next(iter(_usable(known, embedders)), None)
    return first.name if first is not None and first.state == "active" else None


def understood(
    known: Sequence[EmbeddingModel],
    embedders: Mapping[str, Embedder],
    questions: Sequence[str],
    *,
    clock: Clock,
    deadline_s: float,
    before: Sequence[Said] = (),
) -> Understood:
    """Embed questions with the first model whose embedder answers. Call outside a transaction.

    known: in the order of preference. embedders: by the name of their model. deadline_s: for all attempts together. An
    embedder that fails raises nothing: the next one is tried, and in the end `how` is "words".
    """
    if not any(question.strip() for question in questions):
        return Understood()
    usable = _usable(known, embedders)
    ends_at_s = clock.monotonic_s() + deadline_s
    found = Understood()
    for number, model in enumerate(usable, 1):
        left_s = max(0.0, ends_at_s - clock.monotonic_s())
        within_s = left_s if number == len(usable) else left_s * FIRST_SHARE
        tried = _with(model, embedders[model.name], questions, within_s, before)
        if tried is not None:
            found = tried
            break
    metrics.KNOWLEDGE_RANKED.inc(found.embedding_model or "", found.how)
    return found


def _with(
    model: EmbeddingModel, embedder: Embedder, questions: Sequence[str], deadline_s: float, before: Sequence[Said]
) -> Understood | None:
    """Embed questions with one model; None if its embedder fails or returns vectors of another dimension."""
    try:
        meanings = understand(embedder, questions, deadline_s=deadline_s, before=before)
    except (ModelUnavailable, Permanent) as e:
        log.warning("embedding_failed", embedding_model=model.name, error=describe(e))
        return None
    if any(len(meaning.vector) != model.dimension for meaning in meanings.values()):
        log.error("embedding_dimension", embedding_model=model.name)  # another model answers under its name
        return None
    return Understood(meanings, model.name, "active" if model.state == "active" else "fallback")
