"""What a question's words say of the chunks that have them: BM25, phrases, how much of the question is there."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.store.passages import Hit, Hits

K1, B = 1.2, 0.75
GAP = 3
"""Two words of the question stand together where the second is at most so many places behind the first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that comes into question.

    family: its document's title, empty for transcripts; spoken: it is a part of a transcript. bm25: None where it
    shares no word. phrases: the same for pairs of words that stand together. told: what the question's words tell;
    bm25 is at most 2.2 of it. share: how much of it the chunk has, 0 to 1. cosine: None without a vector.
    """

    chunk_id: int
    document_id: int
    ordinal: int
    family: str
    spoken: bool
    bm25: float | None
    phrases: float
    told: float
    share: float
    cosine: float | None


def weighed(found: Hits) -> list[Candidate]:
    """Each hit with what the words say of it."""
    told: defaultdict[str, float] = defaultdict(float)
    for (language, _), word in found.words.items():
        told[language] += word.tells
    phrases = _phrases(found)
    return [_candidate(hit, found, max(told[hit.language], 1e-9), phrases.get(hit.chunk_id, 0.0)) for hit in found.hits]


def _candidate(hit: Hit, found: Hits, told: float, phrases: float) -> Candidate:
    bm25, has = 0.0, 0.0
    for lexeme, positions in hit.positions.items():
        word = found.words.get((hit.language, lexeme))
        if word is None:
            continue  # of another language's question
        times = len(positions)
        bm25 += word.tells * times * (K1 + 1) / (times + K1 * (1 - B + B * hit.length / word.mean_length))
        has += word.tells
    return Candidate(
        hit.chunk_id, hit.document_id, hit.ordinal, hit.family, hit.spoken, bm25 if has else None, phrases, told,
        min(has / told, 1.0), hit.cosine,
    )  # fmt: skip


def _phrases(found: Hits) -> Mapping[int, float]:
    """Neighbours in the question, function words left out, that are neighbours in a chunk.

    How many of the company's chunks have a pair nobody counts: what stands in few of the candidates stands in few.
    """
    pairs = {language: _pairs(asked) for language, asked in found.asked.items()}
    together: list[tuple[Hit, tuple[str, str], int]] = []
    for hit in found.hits:
        for pair in pairs.get(hit.language, ()):
            one, two = hit.positions.get(pair[0]), hit.positions.get(pair[1])
            if one and two and (times := _times(one, two)):
                together.append((hit, pair, times))
    having = Counter((hit.language, pair) for hit, pair, _ in together)
    scores: defaultdict[int, float] = defaultdict(float)
    for hit, pair, times in together:
        have = having[hit.language, pair]
        tells = math.log(1 + max(found.chunks[hit.language] - have + 0.5, 0.5) / (have + 0.5))
        scores[hit.chunk_id] += tells * times * (K1 + 1) / (times + K1)
    return scores


def _pairs(asked: Sequence[str]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one, two) for one, two in pairwise(asked) if one != two))


def _times(one: Sequence[int], two: Sequence[int]) -> int:
    return sum(1 for x in one for y in two if 0 < y - x <= GAP)
