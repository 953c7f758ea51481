"""How fast a search is, and how much of what is nearest it finds, by the size of the company.

`python -m bench.knowledge [CHUNKS]` (100,000 unless given; a million takes half an hour and 6 GB): companies from ten
chunks to more than half of all, made-up words in Zipf's order and vectors in clouds, in one PostgreSQL in a temporary
folder, asked through the product's own search as the application role. Prints a table. Embedding is not in it.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from shared.embedded import DataFolder, Postgres
from shared.knowledge import search
from shared.knowledge.search import Meaning
from shared.store import companies, embeddings
from shared.store.migrate import migrate
from shared.store.pool import Conn, set_companies

DIMENSION = 384
CLOUDS = 400
"""Subjects, the same for all companies."""
NOISE = 0.6
VOCABULARY = 30_000
WORDS = 60
"""In a chunk; 8 in a question."""
BATCH = 5_000
QUESTIONS = 60
SHARES = (0.58, 0.3, 0.1, 0.01, 0.001, 0.0001)
"""Of all chunks; what is left over goes to companies of a thousand."""


@dataclass(frozen=True, slots=True)
class Asked:
    words: str
    vector: list[float]


def main(total: int) -> None:
    rng, numbers = random.Random(7), np.random.default_rng(7)
    centres = _unit(numbers.normal(size=(CLOUDS, DIMENSION)))
    sizes = [max(10, round(total * share)) for share in SHARES]
    sizes += [1_000] * ((total - sum(sizes)) // 1_000)
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as opened:
        with Postgres(opened, fsync=False) as server:
            migrate(server.database_admin_url)
            with psycopg.connect(server.database_admin_url, autocommit=True) as owner:
                owner.execute("SET maintenance_work_mem = '1GB'")
                register_vector(owner)
                began = time.perf_counter()
                ids = [_fill(owner, rng, numbers, centres, number, size) for number, size in enumerate(sizes)]
                loaded = time.perf_counter()
                with owner.transaction():
                    embeddings.ensure_space(owner, "bench", DIMENSION)
                owner.execute("VACUUM ANALYZE")
                _say(f"{sum(sizes)} chunks, {len(sizes)} companies: loaded in {loaded - began:.0f} s,"
                     f" indexed in {time.perf_counter() - loaded:.0f} s")  # fmt: skip
            _say("| chunks of the company | CPU of a search | p50 | p95 | meaning alone p95 | recall@10 | too few |")
            _say("|---|---|---|---|---|---|---|")
            with psycopg.connect(server.database_url, autocommit=True, prepare_threshold=None) as app:
                for company_id, size in list(zip(ids, sizes, strict=True))[: len(SHARES)]:
                    _say(_measured(app, company_id, size, _questions(rng, numbers, centres)))
        opened.discard()


def _measured(conn: Conn, company_id: int, size: int, asked: Sequence[Asked]) -> str:
    whole, near, found, wanted, partial = [], [], 0, 0, 0
    space_id = 1
    cpu_s = -_cpu_s(conn)
    for question in asked:  # first for what it costs, whoever else uses the machine; it fills the server's memory, too
        with conn.transaction():
            set_companies(conn, [company_id])
            search.search(conn, company_id, question.words, 10, Meaning("bench", question.vector, 1.0, 0.2))
    cpu_ms = 1000 * (cpu_s + _cpu_s(conn)) / len(asked)
    for question in asked:
        meaning = Meaning("bench", question.vector, 1.0, 0.2)
        with conn.transaction():
            set_companies(conn, [company_id])
            began = time.perf_counter()
            passages = search.search(conn, company_id, question.words, 10, meaning)
            searched = time.perf_counter()
            index = {p.chunk_id for p in embeddings.nearest(conn, company_id, space_id, question.vector, 10)}
            ended = time.perf_counter()
            exact = embeddings.nearest(conn, company_id, space_id, question.vector, 10, exact=True)
        whole.append(1000 * (searched - began))
        near.append(1000 * (ended - searched))
        found += len(index & {p.chunk_id for p in exact})
        wanted += len(exact)
        partial += len(passages) < min(10, size) or len(index) < min(10, size)
    times = (cpu_ms, statistics.median(whole), _p95(whole), _p95(near))
    return " | ".join([f"| {size}", *(f"{ms:.1f} ms" for ms in times), f"{found / wanted:.3f}", f"{partial} |"])


def _cpu_s(conn: Conn) -> float:
    """What this connection's server process and we have used."""
    used = psutil.Process(conn.info.backend_pid).cpu_times()
    return float(used.user + used.system) + time.process_time()


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


def _questions(rng: random.Random, numbers: Any, centres: Any) -> list[Asked]:
    vectors = _near(numbers, centres, QUESTIONS)
    return [Asked(" ".join(_words(rng, 8)), vector.tolist()) for vector in vectors]


def _fill(owner: psycopg.Connection, rng: random.Random, numbers: Any, centres: Any, number: int, size: int) -> int:
    """A company of so many chunks with vectors."""
    company_id = companies.ensure(owner, f"company {number}").id
    set_companies(owner, [company_id])
    owner.execute("SELECT set_config('switchboard.companies', %s, false)", (f"{{{company_id}}}",))
    owner.execute("INSERT INTO collections (company_id, name) VALUES (%s, 'all')", (company_id,))
    space = owner.execute(
        "INSERT INTO embedding_spaces (model, dimension) VALUES ('bench', %s)"
        " ON CONFLICT (model) DO UPDATE SET dimension = EXCLUDED.dimension RETURNING id", (DIMENSION,)
    ).fetchone()  # fmt: skip
    assert space is not None
    for begin in range(0, size, BATCH):
        count = min(BATCH, size - begin)
        texts = [" ".join(_words(rng, WORDS)) for _ in range(count)]
        rows = owner.execute(
            "WITH made AS (INSERT INTO documents (company_id, collection_id, source, title, text, content_hash,"
            " chunk_count) SELECT company_id, id, %s, 'Document ' || %s, '', '', %s FROM collections"
            "  WHERE company_id = %s RETURNING company_id, id)"
            " INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)"
            " SELECT made.company_id, made.id, part.place, 'english', 'Document', part.text, 0, words.tsv,"
            " knowledge_length(words.tsv) FROM made, unnest(%s::text[]) WITH ORDINALITY AS part (text, place),"
            " LATERAL knowledge_tsvector('english', part.text) AS words (tsv) RETURNING id",
            (str(begin), begin, count, company_id, texts),
        ).fetchall()
        vectors = _near(numbers, centres, count)
        with owner.cursor().copy(
            "COPY embeddings (company_id, chunk_id, space_id, embedding) FROM STDIN WITH (FORMAT BINARY)"
        ) as copy:
            copy.set_types(["int8", "int8", "int8", "halfvec"])
            for (chunk_id,), vector in zip(rows, vectors, strict=True):
                copy.write_row((company_id, chunk_id, space[0], HalfVector(vector)))
    return company_id


def _near(numbers: Any, centres: Any, count: int) -> Any:
    """Points in the clouds."""
    around = centres[numbers.integers(0, CLOUDS, count)]
    return _unit(around + NOISE * numbers.normal(size=(count, DIMENSION)) / DIMENSION**0.5)


def _unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _words(rng: random.Random, count: int) -> Iterator[str]:
    """In Zipf's order: the tenth word is ten times as rare as the first."""
    for _ in range(count):
        yield f"w{int(VOCABULARY ** rng.random()):x}q"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
