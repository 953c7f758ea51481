"""The fit of relevance's weights: recovers what made the examples, keeps signs, and withholds what it says."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bench.relevance import FOREIGN, OWN, Example, auc, best, fit, table, withheld
from bench.relevance_questions import lower, with_typos
from shared.knowledge.relevance import Features

NONE = Features(0.0, 0.0, 2.4, 0.0, 0.0, 0.0, 0.0)


def example(corpus: str, *, answered: bool, nearness: float, share: float = 0.5, foreign: bool = False) -> Example:
    row = NONE._replace(nearness=nearness, share=share)
    return Example(corpus, corpus, "as written", answered, f"{nearness}", foreign, ((answered, row),))


def two_sets() -> list[Example]:
    """Return questions of two sets; those with an answer are nearer, and their share of words is by chance."""
    chance = random.Random(1)
    return [
        example(corpus, answered=answered, nearness=chance.gauss(0.5 if answered else 0.2, 0.05), share=chance.random())
        for corpus in ("one", "two")
        for answered in (True, False)
        for _ in range(50)
    ]  # fmt: skip


def test_the_fit_finds_what_parts_the_questions() -> None:
    known = two_sets()

    weights = fit(known, OWN)

    assert weights.nearness > 5 * weights.share >= 0
    right = [(best(each, weights) >= -0.8473) == each.answered for each in known]
    assert sum(right) >= 0.97 * len(known)


def test_a_feature_that_speaks_the_wrong_way_gets_no_weight() -> None:
    known = [
        replace(each, rows=((each.answered, each.rows[0][1]._replace(share=1.0 - each.answered)),))
        for each in two_sets()
    ]

    weights = fit(known, OWN)

    assert weights.share == 0
    assert weights.size <= 0


def test_each_part_is_judged_by_the_others_alone() -> None:
    known = two_sets()
    moved = [
        each if each.corpus == "one" else replace(each, rows=((each.answered, each.rows[0][1]._replace(nearness=9.0)),))
        for each in known
    ]

    judged = withheld(moved, lambda each: each.corpus)

    of_two = [value for each, value in judged if each.corpus == "two"]
    alone = fit([each for each in known if each.corpus == "one"], OWN)
    assert of_two == pytest.approx([best(each, alone) for each in moved if each.corpus == "two"])


def test_questions_in_another_language_are_fitted_apart() -> None:
    known = [*two_sets(), *(replace(each, foreign=True) for each in two_sets())]

    judged = withheld(known, lambda each: each.corpus)

    assert len(judged) == len(known)
    assert set(FOREIGN) < set(OWN)


def test_the_table_tells_what_was_wrong() -> None:
    answered, foreign = example("one", answered=True, nearness=0.5), example("one", answered=False, nearness=0.2)

    assert table([(answered, -5.0), (answered, 5.0), (foreign, 5.0)]) == [
        "one, answered: as written 100.0 % of 1",
        "one, handed over: as written 50.0 % of 2",
    ]


def test_auc_counts_equals_half() -> None:
    assert auc([3.0, 2.0], [1.0, 2.0]) == pytest.approx(3.5 / 4)


def test_typos_and_plain_writing() -> None:
    text = "Wie lange läuft die Garantie für Zelte?"

    assert with_typos(text, 0.0, random.Random(1)) == text
    changed = with_typos(text, 1.0, random.Random(1)).split()
    assert [word for word in changed if len(word) == 3 or word.endswith("?")] == ["Wie", "die", "für", "Zelte?"]
    assert " ".join(changed) != text
    assert lower(text) == "wie lange lauft die garantie fur zelte"
