"""Texts with vectors for the benchmarks of retrieval, as many as are wanted, shaped as real ones are.

A pool of sentences is embedded by the local model once; a chunk is put together from a few of them: two or three
that follow each other, two of another passage about the same subject, and a name, an order number and a price of its
own (the long tail of a vocabulary). Its vector is the mean of its sentences' vectors, each as long as its sentence,
moved by a part of the difference of two more sentences of the subject: noise that lies where the model's vectors lie.
`faithful()` says how near that comes to the model's own vectors of the same chunks.

The sentences are those of the English sets of ../shared/eval where that folder is, with their questions; without it
they are made of the model's vocabulary, which stands in the order of how common words are: function words and a
subject's own words, each in Zipf's order.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.knowledge import minilm
from shared.knowledge.minilm import DIMENSION, LocalMiniLM

SETS = ("mtrag", "doc2dial", "stackfaq", "qmsum", "xquad-en")
REAL = Path(__file__).parents[2] / "shared" / "eval"
SENTENCES_MAX, QUESTIONS_MAX = 16_000, 600
SUBJECTS = 200
DRIFT = 0.3
"""Of the difference of two other sentences."""
_END = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Pool:
    """sentences: in their order, vectors[n] of sentences[n]. passages: first sentence and one past the last. subjects:
    which passages are about the same. questions: with a vector each."""

    real: bool
    sentences: list[str]
    vectors: Any
    passages: list[tuple[int, int]]
    subjects: list[list[int]]
    questions: list[tuple[str, list[float]]]


def pool(cache: Path, rng: random.Random, most: int = SENTENCES_MAX) -> Pool:
    """cache: a file that keeps what took a minute or two to embed. most: sentences."""
    real = REAL.is_dir()
    texts, questions = _read() if real else _made(rng)
    sentences, passages = _cut(texts, most)
    if cache.exists():
        vectors = np.load(cache)
    else:
        vectors = _embedded([*sentences, *questions])
        np.save(cache, vectors)
    asked = [(text, vector.tolist()) for text, vector in zip(questions, vectors[len(sentences) :], strict=True)]
    means = _unit(np.array([vectors[begin:end].mean(0) for begin, end in passages]))
    return Pool(real, sentences, vectors[: len(sentences)], passages, _grouped(means), asked)


def chunks(pool: Pool, rng: random.Random, subjects: Sequence[int], count: int) -> tuple[list[str], Any]:
    """So many texts about these subjects (numbers of pool.subjects), and their vectors of length 1."""
    texts: list[str] = []
    vectors = np.zeros((count, DIMENSION), np.float32)
    for place in range(count):
        subject = pool.subjects[rng.choice(subjects)]
        parts = [*_some(pool, rng, subject, 3), *_some(pool, rng, subject, 2)]
        texts.append(" ".join([*(pool.sentences[part] for part in parts), _tail(rng)]))
        weights = np.array([len(pool.sentences[part]) for part in parts], np.float32)
        one, other = (_some(pool, rng, subject, 1)[0] for _ in range(2))
        vectors[place] = weights @ pool.vectors[parts] / weights.sum()
        vectors[place] += DRIFT * (pool.vectors[one] - pool.vectors[other])
    return texts, _unit(vectors)


def faithful(pool: Pool, rng: random.Random, count: int = 100) -> float:
    """The mean cosine of chunks' vectors and what the model itself makes of their texts."""
    texts, vectors = chunks(pool, rng, range(len(pool.subjects)), count)
    return float((vectors * _embedded(texts)).sum(1).mean())


def _some(pool: Pool, rng: random.Random, subject: Sequence[int], most: int) -> list[int]:
    """Sentences that follow each other in one passage."""
    begin, end = pool.passages[rng.choice(subject)]
    first = rng.randrange(begin, max(begin + 1, end - most + 1))
    return list(range(first, min(first + most, end)))


def _tail(rng: random.Random) -> str:
    name = "".join(rng.choice(("ba", "den", "ko", "lin", "mar", "ra", "sto", "ti", "vel", "zu")) for _ in range(4))
    order, price = (
        f"{rng.choice('ABCDEFGH')}{rng.randrange(10**6)}",
        f"{rng.randrange(1, 5000)}.{rng.randrange(100):02}",
    )
    return f"{name.title()} {order} {price}"


def _read() -> tuple[list[str], list[str]]:
    texts = [entry["text"] for name in SETS for entry in _lines(REAL / name / "corpus.jsonl")]
    random.Random(1).shuffle(texts)
    questions = [
        entry["text"] for name in SETS for entry in _lines(REAL / name / "queries.jsonl") if not entry.get("history")
    ]
    return texts, random.Random(2).sample(questions, QUESTIONS_MAX)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        yield json.loads(line)


def _made(rng: random.Random) -> tuple[list[str], list[str]]:
    vocabulary = json.loads((minilm._folder() / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    words = [
        word for word, _ in sorted(vocabulary.items(), key=lambda item: item[1]) if word.isalpha() and len(word) > 1
    ]
    common, rest = words[:300], words[300:]
    subjects = [rng.sample(rest, 120) for _ in range(SUBJECTS)]

    def said(subject: Sequence[str], length: int, share: float) -> str:
        return " ".join(_zipf(rng, common if rng.random() < share else subject) for _ in range(length)) + "."

    texts = [
        " ".join(said(subject, rng.randrange(8, 24), 0.5) for _ in range(4)) for subject in subjects for _ in range(20)
    ]
    return texts, [said(rng.choice(subjects), rng.randrange(6, 12), 0.4) for _ in range(QUESTIONS_MAX)]


def _zipf(rng: random.Random, words: Sequence[str]) -> str:
    """The tenth word is ten times as rare as the first."""
    return words[int(len(words) ** rng.random()) - 1]


def _cut(texts: Sequence[str], most: int) -> tuple[list[str], list[tuple[int, int]]]:
    sentences: list[str] = []
    passages: list[tuple[int, int]] = []
    for text in texts:
        parts = [part.strip()[:400] for part in _END.split(text) if len(part.strip()) >= 20]
        if not parts or len(sentences) + len(parts) > most:
            continue
        passages.append((len(sentences), len(sentences) + len(parts)))
        sentences += parts
    return sentences, passages


def _grouped(means: Any, rounds: int = 8) -> list[list[int]]:
    """Passages about the same, by k-means; no group is empty."""
    centres = means[np.random.default_rng(3).choice(len(means), SUBJECTS, replace=False)]
    for _ in range(rounds):
        nearest = (means @ centres.T).argmax(1)
        centres = _unit(
            np.array([means[nearest == n].mean(0) if (nearest == n).any() else centres[n] for n in range(SUBJECTS)])
        )
    nearest = (means @ centres.T).argmax(1)
    return [found.tolist() for n in range(SUBJECTS) if len(found := np.flatnonzero(nearest == n))]


def _embedded(texts: Sequence[str]) -> Any:
    embedder = LocalMiniLM(threads=2)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    parts = [order[at : at + 64] for at in range(0, len(order), 64)]
    vectors = np.zeros((len(texts), DIMENSION), np.float32)
    with ThreadPoolExecutor(2) as threads:
        for part, found in zip(parts, threads.map(lambda p: embedder.embed([texts[n] for n in p]), parts), strict=True):
            vectors[part] = found
    return vectors


def _unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
