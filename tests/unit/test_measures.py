"""Figures of a retrieval run, on cases that can be counted by hand."""

from __future__ import annotations

import math

import pytest

from tasks.knowledge.measures import Asked, Found, auc, by_language, figures, ndcg


def asked(
    best: float, *, right: tuple[str, ...] = (), ids: str = "abc", language: str = "en", answerable: bool = True
) -> Asked:
    found = Found(list(ids), [best - place / 100 for place in range(len(ids))], given=2)
    return Asked(language, found, right, answerable)


def test_a_right_passage_counts_by_its_place() -> None:
    assert ndcg("abc", ["a"]) == 1
    assert ndcg("abc", ["b"]) == pytest.approx(1 / math.log2(3))
    assert ndcg("abc", ["c", "x"]) == pytest.approx(0.5 / (1 + 1 / math.log2(3)))
    assert ndcg("abcdefghijk", ["k"]) == 0, "the eleventh"
    assert ndcg("", ["a"]) == 0


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [
        ([2.0, 3.0], [0.0, 1.0], 1.0), ([0.0], [1.0], 0.0), ([1.0], [1.0], 0.5), ([0.0, 2.0], [1.0], 0.5),
        ([1.0, 1.0, 2.0], [1.0, 0.0], 5 / 6), ([], [1.0], None), ([1.0], [], None),
    ],
)  # fmt: skip
def test_auc_is_the_share_of_pairs_in_order(
    positive: list[float], negative: list[float], expected: float | None
) -> None:
    assert auc(positive, negative) == (None if expected is None else pytest.approx(expected, abs=1e-4))


def test_what_is_handed_over_answered_and_given_is_counted_at_the_threshold() -> None:
    found = figures(
        [
            asked(0.3, right=("a",)),
            asked(0.3, right=("b",)),  # below the threshold itself, and another one is above
            asked(0.9, right=("c",)),  # behind those that an answer is made from
            asked(0.29, right=("a",)),
            asked(0.3, answerable=False), asked(0.1, answerable=False), asked(0.0, ids="", answerable=False),
        ],
        0.3,
    )  # fmt: skip

    assert (found.questions, found.unanswerable) == (4, 3)
    assert (found.false_handover, found.right_given) == (0.25, 0.25)
    assert found.false_answer == pytest.approx(1 / 3, abs=1e-4)
    assert found.auc == pytest.approx((9 + 2 / 2) / 12, abs=1e-4), "nine of twelve pairs in order, two equal"


def test_each_language_has_figures_of_its_own_and_what_is_not_known_is_none() -> None:
    found = by_language([asked(0.9, language="de"), asked(0.1, language="ar", answerable=False)], 0.3)

    assert list(found) == ["all", "ar", "de"]
    assert (found["de"].false_handover, found["de"].ndcg_at_10, found["de"].auc) == (0.0, None, None)
    assert (found["ar"].false_answer, found["ar"].false_handover) == (0.0, None)
    assert found["all"].auc == 1.0
