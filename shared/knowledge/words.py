"""What a question's words say of the chunks that have them: BM25, phrases, how much of the question is there."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from shared.store.knowledge.passages import Hit, Hits, Word, positions

K1, B = 1.2, 0.75
GAP = 3
"""Two words of the question stand together where the second is at most so many places behind the first."""


class Candidate(NamedTuple):
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
    of_language: defaultdict[str, dict[str, Word]] = defaultdict(dict)
    for (language, lexeme), word in found.words.items():
        of_language[language][lexeme] = word
    told = {language: max(sum(w.tells for w in words.values()), 1e-9) for language, words in of_language.items()}
    phrases = _phrases(found)
    return [
        _candidate(hit, of_language[hit.language], told.get(hit.language, 1e-9), phrases.get(hit.chunk_id, 0.0))
        for hit in found.hits
    ]


def _candidate(hit: Hit, words: Mapping[str, Word], told: float, phrases: float) -> Candidate:
    """words: the question's in the hit's language."""
    bm25, has = 0.0, 0.0
    for lexeme, places in hit.places.items():
        word = words.get(lexeme)
        if word is None or not places:
            continue  # of another language's question
        times = places.count(",") + 1
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
    together = list(_together(found))
    having = Counter((hit.language, pair) for hit, pair, _ in together)
    scores: defaultdict[int, float] = defaultdict(float)
    for hit, pair, times in together:
        have = having[hit.language, pair]
        tells = math.log(1 + max(found.chunks[hit.language] - have + 0.5, 0.5) / (have + 0.5))
        scores[hit.chunk_id] += tells * times * (K1 + 1) / (times + K1)
    return scores


def _together(found: Hits) -> Iterator[tuple[Hit, tuple[str, str], int]]:
    """Pairs that stand together in a hit, and how often."""
    behind = {language: _pairs(asked) for language, asked in found.asked.items()}
    for hit in found.hits:
        pairs, places = behind.get(hit.language), hit.places
        if not pairs or len(places) < 2:
            continue
        for one, followers in pairs.items():
            if not (at := places.get(one)):
                continue
            for two in followers:
                if two in places and (times := _times(positions(at), positions(places[two]))):
                    yield hit, (one, two), times


def _pairs(asked: Sequence[str]) -> dict[str, list[str]]:
    """By word those that stand behind it, each once."""
    behind: defaultdict[str, list[str]] = defaultdict(list)
    for one, two in dict.fromkeys(pairwise(asked)):
        if one != two:
            behind[one].append(two)
    return dict(behind)


def _times(one: Sequence[int], two: Sequence[int]) -> int:
    return sum(1 for x in one for y in two if 0 < y - x <= GAP)
