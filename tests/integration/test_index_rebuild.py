"""The weekly rebuild: what is bloated becomes small again, what is sound and what others build is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared.clock import SystemClock
from shared.embedded import Database
from shared.store.operations import indexes, vitals
from tasks.operations import jobs
from tasks.operations.alerts import KEEP_SIZES
from tasks.operations.indexes import REBUILD
from tasks.operations.jobs import Work
from tests.factories import settings_for

SIZE_MIN = 400_000
ROWS = 60_000


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def work(conn: psycopg.Connection, database: Database, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(indexes.worn, "__kwdefaults__", {"but": None, "size_min": SIZE_MIN})
    return Work(conn, settings_for(database, "redis://127.0.0.1:1/0"), SystemClock())


def _numbers(conn: psycopg.Connection, table: str) -> None:
    """A table whose two indexes, on a number and on an expression, are as small as they can be."""
    conn.execute(f"CREATE TABLE {table} (id bigint, word text)".encode())
    conn.execute(f"INSERT INTO {table} SELECT n, 'word number ' || n FROM generate_series(1, {ROWS}) n".encode())
    conn.execute(f"CREATE INDEX {table}_id ON {table} (id)".encode())
    conn.execute(f"CREATE INDEX {table}_word ON {table} (upper(word))".encode())
    conn.execute(f"VACUUM ANALYZE {table}".encode())


def _thinned(conn: psycopg.Connection, table: str) -> None:
    """Nine of ten rows deleted: their places in the indexes stay empty."""
    conn.execute(f"DELETE FROM {table} WHERE id % 10 <> 0".encode())
    conn.execute(f"VACUUM ANALYZE {table}".encode())


def _size(conn: psycopg.Connection, name: str) -> int:
    row = conn.execute("SELECT pg_relation_size(%s::regclass)", (name,)).fetchone()
    assert row is not None
    return int(row[0])


def test_indexes_that_are_mostly_empty_become_small_and_sound_ones_stay(work: Work) -> None:
    for table in ("sound", "thinned"):
        _numbers(work.conn, table)
    _thinned(work.conn, "thinned")
    before = {name: _size(work.conn, name) for name in ("sound_id", "sound_word", "thinned_id", "thinned_word")}
    found = {index.name: index for index in indexes.worn(work.conn)}
    assert set(found) == {"thinned_id", "thinned_word"}
    assert all(0.8 < index.bloat < 1 for index in found.values())
    assert jobs.preview(REBUILD, work).rows == 2

    ran = jobs.run(REBUILD, work, slot=None, by="hand")

    assert ran is not None
    assert (ran.outcome, ran.rows) == ("done", 2)
    after = {name: _size(work.conn, name) for name in before}
    assert (after["sound_id"], after["sound_word"]) == (before["sound_id"], before["sound_word"])
    assert all(after[name] < before[name] / 5 for name in ("thinned_id", "thinned_word"))
    assert ran.size == sum(before[name] - after[name] for name in ("thinned_id", "thinned_word"))
    assert indexes.worn(work.conn) == []
    plan = str(work.conn.execute("EXPLAIN SELECT * FROM thinned WHERE id = 500").fetchall())
    assert "thinned_id" in plan


def test_a_graph_with_deleted_vectors_is_rebuilt(work: Work) -> None:
    work.conn.execute("CREATE TABLE vectors (id int, embedding halfvec(64))")
    work.conn.execute(
        "INSERT INTO vectors SELECT n, (SELECT array_agg(sin(n * d)) FROM generate_series(1, 64) d)::halfvec"
        " FROM generate_series(1, 2000) n"
    )
    work.conn.execute("CREATE INDEX vectors_graph ON vectors USING hnsw (embedding halfvec_cosine_ops)")
    work.conn.execute("VACUUM ANALYZE vectors")
    assert indexes.worn(work.conn) == []
    before = _size(work.conn, "vectors_graph")
    work.conn.execute("DELETE FROM vectors WHERE id > 500")
    work.conn.execute("VACUUM ANALYZE vectors")

    ran = jobs.run(REBUILD, work, slot=None, by="hand")

    assert ran is not None
    assert ran.rows == 1
    assert _size(work.conn, "vectors_graph") < before / 2


def _words(conn: psycopg.Connection, below: int) -> None:
    """Rows with three words each, of which one is only theirs."""
    conn.execute(
        "INSERT INTO texts SELECT n, ARRAY['word' || n % 50, 'term' || n % 7000, 'own' || n]"
        f" FROM generate_series({below - ROWS}, {below}) n".encode()
    )
    conn.execute("VACUUM ANALYZE texts")


def test_a_gin_index_is_rebuilt_once_it_takes_twice_what_it_took_a_row(work: Work) -> None:
    work.conn.execute("CREATE TABLE texts (id int, words text[])")
    _words(work.conn, 60_000)
    work.conn.execute("CREATE INDEX texts_words ON texts USING gin (words) WITH (fastupdate = off)")
    jobs.run(KEEP_SIZES, work, slot=None, by="hand")
    assert "index texts_words" not in vitals.sizes_on_newest_day(work.conn).bytes
    assert indexes.worn(work.conn) == []
    for below in range(120_000, 240_001, 60_000):  # the words of rows that went leave their places empty
        work.conn.execute("DELETE FROM texts")
        _words(work.conn, below)
    before = _size(work.conn, "texts_words")
    [found] = indexes.worn(work.conn)
    assert (found.name, found.bloat > 0.5) == ("texts_words", True)

    ran = jobs.run(REBUILD, work, slot=None, by="hand")

    assert ran is not None
    assert (ran.outcome, ran.rows) == ("done", 1)
    assert _size(work.conn, "texts_words") < before / 2
    assert indexes.worn(work.conn) == []


def test_a_gin_index_whose_rows_have_become_longer_is_not_rebuilt_for_ever(work: Work) -> None:
    work.conn.execute("CREATE TABLE texts (id int, words text[])")
    _words(work.conn, 60_000)
    work.conn.execute("CREATE INDEX texts_words ON texts USING gin (words) WITH (fastupdate = off)")
    work.conn.execute("INSERT INTO table_sizes VALUES (current_date, 'index texts_words', 60000, 60000)")
    assert [index.name for index in indexes.worn(work.conn)] == ["texts_words"]

    jobs.run(REBUILD, work, slot=None, by="hand")

    assert indexes.worn(work.conn) == []
    jobs.run(KEEP_SIZES, work, slot=None, by="hand")
    assert indexes.worn(work.conn) == []


def test_what_a_killed_rebuild_left_is_dropped(work: Work, database: Database) -> None:
    """A transaction that is older than the rebuild holds it up in its second phase, in which it is killed."""
    _numbers(work.conn, "held")
    with psycopg.connect(database.admin_url) as reader, psycopg.connect(database.admin_url, autocommit=True) as killed:
        reader.execute("SELECT count(*) FROM held")
        killed.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            indexes.rebuild(killed, "held_id")
    [left] = indexes.leftovers(work.conn)
    assert left in ("held_id_ccnew", "held_id_ccold")

    ran = jobs.run(REBUILD, work, slot=None, by="hand")

    assert ran is not None
    assert (ran.outcome, ran.rows) == ("done", 1)
    assert indexes.leftovers(work.conn) == []
    assert _size(work.conn, "held_id") > 0


def test_an_index_that_cannot_be_rebuilt_now_does_not_keep_the_others_from_it(
    work: Work, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in ("busy", "thinned"):
        _numbers(work.conn, table)
        _thinned(work.conn, table)
    monkeypatch.setattr("tasks.operations.indexes.WAIT_S", 0.3)
    with psycopg.connect(database.admin_url) as writer:
        writer.execute("UPDATE busy SET word = 'other' WHERE id = 10")
        ran = jobs.run(REBUILD, work, slot=None, by="hand")

    assert ran is not None
    assert ran.outcome == "done"
    assert {index.name for index in indexes.worn(work.conn)} <= {"busy_id", "busy_word"}
    again = jobs.run(REBUILD, work, slot=None, by="hand")
    assert again is not None
    assert indexes.worn(work.conn) == []
    assert indexes.leftovers(work.conn) == []


def test_a_run_is_bounded(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    _numbers(work.conn, "thinned")
    _thinned(work.conn, "thinned")
    monkeypatch.setattr("tasks.operations.indexes.A_RUN", 1)

    ran = jobs.run(REBUILD, work, slot=None, by="hand")

    assert ran is not None
    assert (ran.outcome, ran.rows) == ("done", 1)
    assert len(indexes.worn(work.conn)) == 1
