"""Weighs what a question finds alone against what it finds together with what was said before it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shared.knowledge import relevance
from shared.knowledge.relevance import Judgement
from shared.knowledge.words import Candidate
from shared.store.knowledge.passages import Hits

OWN_SCORE, ANSWERS = 0.3, 0.05
"""The surer a question is answered alone, the more its own scores count beside those in the light of the conversation,
up to the first part; the second is added for a passage that answers it alone. Both times its probability."""
SURE = 0.5
"""A question that a passage answers with this probability needs no earlier one."""
LIGHT = 1.5
"""In the light of a conversation all that is near to its subject is nearer: so many log-odds of it say nothing."""
LIGHT_MAX = 2.0
"""By so many log-odds at most the conversation lifts a passage for a question that can stand alone."""
NOT_RELEVANT = Judgement(0.0, {})


@dataclass(frozen=True, slots=True)
class View:
    """What one text of a question finds, with its scores. text: that relevance is judged for."""

    text: str
    hits: Hits
    candidates: Mapping[int, Candidate]
    scores: Mapping[int, float]

    def best(self, limit: int) -> list[int]:
        return sorted(self.scores, key=lambda one: (-self.scores[one], one))[:limit]

    def judge(self, chunk_ids: Collection[int], model: str | None, baseline: float) -> dict[int, Judgement]:
        judged = [self.candidates[one] for one in chunk_ids if one in self.candidates]
        return relevance.judge(self.hits, judged, relevance.Asked(self.text, model, baseline))


def ranked(views: Collection[View], alone: View, leaning: View, judged: Mapping[int, Judgement]) -> dict[int, float]:
    """Score all that the views found in the light of the conversation. judged: what passages are worth to the question
    alone, empty for one that says nothing alone."""
    lowest, own_lowest = min(leaning.scores.values(), default=0.0), min(alone.scores.values(), default=0.0)
    own = OWN_SCORE * max((judgement.probability for judgement in judged.values()), default=0.0)
    return {
        one: (1 - own) * leaning.scores.get(one, lowest) + own * alone.scores.get(one, own_lowest)
        + ANSWERS * judged.get(one, NOT_RELEVANT).probability
        for view in views for one in view.scores
    }  # fmt: skip


def may_hang(alone: View, judged: Mapping[int, Judgement]) -> bool:
    """Whether a question with a single word of its own may be about what was said before: nothing answers it alone, and
    the company's texts have its word."""
    return not is_answered(judged) and relevance.knows_a_word(alone.hits, alone.text)


def is_answered(judged: Mapping[int, Judgement]) -> bool:
    return any(judgement.probability >= SURE for judgement in judged.values())


def in_light(
    judged: Mapping[int, Judgement], leaning: Mapping[int, Judgement], most: float = math.inf
) -> dict[int, Judgement]:
    """Lift what passages are worth by what they are worth in the light of the conversation, by so many log-odds at
    most."""
    lifted = dict(judged)
    for one, judgement in leaning.items():
        base = judged.get(one, NOT_RELEVANT)
        lift = judgement.log_odds - LIGHT - base.log_odds
        if lift > most:
            lifted[one] = base.moved("said_before", most)
        elif lift > 0:
            lifted[one] = judgement.moved("said_before", -LIGHT)
    return lifted


def with_before(
    alone: Mapping[int, Judgement], paired: Mapping[int, Judgement], *, carries: bool
) -> dict[int, Judgement]:  # fmt: skip
    """Join what passages are worth to a question alone and with the questions before it. carries: an identifier of
    those is what it is about, so that alone it says nothing."""
    joined = {} if carries else dict(alone)
    for one, judgement in paired.items():
        base = joined.get(one, NOT_RELEVANT)
        if judgement.probability > base.probability:
            joined[one] = Judgement(judgement.probability, {**judgement.evidence, "asked_with_before": (1.0, 0.0)})
    return joined
