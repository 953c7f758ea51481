"""Fusing rankings that no score is common to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.model import Passage

K = 60
"""After Cormack et al., SIGIR 2009."""


def reciprocal_rank(lists: Sequence[Sequence[int]], k: int = K) -> dict[int, float]:
    """Fuse rankings of chunk ids into one score per chunk; higher is better.

    lists: best first, one per retriever; a chunk may be missing from any. Score = Σ 1/(k + rank), rank from 1.
    Raises ValueError if k is not positive.
    """
    if k <= 0:
        raise ValueError("k should be positive")
    scores: dict[int, float] = {}
    for ranking in lists:
        for rank, chunk_id in enumerate(ranking, 1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + 1.0 / (k + rank)
    return scores


def fuse(rankings: Sequence[Sequence[Passage]], limit: int) -> list[Passage]:
    """One ranking from several, best first; a passage keeps the best relevance it had in any of them."""
    if len(rankings) == 1:
        return list(rankings[0][:limit])
    best: dict[int, Passage] = {}
    for passage in (p for ranking in rankings for p in ranking):
        before = best.get(passage.chunk_id)
        best[passage.chunk_id] = passage if before is None or passage.relevance > before.relevance else before
    scores = reciprocal_rank([[p.chunk_id for p in ranking] for ranking in rankings])
    order = sorted(best, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return [replace(best[chunk_id], score=scores[chunk_id]) for chunk_id in order[:limit]]
