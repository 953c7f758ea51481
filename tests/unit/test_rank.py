"""Fusing rankings."""

from __future__ import annotations

import pytest

from shared.knowledge.asked_identifiers import Evidence, Found
from shared.knowledge.rank import fuse, nearness, reciprocal_rank, scores, weights_of, with_identifiers
from shared.knowledge.words import Candidate
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


def test_a_fused_passage_keeps_what_each_side_said() -> None:
    words = Passage(1, 1, "t", 0, "x", 3.0, 0.4, bm25=3.0)
    near = Passage(1, 1, "t", 0, "x", 0.7, 0.5, cosine=0.7)

    [both] = fuse([[words], [near]], 5)

    assert (both.bm25, both.cosine, both.relevance) == (3.0, 0.7, 0.5)


def candidate(number: int, bm25: float | None, cosine: float | None, **other: object) -> Candidate:
    values = {"document_id": number, "ordinal": 0, "family": "", "spoken": False, "phrases": 0.0, "told": 10.0,
              "share": 0.5, **other}  # fmt: skip
    return Candidate(chunk_id=number, bm25=bm25, cosine=cosine, **values)  # type: ignore[arg-type]


def first(*candidates: Candidate, trust: float = 1.0) -> int:
    found = scores(candidates, trust, 0.2)
    return max(found, key=lambda number: found[number])


def test_a_model_that_does_not_know_the_language_is_hardly_heard() -> None:
    by_words, by_meaning = candidate(1, 8.0, 0.2), candidate(2, 1.0, 0.6)

    assert first(by_words, by_meaning, trust=1.0) == 2
    assert first(by_words, by_meaning, trust=0.0) == 1


def test_a_meaning_that_is_much_nearer_beats_words_that_mislead() -> None:
    assert first(candidate(1, 9.0, 0.4), candidate(2, None, 0.9)) == 2


def test_words_that_stand_together_beat_the_same_words_apart() -> None:
    assert first(candidate(1, 5.0, 0.5), candidate(2, 5.0, 0.5, phrases=4.0)) == 2


def test_a_chunk_without_a_vector_is_held_to_be_as_near_as_the_others() -> None:
    assert first(candidate(1, 8.0, None), candidate(2, 1.0, 0.5), candidate(3, 1.0, 0.5)) == 1


def test_without_any_vector_the_words_decide() -> None:
    assert first(candidate(1, 2.0, None), candidate(2, 6.0, None), trust=0.0) == 2


def test_a_document_s_good_chunks_lift_its_others_and_nobody_else_s() -> None:
    alone = candidate(1, 3.1, 0.3, family="Alone")
    members = [candidate(n, bm25, 0.3, family="Guide", document_id=9) for n, bm25 in ((2, 3.0), (3, 9.0), (4, 9.0))]

    found = scores([alone, *members], 1.0, 0.2)

    assert found[2] > found[1]


def test_what_stands_between_good_parts_of_a_conversation_is_good() -> None:
    spoken = [
        candidate(n, bm25, 0.3, spoken=True, document_id=7, ordinal=n)
        for n, bm25 in ((0, 8.0), (1, 2.0), (2, 8.0), (30, 3.0))
    ]

    found = scores(spoken, 1.0, 0.2)

    assert found[1] > found[30]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # words · (bm25 + phrases · 2) / told + (cosine − 0.75) · 0.8 / 0.25
        ("multilingual-e5-small", 0.2 * (5 + 0.6 * 2) / 10 + 0.16),
        ("all-MiniLM-L6-v2", 0.4 * (5 + 0.3 * 2) / 10 + 0.16),
        (None, 0.4 * (5 + 0.3 * 2) / 10 + 0.16),
    ],
)
def test_a_model_s_cosines_are_weighed_by_what_fits_them(model: str | None, expected: float) -> None:
    found = scores([candidate(1, 5.0, 0.8, phrases=2.0)], 1.0, 0.75, weights_of(model))
    assert found == {1: pytest.approx(expected)}


def test_chunks_without_vectors_are_ranked_alike_by_every_model() -> None:
    alone = [candidate(1, 5.0, None, phrases=2.0), candidate(2, 3.0, None)]
    assert scores(alone, 1.0, 0.75, weights_of("multilingual-e5-small")) == scores(alone, 0.0, 0.0)


def test_the_next_chunk_of_a_transcript_counts_as_the_model_has_it() -> None:
    spoken = [candidate(n, bm25, 0.75, spoken=True, document_id=7, ordinal=n) for n, bm25 in ((0, 8.0), (1, 0.0))]
    found = scores(spoken, 1.0, 0.75, weights_of("multilingual-e5-small"))
    assert found == {0: pytest.approx(0.16 / 1.7), 1: pytest.approx(0.7 * 0.16 / 1.7)}


def test_cosines_of_a_model_with_a_high_baseline_are_stretched() -> None:
    assert nearness(0.6, 0.2) == pytest.approx(0.4)
    assert nearness(0.85, 0.7) == pytest.approx(0.4)


# ------------------------------------------------------------------ values


def test_a_rank_counts_one_part_of_k_and_itself() -> None:
    assert reciprocal_rank([[7, 8], [8]]) == pytest.approx({7: 1 / 61, 8: 1 / 62 + 1 / 61})
    assert reciprocal_rank([[7, 8]], k=1) == pytest.approx({7: 1 / 2, 8: 1 / 3})


def test_fused_passages_come_by_their_score_and_those_of_one_score_by_their_number() -> None:
    found = fuse([[_passage(3, 0.1), _passage(1, 0.1)], [_passage(2, 0.1), _passage(1, 0.3)]], 3, k=1)
    assert [(p.chunk_id, p.score, p.relevance) for p in found] == [
        (1, pytest.approx(2 / 3), 0.3), (2, 0.5, 0.1), (3, 0.5, 0.1),
    ]  # fmt: skip
    assert [p.chunk_id for p in fuse([[_passage(3, 0.1)], [_passage(2, 0.1)]], 1)] == [2]


def test_what_both_sides_said_of_a_passage_is_the_better_of_it() -> None:
    def said(bm25: float | None, cosine: float | None) -> Passage:
        return Passage(1, 1, "t", 0, "x", 1.0, 0.5, bm25=bm25, cosine=cosine)

    for one, other, both in [
        (said(3.0, 0.2), said(2.0, 0.7), (3.0, 0.7)), (said(2.0, 0.7), said(3.0, 0.2), (3.0, 0.7)),
        (said(None, 0.2), said(3.0, None), (3.0, 0.2)), (said(None, None), said(None, None), (None, None)),
    ]:  # fmt: skip
        [found] = fuse([[one], [other]], 5)
        assert (found.bm25, found.cosine) == both


def test_a_model_counts_a_tenth_at_least_and_a_chunk_without_a_vector_as_the_middle_one() -> None:
    assert scores([candidate(1, 5.0, 0.8)], 0.05, 0.2) == {1: pytest.approx(0.2 + 0.1 * 0.6)}
    found = scores([candidate(1, None, 0.4), candidate(2, None, 0.8), candidate(3, 5.0, None)], 0.5, 0.2)
    assert found == pytest.approx({1: 0.5 * 0.2, 2: 0.5 * 0.6, 3: 0.2 + 0.5 * 0.4})


def test_a_chunk_shares_three_tenths_of_its_score_with_the_three_best_of_its_family() -> None:
    members = [candidate(n, 10.0 * n, None, family="Guide") for n in range(1, 5)]
    alone = [candidate(n, 10.0 * n, None) for n in (5, 6)]
    found = scores([*members, *alone], 0.0, 0.0)
    assert found == pytest.approx(
        {**{n: 0.7 * 0.4 * n + 0.3 * 1.2 for n in range(1, 5)}, 5: 0.4 * 5, 6: 0.4 * 6},
    )


def test_a_transcript_ends_at_its_first_and_last_chunk_found_and_what_was_not_found_counts_as_the_worst() -> None:
    spoken = [candidate(n, bm25, None, spoken=True, document_id=7, ordinal=n) for n, bm25 in ((0, 10.0), (5, 5.0))]
    found = scores([*spoken, candidate(9, 2.5, None)], 0.0, 0.0)
    around = 0.5 + 0.5 / 2 + 0.5 / 3 + 0.5 / 4
    assert found == pytest.approx(
        {0: (0.4 + around * 0.1) / (1 + around), 5: (0.2 + around * 0.1) / (1 + around), 9: 0.1},
    )


def test_chunks_with_an_identifier_come_first_and_each_identifier_has_one_of_those() -> None:
    held = Found(
        {2: Evidence(0.9, ("A1",)), 3: Evidence(0.9, ("A1", "B2")), 4: Evidence(0.5, ("C3",))}, ("A1", "B2", "C3")
    )
    found = with_identifiers({1: 5.0, 2: 4.0, 3: 1.0, 4: 0.0}, held)
    assert sorted(found, key=lambda chunk_id: -found[chunk_id]) == [3, 4, 2, 1]
    assert found == pytest.approx({1: 5.0, 2: 4.0 + 6 * 0.9, 3: 1.0 + 6 * 0.9 + 12 * 3, 4: 6 * 0.5 + 12})


def test_of_chunks_that_hold_an_identifier_alike_the_better_then_the_older_leads() -> None:
    held = Found({n: Evidence(1.0, ("A1",)) for n in (1, 2, 3)}, ("A1", "X9"))
    assert with_identifiers({1: 0.0, 2: 1.0, 3: 1.0}, held) == {1: 2.0, 2: 1.0 + 2.0 + 4.0 * 2, 3: 3.0}


def test_without_identifiers_or_scores_nothing_changes() -> None:
    assert with_identifiers({1: 2.0}, Found()) == {1: 2.0}
    assert with_identifiers({}, Found({1: Evidence(1.0, ("A1",))}, ("A1",))) == {}


def test_a_fused_passage_has_the_identifiers_and_the_evidence_of_both_sides() -> None:
    one = Passage(1, 1, "t", 0, "x", 1.0, 0.5, identifiers=("A1", "B2"))
    other = Passage(1, 1, "t", 0, "x", 1.0, 0.5, identifiers=("B2", "C3"))
    [found] = fuse([[one], [other]], 1)
    assert found.identifiers == ("A1", "B2", "C3")
    assert found.evidence is one.evidence
