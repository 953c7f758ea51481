"""Fusing rankings that no score is common to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.model import Passage

K = 60
"""After Cormack et al., SIGIR 2009."""


def reciprocal_rank(
    lists: Sequence[Sequence[int]], k: int = K, weights: Sequence[float] | None = None
) -> dict[int, float]:
    """Fuse rankings of chunk ids into one score per chunk; higher is better.

    lists: best first, one per retriever; a chunk may be missing from any. weights: what each list counts, 1 unless
    given. Score = Σ weight/(k + rank), rank from 1. Raises ValueError if k is not positive.
    """
    if k <= 0:
        raise ValueError("k should be positive")
    scores: dict[int, float] = {}
    for ranking, weight in zip(lists, weights or [1.0] * len(lists), strict=True):
        for rank, chunk_id in enumerate(ranking, 1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + weight / (k + rank)
    return scores


def fuse(
    rankings: Sequence[Sequence[Passage]], limit: int, *, k: int = K, weights: Sequence[float] | None = None
) -> list[Passage]:
    """One ranking from several, best first. A passage keeps the best relevance that it had in any of them, and the
    best that each side said of it."""
    if len(rankings) == 1:
        return list(rankings[0][:limit])
    best: dict[int, Passage] = {}
    for passage in (p for ranking in rankings for p in ranking):
        before = best.get(passage.chunk_id)
        best[passage.chunk_id] = passage if before is None else _joined(before, passage)
    scores = reciprocal_rank([[p.chunk_id for p in ranking] for ranking in rankings], k, weights)
    order = sorted(best, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return [replace(best[chunk_id], score=scores[chunk_id]) for chunk_id in order[:limit]]


def _joined(one: Passage, other: Passage) -> Passage:
    return replace(
        one,
        relevance=max(one.relevance, other.relevance),
        bm25=_higher(one.bm25, other.bm25),
        cosine=_higher(one.cosine, other.cosine),
    )


def _higher(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)
