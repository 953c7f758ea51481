"""Reorders passages with a reranker, if there is one and the question is worth asking it."""

from __future__ import annotations

import re
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
_WORDS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff\uf900-\ufaff]{1,2}|\S+")
"""Words between spaces; of scripts that write none, two characters count as one."""


class Reranker(Protocol):
    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return how well each text answers, in the order of the texts. Raises ModelUnavailable, Permanent."""
        ...


def reranked(
    reranker: Reranker | None, question: str, passages: Sequence[Passage], *, filtered: bool = False
) -> list[Passage]:
    """Return the passages in the reranker's order, best first.

    They keep their order without a reranker, if it fails, and for questions of two words or fewer (unless a filter has
    already narrowed the search). Relevance does not change, because it is compared with a threshold.
    """
    short = len(_WORDS.findall(question)) < WORDS_MIN and not filtered
    if reranker is None or short or len(passages) < 2:
        return list(passages)
    try:
        scores = reranker.scores(question, [f"{passage.title}\n{passage.text}" for passage in passages])
    except (ModelUnavailable, Permanent) as e:
        log.warning("rerank_failed", error=describe(e))
        return list(passages)
    order = sorted(range(len(passages)), key=lambda place: (-scores[place], place))
    return [replace(passages[place], score=scores[place]) for place in order]
