"""A database with as many chunks as are wanted: by COPY, the words' index and the graphs after it. What was begun goes
on where it stopped."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from bench import corpora
from bench.corpora import Pool
from shared.embedded import Database, Postgres
from shared.knowledge.e5 import DIMENSION, MODEL
from shared.store.db.migrate import migrate
from shared.store.knowledge import embeddings, vector_indexes
from shared.store.knowledge.vector_indexes import Graph
from shared.store.tenants import companies

SIZES = (500_000, 100_000, 38_000, 10_000, 1_000, 100, 10)
REST = 38_000
"""The size of the companies that make up the rest."""
OF_A_DOCUMENT = 20
LOADERS = 2
_INDEX_MEMORY = "2GB"
_WORDS = (
    "CREATE INDEX chunks_words ON chunks USING gin (knowledge_keys(company_id, language, tsv)) WITH (fastupdate = off)"
)


class NotYet(Exception):
    """The time was over before all was there; the next call goes on."""


@dataclass(slots=True)
class Filled:
    """sizes: by company. load_s, words_s: what it took, over all calls. graph_s: by company, of those that have one."""

    total: int
    sizes: dict[int, int]
    load_s: float = 0.0
    words_s: float = 0.0
    graph_s: dict[int, float] = field(default_factory=dict)
    whole: bool = False

    def of_each_size(self) -> list[tuple[int, int]]:
        """(company, size): one of each size, the smallest first. They are asked, and have graphs where they are large
        enough; the others are there beside them."""
        found = {size: company_id for company_id, size in sorted(self.sizes.items(), reverse=True)}
        return sorted(((company_id, size) for size, company_id in found.items()), key=lambda pair: pair[1])


def sizes_of(total: int) -> list[int]:
    """The companies of a database of so many chunks: one of each size that leaves as much again for the others, and
    companies of one size for the rest."""
    sizes = [size for size in SIZES if 2 * size <= total]
    rest = total - sum(sizes)
    of_rest = min(REST, max(sizes))
    return sizes + [of_rest] * (rest // of_rest) + ([rest % of_rest] if rest % of_rest else [])


def fill(
    server: Postgres, folder: Path, pool: Pool, total: int, *, within_s: float = float("inf")
) -> tuple[Database, Filled]:
    """The database of that many chunks; what a former call made in the folder is used. within_s: looked at between a
    company's batches and between graphs. Raises NotYet."""
    name, file = f"chunks_{total}", folder / f"{total}-filled.json"
    ends_s = time.monotonic() + within_s
    if file.exists():
        database, filled = server.database(name), _read(file)
        migrate(database.admin_url)
    else:
        database = _begun(server, name)
        filled = Filled(total, _companies(database, total))
    if filled.whole:
        return database, filled
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        owner.execute(sql.SQL("SET maintenance_work_mem = {}").format(_INDEX_MEMORY))
        with _kept(file, filled), _timed(filled, "load_s"):
            _load(database, pool, filled.sizes, ends_s)
        if owner.execute("SELECT to_regclass('chunks_words')").fetchone() == (None,):
            _in_time(ends_s)
            with _kept(file, filled), _timed(filled, "words_s"):
                owner.execute(_WORDS)
        of_each_size = dict(filled.of_each_size())
        for graph in [graph for graph in vector_indexes.missing(owner) if graph.company_id in of_each_size]:
            _in_time(ends_s)
            with _kept(file, filled):
                _graph(owner, graph, filled)
        owner.execute("UPDATE indexing SET done = true")
        owner.execute("VACUUM ANALYZE")
    with _kept(file, filled):
        filled.whole = True
    return database, filled


def _begun(server: Postgres, name: str) -> Database:
    server.drop_database(name)
    database = server.create_database(name)
    migrate(database.admin_url)
    return database


def _companies(database: Database, total: int) -> dict[int, int]:
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        embeddings.ensure_model(owner, MODEL, DIMENSION)
        owner.execute("DROP INDEX chunks_words")  # much faster made than kept
        return {companies.ensure(owner, f"company {n}").id: size for n, size in enumerate(sizes_of(total))}


def _read(file: Path) -> Filled:
    kept = json.loads(file.read_text())
    by_company = {key: {int(n): each for n, each in kept[key].items()} for key in ("sizes", "graph_s")}
    return Filled(**{**kept, **by_company})


@contextmanager
def _kept(file: Path, filled: Filled) -> Iterator[None]:
    try:
        yield
    finally:
        file.write_text(json.dumps(asdict(filled)))


@contextmanager
def _timed(filled: Filled, what: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        setattr(filled, what, getattr(filled, what) + time.perf_counter() - began)


def _in_time(ends_s: float) -> None:
    if time.monotonic() >= ends_s:
        raise NotYet


def _graph(owner: psycopg.Connection, graph: Graph, filled: Filled) -> None:
    """As the job makes it."""
    if graph.state == "broken":
        vector_indexes.drop(owner, graph.name)
    began = time.perf_counter()
    vector_indexes.make(owner, graph)
    filled.graph_s[graph.company_id] = time.perf_counter() - began


def _load(database: Database, pool: Pool, sizes: dict[int, int], ends_s: float) -> None:
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
                    _fill_company(owner, pool, company_id, sizes[company_id], ends_s)
        except BaseException as e:  # noqa: BLE001  raised below, by the thread that waits
            failed.append(e)

    loaders = [threading.Thread(target=work) for _ in range(LOADERS)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()
    if failed:
        raise failed[0]


def _fill_company(owner: psycopg.Connection, pool: Pool, company_id: int, size: int, ends_s: float) -> None:
    there = owner.execute("SELECT sum(chunks) FROM knowledge_stats WHERE company_id = %s", (company_id,)).fetchone()
    done = int(there[0] or 0) if there else 0
    if done == size:
        return
    register_vector(owner)
    owner.execute("SET enable_nestloop = off")  # of rows that no planner has seen yet
    owner.execute("INSERT INTO collections (company_id, name) VALUES (%s, 'all') ON CONFLICT DO NOTHING", (company_id,))
    owner.execute(
        "CREATE TEMP TABLE IF NOT EXISTS staged (place int, text text, embedding halfvec) ON COMMIT DELETE ROWS"
    )
    for begin, texts, vectors in corpora.batches(pool, company_id, size, done):
        _in_time(ends_s)
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
    INSERT INTO embeddings (company_id, chunk_id, model_id, embedding)
    SELECT p.company_id, p.id, m.id, s.embedding
    FROM placed p JOIN staged s ON s.place = p.ordinal, embedding_models m WHERE m.name = %(model)s
"""
