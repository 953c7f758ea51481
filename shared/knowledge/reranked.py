"""Passages in the order that a reranker gives them, where there is one and it is worth asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from shared.errors import ModelUnavailable, Permanent
from shared.model import Passage
from shared.store.db.pool import describe

log = structlog.get_logger(__name__)

WORDS_MIN = 3
"""`opening hours` says no more to a reader than to an index."""


class Reranker(Protocol):
    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers, in the order of the texts. Raises ModelUnavailable, Permanent."""
        ...


def reranked(
    reranker: Reranker | None, question: str, passages: Sequence[Passage], *, filtered: bool = False
) -> list[Passage]:
    """The passages, best first; in the order they came without a reranker, for two words or fewer (unless a filter has
    said already where to look), and when it fails. Relevance stays what it was: it is held against a threshold."""
    short = len(question.split()) < WORDS_MIN and not filtered
    if reranker is None or short or len(passages) < 2:
        return list(passages)
    try:
        scores = reranker.scores(question, [f"{passage.title}\n{passage.text}" for passage in passages])
    except (ModelUnavailable, Permanent) as e:
        log.warning("rerank_failed", error=describe(e))
        return list(passages)
    order = sorted(range(len(passages)), key=lambda place: (-scores[place], place))
    return [replace(passages[place], score=scores[place]) for place in order]
