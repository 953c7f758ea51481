"""Fusing rankings."""

from __future__ import annotations

import pytest

from shared.knowledge.rank import fuse, reciprocal_rank
from shared.model import Passage


def _passage(chunk_id: int, relevance: float) -> Passage:
    return Passage(chunk_id, 1, "title", chunk_id, "text", 1.0, relevance)


def test_a_chunk_found_by_two_retrievers_beats_one_found_first_by_one() -> None:
    scores = reciprocal_rank([[1, 2], [3, 2]])

    assert max(scores, key=lambda chunk_id: scores[chunk_id]) == 2


def test_k_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        reciprocal_rank([[1]], k=0)


def test_a_fused_passage_keeps_its_best_relevance() -> None:
    fused = fuse([[_passage(1, 0.1), _passage(2, 0.2)], [_passage(2, 0.9)]], limit=5)

    assert [(p.chunk_id, p.relevance) for p in fused] == [(2, 0.9), (1, 0.1)]


def test_one_ranking_stays_as_it_is() -> None:
    only = [_passage(5, 0.5), _passage(4, 0.4)]

    assert fuse([only], limit=1) == only[:1]


def test_a_ranking_with_a_small_weight_decides_between_equals_only() -> None:
    assert list(reciprocal_rank([[1, 2], [2, 1]], weights=[1.0, 0.1])) == [1, 2]
    scores = reciprocal_rank([[1, 2], [2, 1]], weights=[1.0, 0.1])
    assert scores[1] > scores[2]
    scores = reciprocal_rank([[1, 2], [2, 1]], weights=[0.1, 1.0])
    assert scores[2] > scores[1]


def test_a_fused_passage_keeps_what_each_side_said() -> None:
    words = Passage(1, 1, "t", 0, "x", 3.0, 0.4, bm25=3.0)
    near = Passage(1, 1, "t", 0, "x", 0.7, 0.5, cosine=0.7)

    [both] = fuse([[words], [near]], 5)

    assert (both.bm25, both.cosine, both.relevance) == (3.0, 0.7, 0.5)
