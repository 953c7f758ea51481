"""Texts with vectors for the benchmarks of retrieval, as many as are wanted, near to each other as real ones are.

The real texts that every machine has are the descriptions of Python's own and the installed libraries' functions and
classes: some thousand of English, of a few lines or a page, about hundreds of subjects. The first line of each says in
other words what the rest is about: it is the question, and the rest the passage.

The local model embeds them once. A copy of all passages is turned at random about the axis on which all texts lie:
inside a copy every distance is the real one, and texts of two copies are about something else. So many copies are one
large real set, but for one thing: more texts about a subject stand closer together, and copies do not. A copy's vectors
are therefore moved towards others near them by a part of the way. `python -m bench.likeness` holds all of it against
real texts.

A chunk's text is its passage with a sentence of a neighbour's, and a name, an order number and a price of its own: the
long tail of a vocabulary.
"""

from __future__ import annotations

import random
import re
import sysconfig
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from shared.knowledge.e5 import DIMENSION, LocalE5

PASSAGE_CHARS = (120, 900)
QUESTION_CHARS = (15, 200)
LETTERS_SHARE = 0.75
"""Of a passage: what has fewer is an example in code, or a table."""
PASSAGES = 4_000
QUESTIONS, OTHER_QUESTIONS = 600, 300
ABOUT = 0.7
"""Of the questions that a company is asked, those about what it has."""
NEAR = 8
MOVED = 0.5
"""Of the way to one of the NEAR nearest, at most."""
_DESCRIBED = re.compile(r'(?:def|class) [^\n]*(?:\n[^\n"\']*){0,8}?:\n\s*[rbu]?"""(.*?)"""', re.S)
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3"}


@dataclass(frozen=True, slots=True)
class Text:
    question: str
    passage: str


@dataclass(frozen=True, slots=True)
class Question:
    """passage: the number of the one that answers it; None: it is about something that no passage is about."""

    text: str
    vector: Any
    passage: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """own: whether it is about something that the company has."""

    text: str
    vector: list[float]
    own: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """vectors: of the passages, in their order, of length 1. near: of each the numbers of the nearest others.
    axes: columns, the first one the axis that stays."""

    passages: list[str]
    vectors: Any
    near: Any
    axes: Any
    questions: list[Question]


def texts() -> list[Text]:
    """In the order of the files, so that neighbours are about the same."""
    return list({text.passage: text for file in _files() for text in _described(file)}.values())


def pool(kept: Path, most: int = PASSAGES) -> Pool:
    """kept: a file for what took the model some minutes. most: passages."""
    found, others = _parted(texts(), most)
    answered = random.Random(2).sample(range(len(found)), min(QUESTIONS, len(found)))
    asked = [*(found[place].question for place in answered), *others]
    told = [text.passage for text in found]
    vectors = np.load(kept) if kept.exists() else np.zeros((0, DIMENSION), np.float32)
    if len(vectors) != len(told) + len(asked):
        vectors = unit(np.concatenate([embed(told, passages=True), embed(asked)]))
        np.save(kept, vectors)
    own, questions = vectors[: len(found)], vectors[len(found) :]
    return Pool(
        [text.passage for text in found], own, nearest(own, NEAR), axes(own),
        [Question(*one) for one in zip(asked, questions, [*answered, *(None for _ in others)], strict=True)],
    )  # fmt: skip


def _parted(all_texts: Sequence[Text], most: int) -> tuple[list[Text], list[str]]:
    """Passages, spread over all, and questions about other files' texts."""
    step = max(1, len(all_texts) // most)
    found = list(all_texts[::step][:most])
    others = [text.question for text in all_texts[1::step]] if step > 1 else []
    return found, random.Random(4).sample(others, min(OTHER_QUESTIONS, len(others)))


def batches(pool: Pool, company_id: int, size: int, done: int = 0) -> Iterator[tuple[int, list[str], Any]]:
    """All chunks of a company, a copy of the passages at a time: the first one's number, texts, vectors. done: those
    that it has already, of whole copies."""
    passages = _passages(pool, company_id)
    for begin in range(done, size, len(passages)):
        chosen, number = passages[: size - begin], begin // len(passages)
        rng = np.random.default_rng((company_id, number))
        yield begin, written(pool, random.Random(begin + company_id), chosen), copied(pool, rng, number)[chosen]


def asked(pool: Pool, company_id: int, size: int, count: int) -> list[Asked]:
    """What a company's customers ask: most about something that it has a chunk of, the others about something else."""
    rng = random.Random(company_id)
    passages = _passages(pool, company_id)
    has = set(passages[:size])
    about = [question for question in pool.questions if question.passage in has]
    others = [question for question in pool.questions if question.passage is None] or pool.questions
    turnings = cache(lambda copy: turned(pool, np.random.default_rng((company_id, copy))))
    found = []
    for _ in range(count):
        own = bool(about) and rng.random() < ABOUT
        question = rng.choice(about if own else others)
        place = passages.index(question.passage) if question.passage in has else 0
        turning = turnings(rng.randrange((size - place - 1) // len(passages) + 1))
        found.append(Asked(question.text, (question.vector @ turning).tolist(), own))
    return found


def _passages(pool: Pool, company_id: int) -> list[int]:
    """In a company's order: a small one has neighbours only, which are about the same."""
    first = random.Random(company_id).randrange(len(pool.passages))
    return [*range(first, len(pool.passages)), *range(first)]


def copied(pool: Pool, rng: Any, number: int) -> Any:
    """The vectors of one copy of all passages. rng: of the company and the number, as `asked` has it."""
    turning = turned(pool, rng)  # its first draw
    if number == 0:
        return pool.vectors @ turning  # the first is as it was
    others = pool.near[np.arange(len(pool.vectors)), rng.integers(0, NEAR, len(pool.vectors))]
    way = rng.uniform(0, MOVED, (len(pool.vectors), 1)).astype(np.float32)
    return unit(pool.vectors + way * (pool.vectors[others] - pool.vectors)) @ turning


def turned(pool: Pool, rng: Any) -> Any:
    """By what a copy's vectors, as rows, are to be multiplied."""
    turning = np.eye(DIMENSION, dtype=np.float32)
    turning[1:, 1:], _ = np.linalg.qr(rng.standard_normal((DIMENSION - 1, DIMENSION - 1)))
    return pool.axes @ turning @ pool.axes.T


def written(pool: Pool, rng: random.Random, passages: Sequence[int]) -> list[str]:
    """A text for each of these passages, never twice the same."""
    found = []
    for passage in passages:
        sentences = list(_sentences(pool.passages[passage]))
        neighbours = _sentences(pool.passages[pool.near[passage, rng.randrange(NEAR)]])
        sentences[rng.randrange(len(sentences))] = rng.choice(neighbours)
        found.append(" ".join([*sentences, _tail(rng)]))
    return found


@cache
def _sentences(passage: str) -> tuple[str, ...]:
    return tuple(_SENTENCE.split(passage))


def _tail(rng: random.Random) -> str:
    name = "".join(rng.choice(("ba", "den", "ko", "lin", "mar", "ra", "sto", "ti", "vel", "zu")) for _ in range(4))
    order, price = (
        f"{rng.choice('ABCDEFGH')}{rng.randrange(10**6)}",
        f"{rng.randrange(1, 5000)}.{rng.randrange(100):02}",
    )
    return f"{name.title()} {order} {price}"


def _files() -> Iterator[Path]:
    for root in (Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))):
        for file in sorted(root.rglob("*.py")):
            if not _LEFT_OUT.intersection(file.relative_to(root).parts):
                yield file


def _described(file: Path) -> Iterator[Text]:
    for found in _DESCRIBED.finditer(file.read_text("utf-8", "replace")):
        head, _, rest = re.sub(r"[ \t]+", " ", found[1]).strip().partition("\n\n")
        question, passage = " ".join(head.split()), " ".join(rest.split())[: PASSAGE_CHARS[1]]
        letters = sum(char.isalpha() or char == " " for char in passage)
        if (
            QUESTION_CHARS[0] <= len(question) <= QUESTION_CHARS[1]
            and len(passage) >= PASSAGE_CHARS[0]
            and letters >= LETTERS_SHARE * len(passage)
        ):
            yield Text(question, passage)


def embed(given: Sequence[str], *, passages: bool = False) -> Any:
    embedder = LocalE5(threads=2)
    order = sorted(range(len(given)), key=lambda place: len(given[place]))
    parts = [order[at : at + 64] for at in range(0, len(order), 64)]
    vectors = np.zeros((len(given), DIMENSION), np.float32)

    def one(part: Sequence[int]) -> Sequence[Sequence[float]]:
        return embedder.embed([given[n] for n in part], passages=passages)

    with ThreadPoolExecutor(2) as threads:
        for part, found in zip(parts, threads.map(one, parts), strict=True):
            vectors[part] = found
    return vectors


def nearest(vectors: Any, count: int) -> Any:
    """Of each vector the numbers of the nearest others."""
    found = []
    for begin in range(0, len(vectors), 500):
        cosines = vectors[begin : begin + 500] @ vectors.T
        cosines[np.arange(len(cosines)), np.arange(begin, begin + len(cosines))] = -1
        found.append(np.argpartition(-cosines, count, axis=1)[:, :count])
    return np.concatenate(found)


def axes(vectors: Any) -> Any:
    """Of vectors' second moments, the strongest first: about the direction of their mean."""
    _, found = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    return found[:, ::-1].astype(np.float32)


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
