"""Which space a question is ranked in: the active one; where its embedder does not answer, another that was filled and
whose embedder does; else none, and the words are searched alone. One search ranks in one space."""

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
from shared.store.db.pool import Database, describe
from shared.store.knowledge import embedding_models
from shared.store.knowledge.embedding_models import Space

log = structlog.get_logger(__name__)

LOOK_S = 5.0
"""A switch is seen by every process within this; each search is ranked in one space all the same."""
FIRST_SHARE = 2 / 3
"""Of the time, for each space that has another one behind it: an API that hangs leaves the next one some."""

How = Literal["active", "fallback", "words"]


@dataclass(frozen=True, slots=True)
class Understood:
    """meanings: of each question, all of one space. space: its model; None: nothing could be embedded, and the words
    are searched alone. how: whether that is as it should be."""

    meanings: Mapping[str, Meaning] = field(default_factory=dict)
    space: str | None = None
    how: How = "words"


class Directory:
    """The spaces that there are, for all threads of a process; looked up every few seconds."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._lock = threading.Lock()
        self._known: list[Space] = []
        self._good_until_s = 0.0
        self._rests: dict[int, float] = {}

    def every(self) -> list[Space]:
        """In the order in which they rank. While the database is away, as they were seen last."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            if now_s < self._good_until_s:
                return self._known
        try:
            with self._db.transaction() as conn:
                found = embedding_models.every(conn)
        except DatabaseUnavailable:
            with self._lock:
                return self._known
        with self._lock:
            # What is not yet usable is asked for again each time: it becomes so with the first document.
            self._known, self._good_until_s = found, now_s + (LOOK_S if _settled(found) else 0.0)
        return found

    def forget(self) -> None:
        """Look anew: something was changed here."""
        with self._lock:
            self._good_until_s = 0.0

    def rest(self, space_id: int, seconds: float) -> None:
        """Leave its embedder alone for so long: what it refuses one document it refuses the next, too."""
        with self._lock:
            self._rests[space_id] = self._clock.monotonic_s() + seconds

    def backs_off(self, space_id: int) -> bool:
        with self._lock:
            return self._clock.monotonic_s() < self._rests.get(space_id, 0.0)


def _settled(found: Sequence[Space]) -> bool:
    """Whether there is a space that questions can be ranked in."""
    return any(space.state == "active" and space.dimension is not None for space in found)


def _usable(spaces_known: Sequence[Space], embedders: Mapping[str, Embedder]) -> list[Space]:
    return [
        space for space in spaces_known
        if space.state in ("active", "ready") and space.dimension is not None and space.model in embedders
    ]  # fmt: skip


def active(spaces_known: Sequence[Space], embedders: Mapping[str, Embedder]) -> str | None:
    """The model of the active space; None if it has none, or we have not its embedder."""
    first = next(iter(_usable(spaces_known, embedders)), None)
    return first.model if first is not None and first.state == "active" else None


def understood(
    spaces_known: Sequence[Space],
    embedders: Mapping[str, Embedder],
    questions: Sequence[str],
    *,
    clock: Clock,
    deadline_s: float,
    before: Sequence[Said] = (),
) -> Understood:
    """What questions mean in the first space whose embedder answers; never raises for one that does not. Call outside
    a transaction. spaces_known: in the order in which they rank. embedders: by the name of their model. deadline_s:
    for all attempts together."""
    if not any(question.strip() for question in questions):
        return Understood()
    usable = _usable(spaces_known, embedders)
    ends_at_s = clock.monotonic_s() + deadline_s
    found = Understood()
    for number, space in enumerate(usable, 1):
        left_s = max(0.0, ends_at_s - clock.monotonic_s())
        within_s = left_s if number == len(usable) else left_s * FIRST_SHARE
        tried = _in(space, embedders[space.model], questions, within_s, before)
        if tried is not None:
            found = tried
            break
    metrics.KNOWLEDGE_RANKED.inc(found.space or "", found.how)
    return found


def _in(
    space: Space, embedder: Embedder, questions: Sequence[str], deadline_s: float, before: Sequence[Said]
) -> Understood | None:
    """None where its embedder does not answer, or answers with vectors that are none of the space's."""
    try:
        meanings = understand(embedder, questions, deadline_s=deadline_s, before=before)
    except (ModelUnavailable, Permanent) as e:
        log.warning("embedding_failed", space=space.model, error=describe(e))
        return None
    if any(len(meaning.vector) != space.dimension for meaning in meanings.values()):
        log.error("embedding_dimension", space=space.model)  # another model answers under its name
        return None
    return Understood(meanings, space.model, "active" if space.state == "active" else "fallback")
