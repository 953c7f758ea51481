"""Scores chunks by a question's words: BM25, phrases, and how much of the question a chunk covers."""

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
    """A chunk that was found by words or by meaning, with its scores.

    family: its document's title, empty for transcripts; spoken: it is part of a transcript. bm25: None if it shares no
    word. phrases: BM25 of pairs of words that stand together. told: the sum of the question's word weights; bm25 is at
    most 2.2 times it. share: how much of it the chunk covers, 0 to 1. cosine: None without a vector.
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
    """Score each hit by its words."""
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
    """Score one hit. words: the question's, in the hit's language."""
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
    """Find pairs of words that stand together in the question, function words left out, and in a chunk.

    How many of the company's chunks have such a pair is estimated from the candidates.
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
    """Count the pairs that stand together in a hit."""
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
    """Return, for each word, the words that follow it, each once."""
    behind: defaultdict[str, list[str]] = defaultdict(list)
    for one, two in dict.fromkeys(pairwise(asked)):
        if one != two:
            behind[one].append(two)
    return dict(behind)


def _times(one: Sequence[int], two: Sequence[int]) -> int:
    return sum(1 for x in one for y in two if 0 < y - x <= GAP)
