"""Keeping house: how fast messages go to the archive, in its batches and with its pauses, and what that costs who
writes meanwhile; a day of logs dropped
whole beside the same day deleted by row; a look at every check."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from unittest.mock import patch

import psycopg
from psycopg import sql

from shared.clock import SystemClock
from shared.embedded import Database, DataFolder, Postgres
from shared.settings import Settings
from shared.store.db.migrate import migrate
from shared.store.db.pool import Conn, set_companies
from shared.store.inbox import messages
from shared.store.lifecycle import retention as policies
from shared.store.operations import partitions
from tasks.lifecycle import archive, retention
from tasks.operations import health, jobs
from tasks.operations.health import CheckContext
from tasks.operations.jobs import Work

CONVERSATIONS = 1000
LENGTH = 600
LOG_ROWS = 1_000_000
"""`python -m bench large` has ten million."""
SETTLE_S, ALONE_S = 3.0, 6.0
INSERTS_A_S = 50
"""One message a transaction, on a timetable: what 10,000 customers write (docs/capacity.md)."""
OLD = date(2020, 1, 1)

TURNS = 4
"""Companies whose old messages move one after the other, with a pause before each: the disk's flush, which is most of
an insert, is twice as slow in one second as in another: moving and not moving are measured by turns, and the median
of their p95 counts."""
COMPANIES = 2 * TURNS
BUSY = COMPANIES + 1

_LOAD = (
    f"""
        INSERT INTO companies (name)
        SELECT 'c' || n
        FROM generate_series(1, {BUSY}) n
    """,
    f"""
        INSERT INTO apps (platform, slug, secrets)
        SELECT 'telegram', 'a' || n, ''
        FROM generate_series(1, {BUSY}) n
    """,
    f"""
        INSERT INTO channels (company_id, app_id, platform, external_id, credentials)
        SELECT n, n, 'telegram', n::text, ''
        FROM generate_series(1, {BUSY}) n
    """,
    f"""
        INSERT INTO conversations (company_id, channel_id, chat, message_count, customer_seq, last_message_at)
        SELECT 1 + n % {COMPANIES}, 1 + n % {COMPANIES}, n, {LENGTH}, {LENGTH} / 2, now() - interval '200 days'
        FROM generate_series(1, {CONVERSATIONS}) n
    """,
    f"""
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, dedupe_key, text, created_at)
        SELECT c.company_id, c.id, c.channel_id, s, CASE s % 2 WHEN 1 THEN 'customer' ELSE 'bot' END,
            CASE s % 2 WHEN 1 THEN c.id || ':' || s END,
            (
                SELECT string_agg(substr(md5((c.id * 1000 + s + w)::text), 1, 2 + w % 6), ' ')
                FROM generate_series(1, 17) w
            ),
            now() - interval '201 days'
        FROM conversations c, generate_series(1, {LENGTH}) s
    """,
    f"INSERT INTO conversations (company_id, channel_id, chat) VALUES ({BUSY}, {BUSY}, 'busy')",
    """
        INSERT INTO turns (company_id, conversation_id, channel_id, state, first_seq, last_seq, received_at,
            due_at)
        SELECT company_id, conversation_id, channel_id, 'answered', seq, seq, now(), now()
        FROM messages
        WHERE role = 'customer'
    """,
    """
        INSERT INTO outbound (company_id, conversation_id, channel_id, message_id, part, text, state)
        SELECT company_id, conversation_id, channel_id, id, 1, text, 'sent'
        FROM messages
        WHERE role = 'bot'
    """,
    "VACUUM ANALYZE",
)


def report(scale: float = 1.0) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as folder, Postgres(folder) as server:
        database = server.create_database("upkeep")
        migrate(database.admin_url)
        with psycopg.connect(database.admin_url, autocommit=True, prepare_threshold=None) as conn:
            for statement in _LOAD:
                conn.execute(sql.SQL(statement))
            settings = Settings.of(
                DATABASE_URL=database.url, DATABASE_ADMIN_URL=database.admin_url,
                REDIS_URL="redis://127.0.0.1:1/0", DATA_DIR=Path(data),
            )  # fmt: skip
            work = Work(conn, settings, SystemClock())
            yield from _archive(work, database)
            yield from _health(database, settings)
            yield from logs(work, int(LOG_ROWS * scale))


def _archive(work: Work, database: Database) -> Iterator[str]:
    """As fast as it goes, and at the pace of the settings."""
    busy = Busy(database)
    busy.start()
    for pace, companies in ((0, range(1, TURNS + 1)), (work.settings.archive.messages_per_s, range(TURNS + 1, BUSY))):
        paced = replace(work, settings=work.settings.changed(ARCHIVE_MESSAGES_PER_S=pace))
        yield from _moved(paced, busy, companies)
    busy.stop()
    sizes = work.conn.execute("SELECT sum(hot_bytes), sum(bytes) FROM archive_statistics").fetchall()
    yield f"archive: {int(str(sizes[0][0])):,} bytes written out became {int(str(sizes[0][1])):,}"


def _moved(work: Work, busy: Busy, companies: Iterable[int]) -> Iterator[str]:
    took, rows, pauses = 0.0, 0, Pauses()
    alone, meanwhile = list[float](), list[float]()
    for company in companies:
        time.sleep(SETTLE_S)
        busy.take()
        time.sleep(ALONE_S)
        alone.append(p95(busy.take()))
        started = time.perf_counter()
        with patch.object(archive, "time", pauses), patch.object(archive, "maintenance", pauses):
            ran = jobs.run(archive.moving(company), work, slot=None, by="hand", budget_s=float("inf"))
        took += time.perf_counter() - started
        meanwhile.append(p95(busy.take()))
        assert ran is not None
        rows += ran.rows
    moved, pace = CONVERSATIONS // 2 * (LENGTH - 100), work.settings.archive.messages_per_s
    before, after = median(alone), median(meanwhile)
    how = f"at a pace of {pace:,}" if pace else "as fast as it goes"
    yield (f"archive: {how}: {moved} messages, {rows} rows in {took:.1f} s: {moved / took:,.0f}/s,"
           f" in batches {moved / (took - pauses.outside_s):,.0f}/s (target 20,000)")  # fmt: skip
    yield (f"archive:   {INSERTS_A_S} inserts a second, p95 meanwhile {after * 1000:.1f} ms,"
           f" alone {before * 1000:.1f} ms: {after / before - 1:+.0%} (target +25 %)")  # fmt: skip
    for what, turns in (("meanwhile", meanwhile), ("alone", alone)):
        yield f"archive:   turn by turn {what}: " + ", ".join(f"{one * 1000:.1f}" for one in turns)


class Pauses:
    """The archive's clock, and what it does once a run: how long it was not at its batches."""

    def __init__(self) -> None:
        self.outside_s = 0.0
        self.monotonic = time.monotonic

    def sleep(self, seconds: float) -> None:
        self._outside(lambda: time.sleep(seconds))

    def analyze(self, conn: Conn, tables: Sequence[str]) -> None:
        self._outside(lambda: partitions.analyze(conn, tables))

    def _outside(self, work: Callable[[], None]) -> None:
        began = time.perf_counter()
        work()
        self.outside_s += time.perf_counter() - began


class Busy(threading.Thread):
    """Another company's messages, one a transaction, so many a second. One that begins late because the one before took
    long has waited since its time."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._url, self._times, self._ending = database.url, list[float](), threading.Event()

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True, prepare_threshold=None) as conn:
            seq, began = 0, time.perf_counter()
            while not self._ending.is_set():
                seq += 1
                started = began + seq / INSERTS_A_S
                time.sleep(max(0.0, started - time.perf_counter()))
                with conn.transaction():
                    set_companies(conn, [BUSY])
                    now, key = datetime.now(UTC), f"b:{seq}"
                    new = messages.NewMessage(
                        BUSY, CONVERSATIONS + 1, BUSY, seq, None, key, None, None, "hello", (), None, now
                    )
                    messages.existing_keys(conn, [(BUSY, BUSY, new.dedupe_key)])
                    messages.add(conn, [new])
                self._times.append(time.perf_counter() - started)

    def take(self) -> list[float]:
        taken, self._times = self._times, []
        return taken

    def stop(self) -> None:
        self._ending.set()
        self.join(10)


def p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def logs(work: Work, count: int) -> Iterator[str]:
    """Two days of as many rows: one deleted by row, and its empty files dropped by hand; one dropped by the job, with
    no page of it in memory, as it is with what is months old."""
    conn = work.conn
    for day in (OLD, date(2020, 1, 2)):
        conn.execute("SELECT switchboard_make_partition('llm_calls', %s)", (day,))
        conn.execute(
            """
                INSERT INTO llm_calls (company_id, turn_id, epoch, attempt, day, provider, model, step, outcome,
                    duration_ms, tokens_in, tokens_out)
                SELECT 1, n, 1, 1, %s, 'p', 'm', 'full', 'ok', 1, 1, 1
                FROM generate_series(1, %s) n
            """,
            (day, count),
        )
    conn.execute("ANALYZE llm_calls")
    started = time.perf_counter()
    conn.execute("DELETE FROM llm_calls WHERE day = %s", (OLD,))
    by_row = time.perf_counter() - started
    started = time.perf_counter()
    conn.execute("DROP TABLE llm_calls_20200101")
    bare = time.perf_counter() - started
    _forget_pages(conn, "llm_calls_20200102")
    started = time.perf_counter()
    ran = jobs.run(retention.DROP_LOGS, work, slot=None, by="hand")
    whole = time.perf_counter() - started
    assert ran is not None
    assert policies.policies(conn)["llm_calls"] < 1000
    yield (f"logs: {count:,} rows deleted in {by_row:.1f} s; another day of as many dropped, all checks with it, in"
           f" {whole:.2f} s (the first one's DROP TABLE alone, its pages in memory: {bare:.2f} s)")  # fmt: skip


def _forget_pages(conn: Conn, table: str) -> None:
    """Have the kernel write a table's files out and forget them; what PostgreSQL itself holds is little beside it."""
    files = conn.execute(
        """
            SELECT current_setting('data_directory') || '/' || pg_relation_filepath(c.oid)
            FROM pg_class c
            LEFT JOIN pg_index i ON i.indexrelid = c.oid
            WHERE c.oid = %(of)s::regclass
              OR i.indrelid = %(of)s::regclass
        """,
        {"of": table},
    ).fetchall()
    for (first,) in files:
        for path in Path(str(first)).parent.glob(Path(str(first)).name + "*"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _health(database: Database, settings: Settings) -> Iterator[str]:
    with psycopg.connect(database.url, autocommit=True, prepare_threshold=None) as conn:
        times = []
        for _ in range(20):
            started = time.perf_counter()
            health.examine(CheckContext(settings, datetime.now(UTC), conn, None, None, None))
            times.append(time.perf_counter() - started)
    yield f"health: every check of PostgreSQL in {p95(times) * 1000:.0f} ms (p95 of {len(times)})"
