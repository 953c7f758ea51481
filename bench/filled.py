"""A database with as many chunks as are wanted: by COPY, the words' index and the graphs after it."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from bench import corpora
from bench.corpora import Pool
from shared.embedded import Database, Postgres
from shared.knowledge.minilm import DIMENSION, MODEL
from shared.store import companies, embeddings, graphs
from shared.store.migrate import migrate

SIZES = (500_000, 100_000, 38_000, 10_000, 1_000, 100, 10)
REST = 38_000
"""The size of the companies that make up the rest."""
BATCH = 10_000
OF_A_DOCUMENT = 20
SUBJECTS_OF = 0.3
"""The part of all subjects that a company's documents are about."""
LOADERS = 2
_INDEX_MEMORY = "2GB"
_STATE = "filled.json"


@dataclass(frozen=True, slots=True)
class Filled:
    """sizes: by company. load_s, index_s: what it took."""

    total: int
    sizes: dict[int, int]
    load_s: float
    index_s: float


def sizes_of(total: int) -> list[int]:
    """The companies of a database of so many chunks: one of each size that leaves as much again for the others, and
    companies of one size for the rest."""
    sizes = [size for size in SIZES if 2 * size <= total]
    rest = total - sum(sizes)
    of_rest = min(REST, max(sizes))
    return sizes + [of_rest] * (rest // of_rest) + ([rest % of_rest] if rest % of_rest else [])


def fill(server: Postgres, folder: Path, pool: Pool, total: int) -> tuple[Database, Filled]:
    """The database of that many chunks; one that a former run kept in the folder is used again."""
    name, state = f"chunks_{total}", folder / f"{total}-{_STATE}"
    if state.exists():
        kept = json.loads(state.read_text())
        return server.database(name), Filled(**{**kept, "sizes": {int(n): size for n, size in kept["sizes"].items()}})
    server.drop_database(name)
    database = server.create_database(name)
    migrate(database.admin_url)
    began = time.perf_counter()
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        embeddings.ensure_space(owner, MODEL, DIMENSION)
        words = owner.execute("SELECT pg_get_indexdef('chunks_words'::regclass)").fetchone()
        assert words is not None
        owner.execute("DROP INDEX chunks_words")  # much faster made than kept
        sizes = {companies.ensure(owner, f"company {n}").id: size for n, size in enumerate(sizes_of(total))}
        _load(database, pool, sizes)
        loaded = time.perf_counter()
        owner.execute(sql.SQL("SET maintenance_work_mem = {}").format(_INDEX_MEMORY))
        owner.execute(words[0].encode())
        for graph in graphs.missing(owner):
            graphs.make(owner, graph)
        owner.execute("UPDATE indexing SET model = %s", (MODEL,))
        owner.execute("VACUUM ANALYZE")
    filled = Filled(total, sizes, loaded - began, time.perf_counter() - loaded)
    state.write_text(json.dumps(asdict(filled)))
    return database, filled


def _load(database: Database, pool: Pool, sizes: dict[int, int]) -> None:
    """The largest first, companies side by side; raises what a loader raised."""
    waiting = sorted(sizes, key=lambda company_id: sizes[company_id])
    failed: list[BaseException] = []
    lock = threading.Lock()

    def work() -> None:
        try:
            with psycopg.connect(database.admin_url, autocommit=True) as owner:
                while True:
                    with lock:
                        company_id = waiting.pop() if waiting and not failed else None
                    if company_id is None:
                        return
                    _fill_company(owner, pool, company_id, sizes[company_id])
        except BaseException as e:  # noqa: BLE001  raised below, by the thread that waits
            failed.append(e)

    loaders = [threading.Thread(target=work) for _ in range(LOADERS)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()
    if failed:
        raise failed[0]


def _fill_company(owner: psycopg.Connection, pool: Pool, company_id: int, size: int) -> None:
    rng = random.Random(company_id)
    subjects = rng.sample(range(len(pool.subjects)), max(1, int(SUBJECTS_OF * len(pool.subjects))))
    register_vector(owner)
    owner.execute("SET enable_nestloop = off")  # of rows that no planner has seen yet
    owner.execute("INSERT INTO collections (company_id, name) VALUES (%s, 'all')", (company_id,))
    owner.execute(
        "CREATE TEMP TABLE IF NOT EXISTS staged (place int, text text, embedding halfvec) ON COMMIT DELETE ROWS"
    )
    for begin in range(0, size, BATCH):
        texts, vectors = corpora.chunks(pool, rng, subjects, min(BATCH, size - begin))
        with owner.transaction():
            with owner.cursor().copy("COPY staged FROM STDIN WITH (FORMAT BINARY)") as copy:
                copy.set_types(["int4", "text", "halfvec"])
                for place, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
                    copy.write_row((place, text, HalfVector(vector)))
            owner.execute("ANALYZE staged")
            owner.execute(
                _STAGED_TO_CHUNKS, {"company": company_id, "begin": begin, "each": OF_A_DOCUMENT, "model": MODEL}
            )


_STAGED_TO_CHUNKS = """
    WITH made AS (
        INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)
        SELECT c.company_id, c.id, 'page ' || (%(begin)s + d.first), 'Page ' || (%(begin)s + d.first), '', '', d.count
        FROM collections c,
             (SELECT place / %(each)s AS first, count(*) AS count FROM staged GROUP BY 1) AS d
        WHERE c.company_id = %(company)s RETURNING company_id, id, title, source),
    placed AS (
        INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)
        SELECT made.company_id, made.id, s.place, 'english', made.title, s.text, 0, words.tsv,
               knowledge_length(words.tsv)
        FROM staged s JOIN made ON made.source = 'page ' || (%(begin)s + s.place / %(each)s),
             LATERAL knowledge_tsvector('english', made.title || E'\\n' || s.text) AS words (tsv)
        RETURNING company_id, id, ordinal)
    INSERT INTO embeddings (company_id, chunk_id, space_id, embedding)
    SELECT p.company_id, p.id, space.id, s.embedding
    FROM placed p JOIN staged s ON s.place = p.ordinal, embedding_spaces space WHERE space.model = %(model)s
"""
