"""Ranks chunks by words, meaning and surroundings in one score, and fuses rankings whose scores cannot be compared.

All constants were chosen on the public halves of data sets and are the same for every company and language;
docs/retrieval.md has the figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from shared.knowledge.asked_identifiers import Found
from shared.knowledge.words import Candidate
from shared.model import Passage

TRUST_MIN = 0.1
"""A model sees names and numbers also in a language that it does not know."""
COSINE_RANGE = 0.8
"""Between unrelated texts and equal ones in the local model; other models' cosines are stretched to it."""
FAMILY, FAMILY_BEST = 0.3, 3
"""The part of a score that a chunk shares with its document: the mean of the document's best chunks."""
SPOKEN_REACH = 4
"""How many chunks on either side of a transcript's chunk count."""
K = 60
"""For rankings fused by places only. After Cormack et al., SIGIR 2009."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What the parts of a score count beside the cosines of an embedding model.

    words: the words' share of all that they could say, beside a nearness. phrases: two words that stand together,
    beside the two alone. earlier: the part of a conversation's weights by which the customer's earlier lines move a
    question's vector. spoken: the next chunk of a transcript beside the chunk itself, the one behind it half of that
    and so on: people stay with a subject, and do not repeat its words in each sentence.
    """

    words: float = 0.4
    phrases: float = 0.3
    earlier: float = 1.0
    spoken: float = 0.5


OTHERS = Weights()
"""Chosen with all-MiniLM-L6-v2; also of words alone."""
OF_MODEL: Mapping[str, Weights] = {"multilingual-e5-small": Weights(words=0.2, phrases=0.6, earlier=0.6, spoken=0.7)}


def weights_of(model: str | None) -> Weights:
    """Return the weights that fit an embedding model's cosines; None: without a vector."""
    return OTHERS if model is None else OF_MODEL.get(model, OTHERS)


def nearness(cosine: float, baseline: float) -> float:
    """Return how much nearer a text is than unrelated ones, at most COSINE_RANGE. baseline: the model's cosine of
    unrelated texts."""
    return (cosine - baseline) * COSINE_RANGE / (1 - baseline)


def scores(
    candidates: Sequence[Candidate], trust: float, baseline: float, weights: Weights = OTHERS
) -> dict[int, float]:
    """Return a score for each chunk. trust: how well the model knows the question's language, 0 to 1; 0 without a
    model.

    If no candidate has a vector, only the words count. A candidate without a vector among others that have one counts
    as near as the others.
    """
    near = {c.chunk_id: nearness(c.cosine, baseline) for c in candidates if c.cosine is not None}
    weights = weights if near else OTHERS
    usual = median(near.values()) if near else 0.0
    counts = max(trust, TRUST_MIN) if near else 0.0
    alone = {
        c.chunk_id: weights.words * ((c.bm25 or 0.0) + weights.phrases * c.phrases) / c.told
        + counts * near.get(c.chunk_id, usual)
        for c in candidates
    }
    return _with_neighbours(candidates, _with_family(candidates, alone), weights)


def with_identifiers(scores: Mapping[int, float], found: Found) -> dict[int, float]:
    """Put the chunks that hold an identifier of the question before all others, and before these one for each
    identifier in the order of the question: the best of those that hold most of them. So two codes in one question both
    come first."""
    if not found.of_chunk or not scores:
        return dict(scores)
    above = max(scores.values()) - min(scores.values()) + 1.0
    raised = {
        chunk_id: score + above * found.of_chunk[chunk_id].relevance if chunk_id in found.of_chunk else score
        for chunk_id, score in scores.items()
    }
    wanted = list(found.asked)
    while wanted:
        holding = {chunk_id: [text for text in wanted if text in found.texts(chunk_id)] for chunk_id in raised}
        best = max(
            (chunk_id for chunk_id, held in holding.items() if wanted[0] in held),
            key=lambda chunk_id: (len(holding[chunk_id]), raised[chunk_id], -chunk_id),
            default=None,
        )
        raised_by = 2 * above * len(wanted)  # more than scores and evidence together differ by
        wanted = [text for text in wanted[1:] if best is None or text not in holding[best]]
        if best is not None:
            raised[best] += raised_by
    return raised


def _with_family(candidates: Sequence[Candidate], alone: Mapping[int, float]) -> dict[int, float]:
    families: defaultdict[str, list[float]] = defaultdict(list)
    for candidate in candidates:
        families[candidate.family].append(alone[candidate.chunk_id])
    best = {family: sorted(found)[-FAMILY_BEST:] for family, found in families.items() if family}
    mean = {family: sum(found) / len(found) for family, found in best.items()}
    return {
        c.chunk_id: (1 - FAMILY) * alone[c.chunk_id] + FAMILY * mean.get(c.family, alone[c.chunk_id])
        for c in candidates
    }


def _with_neighbours(candidates: Sequence[Candidate], alone: Mapping[int, float], weights: Weights) -> dict[int, float]:
    """Average the scores of transcripts' chunks with those around them. A chunk that was not found counts as the worst
    one found."""
    places = {(c.document_id, c.ordinal): alone[c.chunk_id] for c in candidates if c.spoken}
    if not places:
        return dict(alone)
    last: defaultdict[int, int] = defaultdict(int)
    for document_id, ordinal in places:
        last[document_id] = max(last[document_id], ordinal)
    worst = min(alone.values())
    found = dict(alone)
    for c in candidates:
        if not c.spoken:
            continue
        total, weight = alone[c.chunk_id], 1.0
        for step in range(1, SPOKEN_REACH + 1):
            for ordinal in (c.ordinal - step, c.ordinal + step):
                if 0 <= ordinal <= last[c.document_id]:
                    total += weights.spoken / step * places.get((c.document_id, ordinal), worst)
                    weight += weights.spoken / step
        found[c.chunk_id] = total / weight
    return found


def reciprocal_rank(lists: Sequence[Sequence[int]], k: int = K) -> dict[int, float]:
    """Fuse rankings of chunk ids into one score per chunk; higher is better.

    lists: best first; a chunk may be missing from any. Score = Σ 1/(k + rank), rank from 1. Raises ValueError if k is
    not positive.
    """
    if k <= 0:
        raise ValueError("k should be positive")
    found: defaultdict[int, float] = defaultdict(float)
    for ranking in lists:
        for rank, chunk_id in enumerate(ranking, 1):
            found[chunk_id] += 1 / (k + rank)
    return dict(found)


def fuse(rankings: Sequence[Sequence[Passage]], limit: int, *, k: int = K) -> list[Passage]:
    """Merge several rankings into one, best first. A passage keeps the best relevance and the best scores that it had
    in any of them."""
    if len(rankings) == 1:
        return list(rankings[0][:limit])
    best: dict[int, Passage] = {}
    for passage in (p for ranking in rankings for p in ranking):
        before = best.get(passage.chunk_id)
        best[passage.chunk_id] = passage if before is None else _joined(before, passage)
    fused = reciprocal_rank([[p.chunk_id for p in ranking] for ranking in rankings], k)
    order = sorted(best, key=lambda chunk_id: (-fused[chunk_id], chunk_id))
    return [replace(best[chunk_id], score=fused[chunk_id]) for chunk_id in order[:limit]]


def _joined(one: Passage, other: Passage) -> Passage:
    surer = one if one.relevance >= other.relevance else other
    return replace(
        one,
        relevance=surer.relevance,
        evidence=surer.evidence,
        bm25=_higher(one.bm25, other.bm25),
        cosine=_higher(one.cosine, other.cosine),
        identifiers=tuple(dict.fromkeys((*one.identifiers, *other.identifiers))),
    )


def _higher(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)
