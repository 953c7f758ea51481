"""Estimates how likely a passage answers a question: one probability, which means the same for every language, company
and embedding model.

It is a logistic model over a few features that a person can read. The weights were fitted on the public halves of the
evaluation sets by `python -m bench.relevance`; docs/retrieval.md has the figures. Each weight has the sign that its
feature must have, so that more evidence never makes a passage less relevant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.knowledge.language import Spoken, asked_in
from shared.knowledge.words import Candidate
from shared.store.knowledge.passages import Hit, Hits

EULER = 0.5772
TOLD_HALF = 4.0
"""Of words with so much weight together (two that every tenth chunk has) half of what words can say is said."""
FEW_TEXTS = 10
PHRASES_FULL = 10.0
"""Pairs of the question's words that stand together with so much weight say all that pairs can say."""
SAMPLE_SURE = 8
"""A background of so many texts counts half; the rest is what is usual in the language."""
SPREAD = 0.064
"""How far the cosines of texts that do not answer a question lie apart (standard deviation)."""
LOG_ODDS_MAX = 20.0


class Features(NamedTuple):
    """What speaks for a passage. Relevance rises with each of them.

    nearness: how far the cosine stands above that of unrelated texts in these languages, in the model's own scale (0
    unrelated, 1 equal). excess: how far it stands above what chance gives the nearest of the company's texts. share:
    the part of the weight of the question's words that the passage has; words that no text of the company has are not
    counted. told: how much those that it has say, 0 to 1. unknown: 0 where the company's texts have all of the
    question's words, -1 where they have none. phrases: how much of the question stands there in its order,
    0 to 1. foreign: 1 where the question is in another language than the passage, so that missing words say nothing.
    """

    nearness: float
    excess: float
    share: float
    told: float
    unknown: float
    phrases: float
    foreign: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature adds to the log-odds per unit, and what they begin with.

    unrelated: the model's cosine of unrelated texts by language of the texts; "": of all others; "foreign": of a
    question in another language. Empty: the model's baseline.
    """

    base: float
    nearness: float
    excess: float
    share: float
    told: float
    unknown: float
    phrases: float
    foreign: float
    unrelated: Mapping[str, float] = field(default_factory=dict)


class Judgement(NamedTuple):
    """A passage's probability, and for each feature its value and what it adds to the log-odds. `base` is what they
    begin with; features of value 0 are left out."""

    probability: float
    evidence: dict[str, tuple[float, float]]

    def overruled(self, by: str, probability: float) -> Judgement:
        """Return a judgement of another probability, with what the reason adds to the log-odds as its evidence."""
        adds = _log_odds(probability) - _log_odds(self.probability)
        return Judgement(probability, {**self.evidence, by: (1.0, round(adds, 4))})


E5_UNRELATED = {
    "english": 0.75, "german": 0.76, "spanish": 0.772, "french": 0.78, "russian": 0.757, "turkish": 0.77,
    "arabic": 0.762, "simple": 0.812, "": 0.768, "foreign": 0.72,
}  # fmt: skip
OF_MODEL: Mapping[str, Weights] = {
    "multilingual-e5-small": Weights(-6.04, 12.69, 9.85, 1.53, 0.6, 0.0, 2.06, 2.1, unrelated=E5_UNRELATED),
}
OTHER_MODEL = Weights(-6.04, 12.69, 9.85, 1.53, 0.6, 0.0, 2.06, 2.1)
"""Of models that nothing was fitted for: their cosines are stretched by their baseline."""
WORDS_ONLY = Weights(-4.34, 0.0, 0.0, 1.7, 7.19, 2.5, 2.27, 0.0)
"""Without a vector."""


class Asked(NamedTuple):
    """A question without courtesies, its embedding model (None: without a vector), and that model's cosine of unrelated
    texts."""

    text: str
    model: str | None = None
    baseline: float = 0.0


def judge(found: Hits, candidates: Sequence[Candidate], asked: Asked) -> dict[int, Judgement]:
    """Judge candidates of a question by words and meaning."""
    return {
        chunk_id: combined(of_chunk, weights_of(asked.model if near else None))
        for chunk_id, (of_chunk, near) in features(found, candidates, asked).items()
    }


def features(found: Hits, candidates: Sequence[Candidate], asked: Asked) -> dict[int, tuple[Features, bool]]:
    """Return candidates' features, and whether there is a cosine among them."""
    hits = {hit.chunk_id: hit for hit in found.hits}
    spoken = asked_in(asked.text)
    best = max((hit.cosine for hit in found.hits if hit.cosine is not None), default=0.0)
    told = {}
    for candidate in candidates:
        hit = hits[candidate.chunk_id]
        near = hit.cosine is not None and asked.model is not None
        foreign = spoken.is_foreign_to(hit.language)
        unrelated = _unrelated(weights_of(asked.model), hit, asked.baseline, foreign=foreign)
        if foreign and near:
            unrelated = _background(found, unrelated, best)
        nearness, excess = _meaning(found, hit, unrelated, best, asked) if near else (0.0, 0.0)
        share, words, unknown = _words(found, hit, spoken)
        told[candidate.chunk_id] = (
            Features(
                nearness, excess, 0.0 if foreign and near else share, words, 0.0 if foreign and near else unknown,
                0.0 if foreign else min(1.0, candidate.phrases / PHRASES_FULL), float(foreign),
            ),
            near,
        )  # fmt: skip
    return told


def weights_of(model: str | None) -> Weights:
    """Return an embedding model's weights; None: those for words alone."""
    return WORDS_ONLY if model is None else OF_MODEL.get(model, OTHER_MODEL)


def combined(features: Features, weights: Weights) -> Judgement:
    """Combine features into a probability."""
    evidence = {"base": (1.0, weights.base)}
    for name, value in features._asdict().items():
        if value:
            evidence[name] = (round(value, 4), round(value * getattr(weights, name), 4))
    log_odds = weights.base + sum(value * getattr(weights, name) for name, value in features._asdict().items())
    return Judgement(1 / (1 + math.exp(-max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, log_odds)))), evidence)


def _log_odds(probability: float) -> float:
    """Return the log-odds of a probability, within what is ever needed."""
    if not 0 < probability < 1:
        return LOG_ODDS_MAX if probability else -LOG_ODDS_MAX
    return max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, math.log(probability / (1 - probability))))


def _unrelated(weights: Weights, hit: Hit, baseline: float, *, foreign: bool) -> float:
    known = weights.unrelated
    if not known:
        return baseline
    return known["foreign"] if foreign else known.get(hit.language, known[""])


def _meaning(found: Hits, hit: Hit, unrelated: float, best: float, asked: Asked) -> tuple[float, float]:
    """Return nearness and excess."""
    assert hit.cosine is not None
    scale = 1 - asked.baseline
    by_chance = _background(found, unrelated, best) + scale * SPREAD * _highest(sum(found.chunks.values()))
    return (hit.cosine - unrelated) / scale, (hit.cosine - by_chance) / scale


def _background(found: Hits, unrelated: float, best: float) -> float:
    """Return the cosine of the company's other texts; of few texts moved towards what is usual. best: of the nearest
    one, which is not one of the others."""
    texts = sum(count for _, count in found.background.values())
    total = sum(mean * count for mean, count in found.background.values())
    if texts > 1 and texts >= sum(found.chunks.values()):
        texts, total = texts - 1, total - best
    return (total + SAMPLE_SURE * unrelated) / (texts + SAMPLE_SURE)


def _highest(texts: int) -> float:
    """Return how many standard deviations the highest of so many chance values is expected to stand out (the limit of
    the normal distribution's extremes)."""
    spread = math.sqrt(2 * math.log(max(texts, 2)))
    return spread - (math.log(math.log(max(texts, 2))) + math.log(4 * math.pi) - 2 * EULER) / (2 * spread)


def _words(found: Hits, hit: Hit, spoken: Spoken) -> tuple[float, float, float]:
    """Return share, told and unknown."""
    ignored = spoken.function_words(hit.language)
    chunks = found.chunks.get(hit.language, 1)
    nobody = math.log(1 + (chunks + 0.5) / 0.5) - 1e-6  # what a word tells that no chunk has (knowledge_words)
    # In few texts no word can be rare: weighed as if there were some more without it.
    more = math.log((chunks + 1 + FEW_TEXTS) / (chunks + 1))
    known = has = 0.0
    words = unknown = 0
    for lexeme in dict.fromkeys(found.asked.get(hit.language, ())):
        word = found.words.get((hit.language, lexeme))
        if word is None or lexeme in ignored:
            continue
        words += 1
        if word.tells >= nobody:
            unknown += 1
            continue
        known += word.tells + more
        if hit.places.get(lexeme):
            has += word.tells + more
    return has / known if known else 0.0, has / (has + TOLD_HALF), -unknown / words if words else 0.0
