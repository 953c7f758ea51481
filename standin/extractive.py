"""A small model without weights: it answers by quoting the passages of the prompt, and embeds by hashing words."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from html import unescape

UNKNOWN = "I do not know that from the information I was given."
SENTENCES_MAX = 2
SECOND_SCORE_MIN = 0.6  # share of the best sentence's score that another one needs to be quoted too

_PASSAGE = re.compile(
    r'<passage(?:-\w{1,64})?\s+n="(\d+)"(?:\s+title="([^"<>]*)")?[^<>]*>((?:[^<]++|<(?!/?passage\b))*)</passage\b'
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"\w+")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and any are as at be been but by can could did do does for from had has have hello hi how i if in into "
        "is it its just me my of on or our please so than that the their them then there these they this to us was we "
        "were what when where which who why will with would you your"
    )
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    number: int
    text: str
    words: frozenset[str]
    title_words: frozenset[str]


def answer(prompt: Sequence[str], question: str) -> str:
    """The sentences of the prompt's passages that share most with the question, each with its passage's number:
    "You can return shoes within 30 days. [1]". UNKNOWN, without a number, when nothing matches.

    prompt: the texts of all messages, the question's included. Passages are found wherever they stand, as a
    model would: who lets customers write them will see them cited.
    """
    sentences = [sentence for text in prompt for sentence in _sentences(text)]
    asked = words(_PASSAGE.sub(" ", question))
    weights = _weights(sentences)
    scored = [(_score(asked, sentence, weights), sentence) for sentence in sentences]
    scored.sort(key=lambda pair: -pair[0])  # stable: among equals the earlier passage
    if not scored or scored[0][0] <= 0:
        return UNKNOWN
    chosen = [scored[0][1]]
    for score, sentence in scored[1:]:
        news = (sentence.words & asked) - chosen[0].words
        if len(chosen) < SENTENCES_MAX and news and score >= SECOND_SCORE_MIN * scored[0][0]:
            chosen.append(sentence)
    return " ".join(f"{sentence.text} [{sentence.number}]" for sentence in chosen)


def words(text: str) -> frozenset[str]:
    """The words that carry meaning, roughly stemmed."""
    return frozenset(_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)


def tokens(text: str) -> int:
    """About as many tokens as a real tokenizer would count: four bytes each."""
    return math.ceil(len(text.encode(errors="replace")) / 4)


def embed(text: str, dimensions: int) -> list[float]:
    """A vector of length 1: every word adds to a place and with a sign that its hash tells."""
    found = Counter(_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)
    vector = [0.0] * dimensions
    for word, count in (found or Counter([text])).items():
        place, sign = struct.unpack("<QB", blake2b(word.encode(errors="replace"), digest_size=9).digest())
        vector[place % dimensions] += count if sign & 1 else -count
    norm = math.sqrt(sum(value * value for value in vector))
    if norm == 0:  # two words that cancelled each other out
        vector[0] = norm = 1.0
    return [value / norm for value in vector]


def _sentences(text: str) -> list[_Sentence]:
    return [sentence for passage in _PASSAGE.findall(text) for sentence in _passage(*passage)]


@lru_cache(maxsize=4096)  # a benchmark sends the same passages thousands of times
def _passage(number: str, title: str, body: str) -> tuple[_Sentence, ...]:
    title_words = words(unescape(title))
    sentences = filter(None, map(str.strip, _SENTENCE_END.split(unescape(body))))
    return tuple(_Sentence(int(number), sentence, words(sentence), title_words) for sentence in sentences)


def _weights(sentences: Sequence[_Sentence]) -> dict[str, float]:
    """Rarer words tell more."""
    frequency = Counter(word for sentence in sentences for word in sentence.words | sentence.title_words)
    return {word: math.log(1 + len(sentences) / count) for word, count in frequency.items()}


def _score(asked: frozenset[str], sentence: _Sentence, weights: dict[str, float]) -> float:
    own = sum(weights[word] for word in asked & sentence.words)
    inherited = sum(weights[word] for word in asked & sentence.title_words - sentence.words)
    # Long sentences share words by chance; a title speaks for all of its sentences a little.
    return (own + 0.5 * inherited) / math.sqrt(4 + len(sentence.words))


def _stem(word: str) -> str:
    for ending, kept in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3:
            doubled = ending in ("ing", "ed") and len(stem) > 3 and stem[-1] == stem[-2]
            word = (stem[:-1] if doubled else stem) + kept
            break
    return word.removesuffix("e") if len(word) > 3 else word
