"""How like real texts the benchmarks' vectors are: how far the nearest others are, in how many dimensions they lie, and
how much of what is nearest a graph finds.

`python -m bench.likeness FOLDER SETS` (five minutes the first time; FOLDER keeps vectors) compares, with the model's
vectors of them: real passages and questions, of SETS/NAME/corpus.jsonl and queries.jsonl; what bench.corpora takes for
such; real sentences; and as many made of an eighth of them by its copies. The last two should be alike.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from bench import corpora
from bench.corpora import Pool
from shared.embedded import DataFolder, Postgres
from shared.knowledge.e5 import DIMENSION

SETS = ("mtrag", "doc2dial", "stackfaq", "qmsum", "xquad-en")
SENTENCES, QUESTIONS, COPIES = 12_000, 300, 8
AROUND = 20
LISTS = (100, 200, 400)
"""hnsw.ef_search."""
HEAD = "| vectors | number | dimensions | nearest | tenth nearest | recall@10 with a list of 100, 200, 400 |"


def report(folder: Path, sets: Path) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    yield HEAD
    yield "|---" * (HEAD.count("|") - 1) + "|"
    with (
        DataFolder(folder) as opened,
        Postgres(opened, fsync=False) as server,
        psycopg.connect(server.superuser_url, autocommit=True, prepare_threshold=None) as conn,
    ):
        conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(conn)
        for name, vectors, questions in _compared(folder, sets):
            yield _row(conn, name, vectors, questions)


def _compared(folder: Path, sets: Path) -> Iterator[tuple[str, Any, Any]]:
    """(name, vectors, questions)."""
    pool = corpora.pool(folder / "pool.npy")
    yield "bench.corpora", pool.vectors, np.array([question.vector for question in pool.questions[:QUESTIONS]])
    passages, questions = _read(sets)
    yield (
        "real passages",
        _kept(folder / "passages.npy", lambda: passages),
        _kept(folder / "questions.npy", lambda: questions),
    )
    sentences = _kept(folder / "sentences.npy", lambda: _sentences(passages))
    asked, rest = sentences[:QUESTIONS], sentences[QUESTIONS:]
    yield "real sentences", rest, asked
    yield "copies of an eighth of them", *_copies(rest[: len(rest) // COPIES], asked)


def _copies(few: Any, asked: Any) -> tuple[Any, Any]:
    """As bench.corpora makes a large company of a few passages."""
    pool = Pool([], few, corpora.nearest(few, corpora.NEAR), corpora.axes(few), [])
    seeds = range(COPIES)
    vectors = np.concatenate([corpora.copied(pool, np.random.default_rng(seed), seed) for seed in seeds])
    turnings = [corpora.turned(pool, np.random.default_rng(seed)) for seed in seeds]
    return vectors, np.array([vector @ turnings[n % COPIES] for n, vector in enumerate(asked)])


def _row(conn: psycopg.Connection, name: str, vectors: Any, questions: Any) -> str:
    vectors, questions = vectors.astype(np.float32), questions.astype(np.float32)
    sample = np.random.default_rng(1).permutation(len(vectors))[:400]
    distances = np.sqrt(np.maximum(2 - 2 * _closest(vectors[sample] @ vectors.T, AROUND + 1)[:, 1:], 1e-9))
    # Levina and Bickel's estimate of the dimension in which the nearest lie.
    dimensions = -1 / np.log(distances[:, :-1] / distances[:, -1:]).mean(1)
    recall = " ".join(f"{found:.3f}" for found in _recalls(conn, vectors, questions))
    return (
        f"| {name} | {len(vectors)} | {np.median(dimensions):.1f} | {np.median(distances[:, 0]):.3f}"
        f" | {np.median(distances[:, 9]):.3f} | {recall} |"
    )


def _closest(cosines: Any, count: int) -> Any:
    return -np.sort(-cosines, axis=1)[:, :count]


def _recalls(conn: psycopg.Connection, vectors: Any, questions: Any) -> Iterator[float]:
    """The share of the exact ten nearest that a graph finds, for each length of its list."""
    conn.execute("DROP TABLE IF EXISTS likeness")
    conn.execute(f"CREATE TABLE likeness (id int, embedding halfvec({DIMENSION}))")  # type: ignore[call-overload]
    with conn.cursor().copy("COPY likeness FROM STDIN WITH (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "halfvec"])
        for number in np.random.default_rng(2).permutation(len(vectors)):
            copy.write_row((int(number), HalfVector(vectors[number])))
    conn.execute("CREATE INDEX ON likeness USING hnsw (embedding halfvec_cosine_ops)")
    conn.execute("SET enable_seqscan = off")
    cosines = questions @ vectors.T
    tenth = _closest(cosines, 10)[:, 9]
    for length in LISTS:
        conn.execute("SELECT set_config('hnsw.ef_search', %s, false)", (str(length),))
        found = 0
        for number, question in enumerate(questions):
            rows = conn.execute(
                "SELECT id FROM likeness ORDER BY embedding <=> %s LIMIT 10", (HalfVector(question),)
            ).fetchall()
            found += sum(cosines[number, row[0]] >= tenth[number] - 1e-4 for row in rows)  # half precision
        yield found / (10 * len(questions))


def _kept(file: Path, texts: Callable[[], Sequence[str]]) -> Any:
    if not file.exists():
        np.save(file, corpora.unit(corpora.embed(texts())))
    return np.load(file)


def _read(sets: Path) -> tuple[list[str], list[str]]:
    """Passages and first questions."""
    passages = [entry["text"][:900] for name in SETS for entry in _lines(sets / name / "corpus.jsonl")]
    questions = [
        entry["text"] for name in SETS for entry in _lines(sets / name / "queries.jsonl") if not entry.get("history")
    ]
    random.Random(1).shuffle(passages)
    return passages, random.Random(2).sample(questions, QUESTIONS)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        yield json.loads(line)


def _sentences(passages: Sequence[str]) -> list[str]:
    found = [part.strip()[:300] for text in passages for part in re.split(r"(?<=[.!?])\s+|\n+", text)]
    found = list(dict.fromkeys(part for part in found if len(part) >= 40))
    random.Random(3).shuffle(found)
    return found[: SENTENCES + QUESTIONS]


if __name__ == "__main__":
    for line in report(*map(Path, sys.argv[1:3])):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
