"""What a question finds alone, weighed against what it finds with the questions before it."""

from __future__ import annotations

import math

import pytest

from shared.knowledge.relevance import E5, WORDS_ONLY, Asked, Judgement, judge
from shared.knowledge.views import SURE, View, may_hang, with_before
from shared.knowledge.words import weighed
from shared.store.knowledge.passages import Hit, Hits, Word

NOBODY = math.log(1 + (100 + 0.5) / 0.5)
"""What a word tells that none of a hundred chunks has."""


def view(text: str, scores: dict[int, float], *, unknown: str = "", cosine: float | None = None) -> View:
    """Return what a search found: chunks with all words of the question. unknown: a word that no text has."""
    words = text.split()
    heard = {("english", word): Word(NOBODY if word == unknown else 2.0, 50.0) for word in words}
    there = {word: "1" for word in words if word != unknown}
    found = [Hit(one, 1, one, "Guide", False, "english", 50, there, cosine) for one in scores]
    hits = Hits(heard, {"english": words}, {"english": 100}, found)
    return View(text, hits, {one.chunk_id: one for one in weighed(hits)}, scores)


def worth(**chunks: float) -> dict[int, Judgement]:
    return {int(name[1:]): Judgement(probability, {"of": (probability, 0.0)}) for name, probability in chunks.items()}


def test_the_best_come_first_and_of_those_that_are_alike_the_older() -> None:
    seen = view("refund", {3: 0.5, 1: 0.5, 2: 0.9, 4: 0.1})

    assert seen.best(3) == [2, 1, 3]
    assert seen.best(9) == [2, 1, 3, 4]


def test_only_what_it_found_is_judged_and_for_its_own_text() -> None:
    seen = view("refund boots", {1: 0.5, 2: 0.4})

    judged = seen.judge([2, 7], None, 0.0)

    assert judged == judge(seen.hits, [seen.candidates[2]], Asked("refund boots"))
    assert set(judged) == {2}
    assert judged[2].evidence["base"] == (1.0, WORDS_ONLY.own.base)


def test_a_passage_is_judged_by_the_model_s_scale_and_the_company_s_baseline() -> None:
    seen = view("refund boots", {1: 0.5}, cosine=0.85)

    judged = seen.judge([1], "multilingual-e5-small", 0.7)

    assert judged == judge(seen.hits, [seen.candidates[1]], Asked("refund boots", "multilingual-e5-small", 0.7))
    assert judged[1].evidence["base"] == (1.0, E5.own.base)
    assert judged[1].probability != seen.judge([1], "multilingual-e5-small", 0.8)[1].probability


def test_a_question_that_something_answers_hangs_on_nothing() -> None:
    seen = view("sweden", {1: 0.5})

    assert not may_hang(seen, worth(c1=0.1, c2=SURE))
    assert may_hang(seen, worth(c1=0.1, c2=SURE - 0.01))
    assert may_hang(seen, {})


def test_a_question_whose_words_no_text_has_hangs_on_nothing() -> None:
    assert not may_hang(view("blorf", {1: 0.5}, unknown="blorf"), {})


def test_a_passage_is_worth_the_better_of_both_and_says_when_the_questions_before_made_it() -> None:
    joined = with_before(worth(c1=0.3, c2=0.6, c3=0.2), worth(c1=0.5, c2=0.4, c4=0.1), carries=False)

    assert {one: judgement.probability for one, judgement in joined.items()} == {1: 0.5, 2: 0.6, 3: 0.2, 4: 0.1}
    assert {one for one, judgement in joined.items() if "asked_with_before" in judgement.evidence} == {1, 4}
    assert joined[1].evidence == {"of": (0.5, 0.0), "asked_with_before": (1.0, 0.0)}


def test_what_is_worth_the_same_both_ways_stands_for_itself() -> None:
    assert with_before(worth(c1=0.5), worth(c1=0.5), carries=False) == worth(c1=0.5)
    assert with_before({}, worth(c1=0.0), carries=False) == {}


def test_a_line_that_is_about_an_earlier_identifier_says_nothing_alone() -> None:
    joined = with_before(worth(c1=0.9, c2=0.6), worth(c2=0.4), carries=True)

    assert {one: judgement.probability for one, judgement in joined.items()} == {2: pytest.approx(0.4)}
