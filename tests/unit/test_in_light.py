"""What a conversation adds to what a question is worth alone: bounded, told, and only as much as it says."""

from __future__ import annotations

import math

import pytest

from shared.knowledge.relevance import Judgement
from shared.knowledge.views import LIGHT, LIGHT_MAX, NOT_RELEVANT, View, in_light, ranked
from shared.store.knowledge.passages import Hits

LITTLE = Judgement(0.2, {"base": (1.0, math.log(0.25))})


def judged(log_odds: float) -> Judgement:
    return Judgement(1 / (1 + math.exp(-log_odds)), {"base": (1.0, log_odds)})


def view(scores: dict[int, float]) -> View:
    return View("how long?", Hits({}, {}, {}, []), {}, scores)


@pytest.mark.parametrize(("leaning", "lifted"), [(-9.0, -2.0), (-0.5, -2.0), (0.0, -1.5), (6.0, 0.0)])
def test_a_conversation_lifts_what_its_light_shows_by_so_much_at_most(leaning: float, lifted: float) -> None:
    found = in_light({1: judged(-2.0)}, {1: judged(leaning)}, LIGHT_MAX)[1]

    assert found.log_odds == pytest.approx(lifted)
    assert sum(adds for _, adds in found.evidence.values()) == pytest.approx(lifted, abs=1e-3)


def test_a_line_that_says_nothing_alone_is_judged_by_the_light_alone() -> None:
    lifted = in_light({1: LITTLE}, {1: judged(4.0), 2: judged(3.0)})

    assert (lifted[1].log_odds, lifted[2].log_odds) == pytest.approx((4.0 - LIGHT, 3.0 - LIGHT))


def test_a_passage_that_was_not_found_alone_stays_irrelevant_to_a_question_that_can_stand_alone() -> None:
    assert in_light({}, {2: judged(5.0)}, LIGHT_MAX)[2].probability < 0.001


def test_the_surer_a_question_is_answered_alone_the_more_its_own_ranking_counts() -> None:
    own, light = view({1: 0.9, 2: 0.1}), view({1: 0.4, 2: 0.6})

    unsure = ranked([own, light], own, light, {1: judged(-4.0)})
    sure = ranked([own, light], own, light, {1: judged(4.0)})

    assert unsure[1] < unsure[2]
    assert sure[1] > sure[2]
    assert ranked([own, light], own, light, {}) == light.scores


def test_what_only_the_questions_together_found_is_ranked_last() -> None:
    own, light, together = view({1: 0.5}), view({1: 0.4, 2: 0.3}), view({3: 0.9})

    scores = ranked([own, light, together], own, light, {1: NOT_RELEVANT})

    assert sorted(scores, key=lambda one: -scores[one])[0] == 1
    assert scores[3] == min(scores.values())
