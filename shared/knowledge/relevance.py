"""Estimates how likely a passage answers a question: one probability, which means the same for every language, company
and embedding model.

It is a logistic model over a few features that a person can read. `python -m bench.relevance` fits the weights and
measures them on corpora that they were not fitted on; docs/retrieval.md has the figures. Each weight has the sign that
its feature must have, so that more evidence never makes a passage less relevant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.knowledge.language import Spoken, asked_in
from shared.knowledge.words import Candidate
from shared.store.knowledge.passages import Background, Hit, Hits

EULER = 0.5772
TOLD_HALF = 4.0
"""Of words with so much weight together (two that every tenth chunk has) half of what words can say is said."""
FEW_TEXTS = 10
PHRASES_FULL = 10.0
"""Pairs of the question's words that stand together with so much weight say all that pairs can say."""
SAMPLE_SURE = 4
"""A background of so many texts counts half; the rest is what is usual."""
FOREIGN_SURE = 16
"""The same for questions in another language: their cosines differ less by company than by how well the model knows
both languages."""
DEVIATION = 0.08
"""How far unrelated texts' cosines usually lie apart (standard deviation), in the model's own scale."""
TEXTS_MIN, TEXTS_MAX = 60, 1_000
"""A smaller company is judged as one of so few, a larger one as one of so many: most of the sets that the weights were
fitted on are of these sizes, and a shop of twelve texts differs from them in more than its size."""
LOG_ODDS_MAX = 20.0


class Features(NamedTuple):
    """What speaks for a passage. Relevance rises with each of them, except size.

    nearness: how far the cosine stands above that of unrelated texts in these languages, in the model's own scale (0
    unrelated, 1 equal). excess: how far it stands above what chance makes the nearest of the company's other texts, in
    the same scale. size: how far the nearest of so many texts as the company has stands out by chance, in standard
    deviations. share: the part of the weight of the question's words that the passage has; words that no text of the
    company has are not counted. told: how much those that it has say, 0 to 1. unknown: 0 where the company's texts have
    all of the question's words, -1 where they have none. phrases: how much of the question stands there in its order,
    0 to 1.
    """

    nearness: float
    excess: float
    size: float
    share: float
    told: float
    unknown: float
    phrases: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature adds to the log-odds per unit, and what they begin with (base)."""

    base: float
    nearness: float
    excess: float
    size: float
    share: float
    told: float
    unknown: float
    phrases: float


@dataclass(frozen=True, slots=True)
class Scale:
    """An embedding model's weights. own, foreign: for passages in the question's language, and in another one, whose
    words cannot be missed. unrelated: its cosine of unrelated texts by language of the texts; "": of all others;
    "foreign": of a question in another language. Empty: the model's baseline. reach: how far texts in a language stand
    out for a question in another one, beside texts in other languages (1)."""

    own: Weights
    foreign: Weights
    unrelated: Mapping[str, float] = field(default_factory=dict)
    reach: Mapping[str, float] = field(default_factory=dict)


class Judgement(NamedTuple):
    """A passage's probability, and for each feature its value and what it adds to the log-odds. `base` is what they
    begin with; features that add nothing are left out."""

    probability: float
    evidence: dict[str, tuple[float, float]]

    @property
    def log_odds(self) -> float:
        return _log_odds(self.probability)

    def overruled(self, by: str, probability: float) -> Judgement:
        """Return a judgement of another probability, with what the reason adds to the log-odds as its evidence."""
        adds = _log_odds(probability) - self.log_odds
        return Judgement(probability, {**self.evidence, by: (1.0, round(adds, 4))})

    def moved(self, by: str, adds: float) -> Judgement:
        """Return a judgement to which a reason adds so many log-odds."""
        return Judgement(_probability(self.log_odds + adds), {**self.evidence, by: (1.0, round(adds, 4))})


E5_UNRELATED = {
    "english": 0.75, "german": 0.76, "spanish": 0.772, "french": 0.78, "russian": 0.757, "turkish": 0.77,
    "arabic": 0.762, "simple": 0.812, "": 0.768, "foreign": 0.72,
}  # fmt: skip
E5 = Scale(
    own=Weights(3.27, 11.41, 12.09, -3.51, 0.53, 2.42, 0.0, 0.96),
    foreign=Weights(-7.11, 23.74, 9.53, 0.0, 0.0, 0.0, 0.0, 0.0),
    unrelated=E5_UNRELATED,
    reach={"simple": 0.83, "arabic": 0.92},
)
OF_MODEL: Mapping[str, Scale] = {"multilingual-e5-small": E5}
OTHER_MODEL = Scale(E5.own, E5.foreign)
"""Of models that nothing was fitted for: their cosines are stretched by their baseline."""
_WORDS_ONLY = Weights(-4.34, 0.0, 0.0, 0.0, 1.7, 7.19, 2.5, 2.27)
WORDS_ONLY = Scale(_WORDS_ONLY, _WORDS_ONLY)
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
        chunk_id: combined(of_chunk, weights)
        for chunk_id, (of_chunk, weights) in features(found, candidates, asked).items()
    }


def features(found: Hits, candidates: Sequence[Candidate], asked: Asked) -> dict[int, tuple[Features, Weights]]:
    """Return candidates' features, and the weights that they have."""
    hits = {hit.chunk_id: hit for hit in found.hits}
    spoken = asked_in(asked.text)
    texts = sum(found.chunks.values())
    size, chance = _highest(max(texts, TEXTS_MIN)), _highest(texts)
    told = {}
    for candidate in candidates:
        hit = hits[candidate.chunk_id]
        cosine = None if asked.model is None else hit.cosine
        foreign = spoken.is_foreign_to(hit.language)
        share, words, unknown = _words(found, hit, spoken)
        phrases = min(1.0, candidate.phrases / PHRASES_FULL)
        if cosine is None:
            of_chunk, scale = Features(0.0, 0.0, 0.0, share, words, unknown, phrases), WORDS_ONLY
        else:
            scale = scale_of(asked.model)
            wide = 1 - asked.baseline
            usual = _unrelated(scale, hit.language, asked.baseline, foreign=foreign)
            sample = _without(found.background.get(hit.language), cosine, texts)
            mean, deviation = _moved(sample, Background(usual, DEVIATION * wide, SAMPLE_SURE))
            excess = cosine - mean - deviation * chance
            if foreign:
                usual, _ = _moved(sample, Background(usual, deviation, FOREIGN_SURE))
                wide *= scale.reach.get(hit.language, 1.0)
            of_chunk = Features((cosine - usual) / wide, excess / wide, size, share, words, unknown, phrases)
        told[candidate.chunk_id] = (of_chunk, scale.foreign if foreign else scale.own)
    return told


def knows_a_word(found: Hits, question: str) -> bool:
    """Whether the company's texts have a word of a question that says what is asked."""
    spoken = asked_in(question)
    for language, lexemes in found.asked.items():
        ignored = spoken.function_words(language)
        nobody = _nobody(found.chunks.get(language, 1))
        for lexeme in lexemes:
            word = found.words.get((language, lexeme))
            if word is not None and lexeme not in ignored and word.tells < nobody:
                return True
    return False


def _nobody(chunks: int) -> float:
    """What a word tells that no chunk has (knowledge_words)."""
    return math.log(1 + (chunks + 0.5) / 0.5) - 1e-6


def scale_of(model: str | None) -> Scale:
    """Return an embedding model's weights; None: those for words alone."""
    return WORDS_ONLY if model is None else OF_MODEL.get(model, OTHER_MODEL)


def combined(features: Features, weights: Weights) -> Judgement:
    """Combine features into a probability."""
    evidence = {"base": (1.0, weights.base)}
    log_odds = weights.base
    for name, value in zip(Features._fields, features, strict=True):
        adds = value * getattr(weights, name)
        log_odds += adds
        if adds:
            evidence[name] = (round(value, 4), round(adds, 4))
    return Judgement(_probability(log_odds), evidence)


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, log_odds))))


def _log_odds(probability: float) -> float:
    """Return the log-odds of a probability, within what is ever needed."""
    if not 0 < probability < 1:
        return LOG_ODDS_MAX if probability else -LOG_ODDS_MAX
    return max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, math.log(probability / (1 - probability))))


def _unrelated(scale: Scale, language: str, baseline: float, *, foreign: bool) -> float:
    known = scale.unrelated
    if not known:
        return baseline
    return known["foreign"] if foreign else known.get(language, known[""])


def _without(sample: Background | None, cosine: float, texts: int) -> Background:
    """Return the sample without a text, which is part of it where the sample is all that the company has."""
    if sample is None or sample.texts < 2:
        return Background(0.0, 0.0, 0)
    if sample.texts < texts:
        return sample
    return Background((sample.mean * sample.texts - cosine) / (sample.texts - 1), sample.deviation, sample.texts - 1)


def _moved(sample: Background, usual: Background) -> tuple[float, float]:
    """Return mean and deviation of a sample, moved towards what is usual; each counts by its number of texts."""
    total = sample.texts + usual.texts
    return (
        (sample.mean * sample.texts + usual.mean * usual.texts) / total,
        (sample.deviation * sample.texts + usual.deviation * usual.texts) / total,
    )


def _highest(texts: int) -> float:
    """Return how many standard deviations the highest of so many chance values is expected to stand out (the limit of
    the normal distribution's extremes)."""
    logarithm = math.log(max(2, min(texts, TEXTS_MAX)))
    spread = math.sqrt(2 * logarithm)
    return spread - (math.log(logarithm) + math.log(4 * math.pi) - 2 * EULER) / (2 * spread)


def _words(found: Hits, hit: Hit, spoken: Spoken) -> tuple[float, float, float]:
    """Return share, told and unknown."""
    ignored = spoken.function_words(hit.language)
    chunks = found.chunks.get(hit.language, 1)
    nobody = _nobody(chunks)
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
