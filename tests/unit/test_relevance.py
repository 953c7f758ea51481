from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import pytest

from bench.relevance import AGAINST, FOREIGN, OWN, written
from shared.knowledge import relevance
from shared.knowledge.relevance import E5, WORDS_ONLY, Asked, Features, combined, features, judge
from shared.knowledge.words import weighed
from shared.store.knowledge.passages import Background, Hit, Hits, Word

ORDINARY = Features(nearness=0.4, excess=0.1, size=2.4, share=0.5, told=0.5, unknown=-0.3, phrases=0.2)
SCALES = [E5.own, E5.foreign, WORDS_ONLY.own]
UNKNOWN = math.log(1 + (100 + 0.5) / 0.5)
"""What a word tells that none of a hundred chunks has."""


@pytest.mark.parametrize("weights", SCALES)
@pytest.mark.parametrize("name", Features._fields)
def test_more_of_a_feature_never_makes_a_passage_less_relevant(weights: relevance.Weights, name: str) -> None:
    more = ORDINARY._replace(**{name: getattr(ORDINARY, name) + 0.3})

    less, now = combined(ORDINARY, weights).probability, combined(more, weights).probability

    assert now <= less if name == "size" else now >= less


@pytest.mark.parametrize("weights", SCALES)
def test_the_evidence_adds_up_to_the_probability(weights: relevance.Weights) -> None:
    found = combined(ORDINARY, weights)

    log_odds = sum(adds for _, adds in found.evidence.values())
    assert found.probability == pytest.approx(1 / (1 + math.exp(-log_odds)), abs=1e-3)
    assert found.evidence["base"] == (1.0, weights.base)


def test_what_overrules_is_told_with_what_it_adds() -> None:
    before = combined(ORDINARY, E5.own)

    after = before.overruled("identifiers", 0.9)

    assert after.probability == 0.9
    assert sum(adds for _, adds in after.evidence.values()) == pytest.approx(math.log(9), abs=0.01)
    assert before.overruled("own_case", 0.0).evidence["own_case"][1] < -10


def test_weights_have_one_for_each_feature() -> None:
    assert [each.name for each in fields(relevance.Weights)] == ["base", *Features._fields]


def found(question: str, places: dict[str, str], *, language: str = "english", cosine: float | None = None) -> Hits:
    """Return what a search found: one chunk of a hundred. A word that begins with x is known to no chunk."""
    words = question.split()
    return Hits(
        {(language, word): Word(UNKNOWN if word.startswith("x") else 2.0, 50.0) for word in words},
        {language: words}, {language: 100}, [Hit(1, 1, 0, "Guide", False, language, 50, places, cosine)],
    )  # fmt: skip


def of_chunk(hits: Hits, asked: Asked) -> Features:
    return features(hits, weighed(hits), asked)[1][0]


def test_words_that_no_text_has_are_counted_for_themselves() -> None:
    hits = found("refund boots xblorf", {"refund": "1"})

    told = of_chunk(hits, Asked("refund boots xblorf"))

    assert told.share == 0.5
    assert told.unknown == pytest.approx(-1 / 3)


def test_words_that_only_ask_are_left_out_in_the_questions_own_language() -> None:
    hits = found("wie refund", {"refund": "1"}, language="english")

    assert of_chunk(hits, Asked("wie ist refund")).share == 1.0


def test_a_question_in_another_language_has_a_scale_of_its_own() -> None:
    hits = found("wie lange", {}, language="english", cosine=0.85)

    [(_, weights)] = features(hits, weighed(hits), Asked("wie lange ist das", "multilingual-e5-small", 0.75)).values()

    assert weights is E5.foreign


@pytest.mark.parametrize(("language", "told"), [("simple", True), ("arabic", True), ("russian", False)])
def test_texts_that_stand_out_less_for_another_language_are_judged_by_as_much_less(language: str, told: bool) -> None:
    hits = found("how long", {}, language=language, cosine=0.85)
    asked = Asked("how long is it", "multilingual-e5-small", 0.75)

    [(features_, _)] = features(hits, weighed(hits), asked).values()

    assert (features_.nearness > (0.85 - relevance.E5_UNRELATED["foreign"]) / 0.25 + 0.01) == told


def test_a_chunk_without_a_vector_is_judged_by_its_words() -> None:
    near, words = found("refund", {"refund": "1"}, cosine=0.9), found("refund", {"refund": "1"})

    by_words = judge(words, weighed(words), Asked("refund", "multilingual-e5-small", 0.75))[1]

    assert by_words == judge(words, weighed(words), Asked("refund"))[1]
    assert by_words == judge(near, weighed(near), Asked("refund"))[1]
    assert "nearness" not in by_words.evidence


def test_a_larger_company_needs_more_evidence_up_to_what_was_measured() -> None:
    def size(chunks: int) -> float:
        hits = found("refund", {"refund": "1"}, cosine=0.9)
        hits = Hits(hits.words, hits.asked, {"english": chunks}, hits.hits)
        return of_chunk(hits, Asked("refund", "multilingual-e5-small", 0.75)).size

    assert size(1) == size(60) < size(100) < size(1_000) == size(1_000_000)
    assert all(math.isfinite(size(chunks)) for chunks in (0, 1, 2))


def with_background(chunks: int, sample: Background) -> Features:
    hits = found("refund", {"refund": "1"}, cosine=0.9)
    hits = Hits(hits.words, hits.asked, {"english": chunks}, hits.hits, background={"english": sample})
    return of_chunk(hits, Asked("refund", "multilingual-e5-small", 0.75))


def test_what_all_texts_of_a_company_are_near_to_stands_out_less() -> None:
    far, near = (with_background(100, Background(mean, 0.02, 64)) for mean in (0.75, 0.85))

    assert near.excess < far.excess
    assert near.nearness == far.nearness


def test_where_cosines_lie_far_apart_chance_explains_a_higher_one() -> None:
    narrow, wide = (with_background(100, Background(0.8, deviation, 64)) for deviation in (0.01, 0.04))

    assert wide.excess < narrow.excess


def test_a_companys_only_text_does_not_count_among_the_others() -> None:
    alone = with_background(1, Background(0.9, 0.0, 1))
    of_two = with_background(2, Background((0.9 + 0.75) / 2, 0.02, 2))

    assert alone.excess > 0
    assert of_two.excess > 0


def test_without_a_sample_the_usual_background_counts() -> None:
    hits = found("refund", {"refund": "1"}, cosine=0.9)

    assert of_chunk(hits, Asked("refund", "multilingual-e5-small", 0.75)).excess == pytest.approx(
        with_background(100, Background(0.75, 0.02, 64)).excess
    )


def test_the_weights_are_those_that_the_bench_fits() -> None:
    carried = {"own": (E5.own, OWN), "foreign": (E5.foreign, FOREIGN)}

    for weights, names in carried.values():
        given = {name for name in Features._fields if getattr(weights, name)}
        assert given <= set(names)
        assert all((getattr(weights, name) < 0) == (name in AGAINST) for name in given)
        assert written(weights) in Path(relevance.__file__).read_text("utf-8")


def test_a_company_knows_a_word_that_one_of_its_texts_has_and_that_says_what_is_asked() -> None:
    assert relevance.knows_a_word(found("refund", {}), "refund?")
    assert not relevance.knows_a_word(found("xblorf", {}), "xblorf?")
    assert relevance.knows_a_word(found("xblorf refund", {}), "xblorf refund?")
    assert not relevance.knows_a_word(found("wie", {}, language="german"), "wie?")  # a word that only asks
    assert not relevance.knows_a_word(found("", {}), "?")
    unheard = Hits({}, {"english": ["refund"]}, {}, [])
    assert not relevance.knows_a_word(unheard, "refund?")
