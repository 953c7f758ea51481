"""Large companies get a vector index of their own: built beside readers and writers, again when a build broke,
and dropped when it is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from shared.clock import SystemClock
from shared.embedded import Database
from shared.knowledge import search
from shared.knowledge.search import Meaning
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import embeddings, index_audit, vector_indexes
from shared.store.knowledge.filters import Filter
from tasks.knowledge import vector_indexes as flow
from tasks.knowledge.vector_indexes import BUILD_VECTOR_INDEXES
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import settings_for
from tests.integration.explain import read_by
from tests.integration.test_embeddings import vector
from tests.integration.test_knowledge_store import company

SIZES = (3, 10, 700, 5_200)
"""The last one is large."""
PARTS = 100
"""Chunks of a document."""

_FILL = """
    WITH made AS (
        INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)
        SELECT c.company_id, c.id, 'doc ' || n, 'Doc', '', '', least(%(parts)s, %(size)s - n * %(parts)s)
        FROM collections c, generate_series(0, (%(size)s - 1) / %(parts)s) n WHERE c.company_id = %(company)s
        RETURNING company_id, id, chunk_count),
    placed AS (
        INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)
        SELECT m.company_id, m.id, n, 'english', 'Doc', words.body, 0, to_tsvector('english', words.body), 3
        FROM made m, generate_series(1, m.chunk_count) n,
             LATERAL (SELECT format('parcel topic%%s number%%s', n %% 7, m.id * 1000 + n)) AS words (body)
        RETURNING company_id, id)
    INSERT INTO embeddings (company_id, chunk_id, model_id, embedding)
    SELECT company_id, id, %(model)s, (SELECT l2_normalize(array_agg(sin(id * 7.1 + n * n) + random())::vector)::halfvec
                                       FROM generate_series(1, 8) n WHERE id > 0)
    FROM placed
"""


@pytest.fixture(scope="module")
def sizes(module_database: Database) -> dict[int, int]:
    """Size → company."""
    found = {}
    with psycopg.connect(module_database.admin_url, autocommit=True) as owner:
        model_id = embeddings.ensure_model(owner, "small", 8)
        for size in SIZES:
            found[size] = company(module_database, f"of {size}")
            owner.execute("INSERT INTO collections (company_id, name) VALUES (%s, 'all')", (found[size],))
            owner.execute(_FILL, {"company": found[size], "size": size, "parts": PARTS, "model": model_id})
        owner.execute("VACUUM ANALYZE chunks, embeddings, documents, lexemes, knowledge_stats")
    return found


@pytest.fixture
def work(module_database: Database) -> Iterator[Work]:
    with psycopg.connect(module_database.admin_url, autocommit=True, prepare_threshold=None) as conn:
        yield Work(conn, settings_for(module_database, "redis://127.0.0.1:1/0"), SystemClock())


@pytest.fixture
def app(module_database: Database) -> Iterator[Conn]:
    with psycopg.connect(module_database.url) as conn:
        yield conn


def index_of(work: Work, company_id: int) -> str | None:
    row = work.conn.execute(
        "SELECT indexname::text FROM pg_indexes WHERE indexname LIKE %s", (f"embeddings\\_hnsw\\_%\\_{company_id}",)
    ).fetchone()
    return None if row is None else str(row[0])


def _drop_all(work: Work) -> None:
    for name in vector_indexes.of_model(work.conn, 1):
        vector_indexes.drop(work.conn, name)


def run(work: Work) -> int:
    """How many indexes were built or dropped."""
    ran = jobs.run(BUILD_VECTOR_INDEXES, work, slot=None, by="hand")
    assert ran is not None
    assert ran.outcome == "done"
    return ran.rows


def test_an_index_that_was_not_finished_is_made_anew_and_never_searched(
    module_database: Database, sizes: dict[int, int], work: Work, app: Conn
) -> None:
    large = sizes[SIZES[-1]]
    [wanted] = vector_indexes.missing(work.conn)
    with psycopg.connect(module_database.admin_url) as writing:
        writing.execute("DELETE FROM embeddings WHERE company_id = %s AND chunk_id = 0", (large,))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            vector_indexes.build(work.conn, wanted, wait_s=0.01)
        writing.rollback()
    assert [(index.company_id, index.state) for index in vector_indexes.missing(work.conn)] == [(large, "absent")]
    assert index_of(work, large) is None
    set_companies(app, (large,))
    read = read_by(app, lambda c: embeddings.nearest(c, large, wanted.model_id, vector(), 10))
    app.rollback()  # a build waits for open transactions
    assert wanted.name not in read.indexes
    assert jobs.preview(BUILD_VECTOR_INDEXES, work).rows == 1

    assert run(work) == 1

    assert vector_indexes.missing(work.conn) == []
    assert index_of(work, large) == wanted.name
    assert run(work) == 0


def test_an_index_is_given_up_with_its_lease_and_made_by_who_has_the_next(
    monkeypatch: pytest.MonkeyPatch, module_database: Database, sizes: dict[int, int], work: Work
) -> None:
    _drop_all(work)
    monkeypatch.setattr(jobs, "KEEP_S", 0.05)
    [wanted] = vector_indexes.missing(work.conn)
    asked: list[int] = []

    def keep() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise jobs.LeaseLost("another run is at it")

    with psycopg.connect(module_database.admin_url) as writing:
        writing.execute("DELETE FROM embeddings WHERE company_id = %s AND chunk_id = 0", (wanted.company_id,))
        with pytest.raises(jobs.LeaseLost):
            flow._build(replace(work, keep=keep), wanted)  # it waits for who writes
        writing.rollback()

    assert [index.state for index in vector_indexes.missing(work.conn)] == ["absent"]
    assert run(work) == 1
    assert vector_indexes.missing(work.conn) == []


def test_one_process_builds_where_two_cannot_share_their_memory(
    monkeypatch: pytest.MonkeyPatch, sizes: dict[int, int], work: Work
) -> None:
    _drop_all(work)
    [wanted] = vector_indexes.missing(work.conn)
    work.conn.execute(f"ALTER TABLE {wanted.table} SET (parallel_workers = 1)".encode())
    tried: list[int] = []
    bound = vector_indexes._bound

    def told(conn: Conn, index: vector_indexes.VectorIndex, *, workers: int, wait_s: float) -> None:
        tried.append(workers)
        bound(conn, index, workers=workers, wait_s=wait_s)

    monkeypatch.setattr(vector_indexes, "_bound", told)
    monkeypatch.setattr(vector_indexes, "TWO_FROM", 1)
    monkeypatch.setattr(vector_indexes, "MEMORY_MIN_MB", 1_500_000)
    monkeypatch.setattr(vector_indexes, "MEMORY_MAX_MB", 1_500_000)  # more than any /dev/shm has

    assert run(work) == 1

    assert tried == [1, 0]
    assert vector_indexes.missing(work.conn) == []


def _links(work: Work, name: str) -> list[str]:
    [(options,)] = work.conn.execute("SELECT reloptions FROM pg_class WHERE relname = %s", (name,)).fetchall()
    assert isinstance(options, list)
    return options


def test_a_company_that_has_grown_gets_more_links_and_is_searched_by_the_old_ones_until_then(
    monkeypatch: pytest.MonkeyPatch, module_database: Database, sizes: dict[int, int], work: Work, app: Conn
) -> None:
    _drop_all(work)
    run(work)
    large = sizes[SIZES[-1]]
    name = index_of(work, large)
    assert name is not None
    assert "m=16" in _links(work, name)
    monkeypatch.setattr(vector_indexes, "LINKED_FROM", SIZES[-1])
    [thin] = vector_indexes.missing(work.conn)
    assert (thin.company_id, thin.state) == (large, "thin")
    with psycopg.connect(module_database.url, autocommit=True) as other, other.transaction():
        set_companies(other, (large,))
        index_audit.record(other, large, recall=0.9, questions=20, ef_search=800)
        assert index_audit.list_of(other, large, thin.model_id) == 800

    with psycopg.connect(module_database.admin_url) as writing:
        writing.execute("DELETE FROM embeddings WHERE company_id = %s AND chunk_id = 0", (large,))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            vector_indexes.build(work.conn, thin, wait_s=0.01)
        writing.rollback()
    set_companies(app, (large,))
    read = read_by(app, lambda c: embeddings.nearest(c, large, thin.model_id, vector(), 10))
    app.rollback()
    assert name in read.indexes, "the old one is whole"

    assert run(work) == 1

    assert "m=24" in _links(work, name)
    assert vector_indexes.of_model(work.conn, thin.model_id) == [name]
    assert vector_indexes.missing(work.conn) == []
    set_companies(app, (large,))
    assert index_audit.list_of(app, large, thin.model_id) == 120, "what was found of the old one counts no more"
    read = read_by(app, lambda c: embeddings.nearest(c, large, thin.model_id, vector(), 10))
    app.rollback()
    assert name in read.indexes


@pytest.mark.parametrize("point", ["built", "named"])
def test_ended_around_the_change_of_names_the_next_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, sizes: dict[int, int], work: Work, point: str
) -> None:
    _drop_all(work)
    run(work)
    large = sizes[SIZES[-1]]
    name = index_of(work, large)
    assert name is not None
    monkeypatch.setattr(vector_indexes, "LINKED_FROM", SIZES[-1])
    drop, builds = vector_indexes.drop, list[str]()
    build = vector_indexes._create

    def counted(conn: Conn, index: vector_indexes.VectorIndex, to: str) -> None:
        builds.append(to)
        build(conn, index, to)

    def dies(conn: Conn, what: str) -> None:
        if what.endswith(vector_indexes.OLD) and (point == "built" or vector_indexes._whole(conn, what)):
            raise ConnectionError("gone")
        drop(conn, what)

    monkeypatch.setattr(vector_indexes, "_create", counted)
    monkeypatch.setattr(vector_indexes, "drop", dies)
    with pytest.raises(ConnectionError):
        run(work)
    assert index_of(work, large) == name, "there is always one to search"
    monkeypatch.setattr(vector_indexes, "drop", drop)
    work.conn.execute("UPDATE jobs SET leased_until = clock_timestamp()")

    run(work)

    assert builds == [name + vector_indexes.NEW]
    assert vector_indexes.of_model(work.conn, 1) == [name]
    assert "m=24" in _links(work, name)


@pytest.mark.parametrize("size", SIZES)
def test_a_company_gets_as_many_passages_as_it_has(sizes: dict[int, int], work: Work, app: Conn, size: int) -> None:
    run(work)
    company_id = sizes[size]
    set_companies(app, (company_id,))
    for _ in range(5):
        asked = vector()
        assert len(embeddings.nearest(app, company_id, 1, asked, 10)) == min(10, size)
        both = search.search(app, company_id, "where is the parcel", 10, Meaning("small", asked, 1.0, 0.2))
        assert len({passage.chunk_id for passage in both}) == min(10, size)


@pytest.mark.parametrize("documents", [1, 51])
def test_a_filter_leaves_as_many_as_there_are(sizes: dict[int, int], work: Work, app: Conn, documents: int) -> None:
    """In one document everything is looked at; in fifty-one the index is walked."""
    run(work)
    large = sizes[SIZES[-1]]
    set_companies(app, (large,))
    rows = app.execute("SELECT id FROM documents WHERE company_id = %s ORDER BY id LIMIT %s", (large, documents))
    wanted = tuple(int(str(document_id)) for (document_id,) in rows.fetchall())
    where = Filter(documents=wanted)
    found = []
    read = read_by(
        app,
        lambda c: found.extend(search.search(c, large, "xyz", 10, Meaning("small", vector(), 1.0, 0.2), where=where)),
    )

    assert len(found) == 10
    assert {passage.document_id for passage in found} <= set(wanted)
    assert (index_of(work, large) in read.indexes) == (documents > 1)


def test_a_company_that_has_become_small_loses_its_index(
    module_database: Database, sizes: dict[int, int], work: Work
) -> None:
    run(work)
    large = sizes[SIZES[-1]]
    with psycopg.connect(module_database.admin_url, autocommit=True) as owner:
        owner.execute("UPDATE knowledge_stats SET chunks = 3000 WHERE company_id = %s", (large,))
        assert run(work) == 0, "it may grow again"
        owner.execute("UPDATE knowledge_stats SET chunks = 2000 WHERE company_id = %s", (large,))
        assert run(work) == 1
        assert index_of(work, large) is None
        owner.execute("UPDATE knowledge_stats SET chunks = %s WHERE company_id = %s", (SIZES[-1], large))
