"""Weighs what a question finds alone against what it finds together with what was said before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shared.knowledge import relevance
from shared.knowledge.relevance import Judgement
from shared.knowledge.words import Candidate
from shared.store.knowledge.passages import Hits

ANSWERS = 0.2
"""What it counts beside a score in the light of the conversation that a passage answers the question alone."""
SURE = 0.5
"""A question that a passage answers with this probability needs no earlier one."""
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


def may_hang(alone: View, judged: Mapping[int, Judgement]) -> bool:
    """Whether a question with a single word of its own may be about what was said before: nothing answers it alone, and
    the company's texts have its word."""
    if any(judgement.probability >= SURE for judgement in judged.values()):
        return False
    return relevance.knows_a_word(alone.hits, alone.text)


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
