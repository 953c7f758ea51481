"""Figures of a retrieval run: how well right passages are ranked, and how well relevance tells what can be answered."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

NDCG_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Found:
    """What one question found, best first. given: how many of the first passages an answer is made from."""

    ids: Sequence[str]
    relevances: Sequence[float]
    given: int

    @property
    def best(self) -> float:
        """The highest relevance among the passages that an answer may be made from; 0 if there are none."""
        return max(self.relevances[: self.given], default=0.0)

    def gives(self, right: Collection[str], threshold: float) -> bool:
        """Whether one of the right passages is among those that an answer is made from."""
        firsts = zip(self.ids[: self.given], self.relevances, strict=False)
        return any(name in right and relevance >= threshold for name, relevance in firsts)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what it found. right: its relevant passages, empty where the data does not say.
    answerable: whether the corpus has an answer."""

    language: str
    found: Found
    right: Collection[str]
    answerable: bool = True

    def is_wrong(self, threshold: float) -> bool:
        """Whether an answer would be given to what has none, or none of the right passages is given where there are."""
        if not self.answerable:
            return self.found.best >= threshold
        return not self.found.gives(self.right, threshold) if self.right else self.found.best < threshold


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are of 1; None where no question tells.

    auc: the probability that an answerable question reaches a higher relevance than an unanswerable one.
    false_handover: of the answerable questions, those for which no passage reaches the threshold. false_answer: of the
    unanswerable ones, those for which one does. right_given and ndcg_at_10: of the questions whose right passages are
    known.
    """

    questions: int
    unanswerable: int
    ndcg_at_10: float | None
    right_given: float | None
    false_handover: float | None
    false_answer: float | None
    auc: float | None


def by_language(asked: Sequence[Asked], threshold: float) -> Mapping[str, Figures]:
    """Return the figures of all questions (`all`) and of each language, in the order of the languages' names."""
    parts: defaultdict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        parts[one.language].append(one)
    return {"all": figures(asked, threshold), **{name: figures(parts[name], threshold) for name in sorted(parts)}}


def figures(asked: Sequence[Asked], threshold: float) -> Figures:
    answerable = [one for one in asked if one.answerable]
    unanswerable = [one for one in asked if not one.answerable]
    known = [one for one in answerable if one.right]
    positive, negative = [one.found.best for one in answerable], [one.found.best for one in unanswerable]
    return Figures(
        len(answerable),
        len(unanswerable),
        _mean([ndcg(one.found.ids, one.right) for one in known]),
        _mean([one.found.gives(one.right, threshold) for one in known]),
        _mean([best < threshold for best in positive]),
        _mean([best >= threshold for best in negative]),
        auc(positive, negative),
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def ndcg(ranked: Sequence[str], right: Collection[str], depth: int = NDCG_DEPTH) -> float:
    """Return the normalised discounted cumulative gain of a ranking with binary gains. right: not empty."""
    wanted = set(right)
    gain = sum(1 / math.log2(place + 2) for place, name in enumerate(ranked[:depth]) if name in wanted)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(depth, len(wanted))))


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Return the share of pairs in which the positive value is the higher one, ties half; None without a pair."""
    if not positive or not negative:
        return None
    values = sorted([(value, True) for value in positive] + [(value, False) for value in negative])
    places, at = 0.0, 0
    while at < len(values):
        end = at
        while end < len(values) and values[end][0] == values[at][0]:
            end += 1
        # Equal values share the mean of their places, from 1.
        places += sum(is_positive for _, is_positive in values[at:end]) * (at + 1 + end) / 2
        at = end
    count = len(positive)
    return round((places - count * (count + 1) / 2) / (count * len(negative)), 4)
