"""Ten million of each: what `/health` costs on a database of ten million messages, and ten million rows of a log
dropped by the job that does it, beside as many deleted by row."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from bench.upkeep import logs, p95
from shared.clock import SystemClock
from shared.embedded import Database, DataFolder, Postgres, Valkey
from shared.live.metrics import STREAMS_ALLOWED
from shared.settings import Settings
from shared.store.db.migrate import migrate
from shared.store.db.redis import connect
from shared.store.operations.partitions import PARTITIONED
from shared.telemetry import metrics
from tasks.operations import health
from tasks.operations.health import CheckContext
from tasks.operations.jobs import Work

MESSAGES = 10_000_000
LENGTH = 100
COMPANIES = 50
LOG_ROWS = 10_000_000
LOOKS = 30
DAYS = range(-7, 90)
"""Of each log, as it stands after three months."""

_FIRST = (
    """
        INSERT INTO companies (name)
        SELECT 'c' || n
        FROM generate_series(1, {companies}) n
    """,
    """
        INSERT INTO apps (platform, slug, secrets)
        SELECT 'telegram', 'a' || n, ''
        FROM generate_series(1, {companies}) n
    """,
    """
        INSERT INTO channels (company_id, app_id, platform, external_id, credentials)
        SELECT n, n, 'telegram', n::text, ''
        FROM generate_series(1, {companies}) n
    """,
    """
        INSERT INTO conversations (company_id, channel_id, chat, message_count, customer_seq, last_message_at)
        SELECT 1 + n % {companies}, 1 + n % {companies}, n, {length}, {length} / 2,
            now() - n * interval '1 second'
        FROM generate_series(1, {conversations}) n
    """,
)
# A stretch of conversations at a time, so that what is done can be told.
_STRETCH = (
    """
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, dedupe_key, text, created_at)
        SELECT c.company_id, c.id, c.channel_id, s, CASE s % 2 WHEN 1 THEN 'customer' ELSE 'bot' END,
            CASE s % 2 WHEN 1 THEN c.id || ':' || s END, repeat(md5(c.id::text), 2), c.last_message_at
        FROM conversations c, generate_series(1, {length}) s
        WHERE c.id > {first}
          AND c.id <= {last}
    """,
    """
        INSERT INTO turns (company_id, conversation_id, channel_id, state, first_seq, last_seq, received_at,
            due_at)
        SELECT company_id, id, channel_id, 'answered', s, s, last_message_at, last_message_at
        FROM conversations c, generate_series(1, {length}, 2) s
        WHERE c.id > {first}
          AND c.id <= {last}
    """,
    """
        INSERT INTO outbound (company_id, conversation_id, channel_id, message_id, part, text, state)
        SELECT m.company_id, m.conversation_id, m.channel_id, m.id, 1, m.text, 'sent'
        FROM conversations c
        JOIN messages m ON m.company_id = c.company_id AND m.conversation_id = c.id
        WHERE c.id > {first}
          AND c.id <= {last}
          AND m.role = 'bot'
    """,
)  # fmt: skip
STRETCH = 10_000


def report(scale: float = 1.0) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as folder, \
            Postgres(folder, extra={"max_wal_size": "8GB"}) as server, Valkey(folder) as valkey:  # fmt: skip
        database = server.create_database("large")
        migrate(database.admin_url)
        settings = Settings.of(
            DATABASE_URL=database.url, DATABASE_ADMIN_URL=database.admin_url,
            REDIS_URL=valkey.redis_url, DATA_DIR=Path(data),
        )  # fmt: skip
        yield from _filled(server, database, int(MESSAGES * scale))
        yield from _looks(database, settings)
        with psycopg.connect(database.admin_url, autocommit=True, prepare_threshold=None) as conn:
            yield from logs(Work(conn, settings, SystemClock()), int(LOG_ROWS * scale))


def _filled(server: Postgres, database: Database, messages: int) -> Iterator[str]:
    """As a restore fills a database: without asking each row whom it refers to, which takes a superuser."""
    started, conversations = time.perf_counter(), messages // LENGTH
    with psycopg.connect(_as_superuser(server, database), autocommit=True, prepare_threshold=None) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("SET synchronous_commit = off")

        def run(statement: str, first: int = 0) -> None:
            conn.execute(sql.SQL(statement.format(
                companies=COMPANIES, length=LENGTH, conversations=conversations, first=first, last=first + STRETCH,
            )))  # fmt: skip

        for statement in _FIRST:
            run(statement)
        for first in range(0, conversations, STRETCH):
            for statement in _STRETCH:
                run(statement, first)
        today = datetime.now(UTC).date()
        for parent in PARTITIONED:
            for ago in DAYS:
                conn.execute("SELECT switchboard_make_partition(%s, %s)", (parent, today - timedelta(days=ago)))
        conn.execute("VACUUM ANALYZE")
        conn.execute("CHECKPOINT")
        [(there, size)] = conn.execute(
            "SELECT (SELECT count(*) FROM messages), pg_size_pretty(pg_database_size(current_database()))"
        ).fetchall()
    yield (f"filled: {int(str(there)):,} messages, half as many turns and parts, {len(PARTITIONED) * len(DAYS)} days of"
           f" logs, {size}, in {time.perf_counter() - started:.0f} s")  # fmt: skip


def _as_superuser(server: Postgres, database: Database) -> str:
    return server.superuser_url.rsplit("/", 1)[0] + f"/{database.name}"


def _looks(database: Database, settings: Settings) -> Iterator[str]:
    """Each look as the gateway's: one transaction of the application role, every check behind the other."""
    clients = [
        connect(settings.need(name), socket_timeout_s=1.0) for name in ("JOURNAL_URL", "BROKER_URL", "CACHE_URL")
    ]
    taken, slowest = list[float](), dict[str, float]()
    metrics.configure(settings.metrics_folder)
    STREAMS_ALLOWED.set(1)  # as where a gateway runs
    with psycopg.connect(database.url, autocommit=True, prepare_threshold=None) as conn:
        for _ in range(LOOKS):
            started = time.perf_counter()
            with conn.transaction():
                found = health.examine(CheckContext(settings, datetime.now(UTC), conn, *clients))
            taken.append(time.perf_counter() - started)
            assert all(one.error is None or name == "media" for name, one in found.items()), found
            for name, one in found.items():
                slowest[name] = max(slowest.get(name, 0.0), one.ms)
    metrics.close()
    for client in clients:
        client.close()
    yield (f"health: every check in {sorted(taken)[LOOKS // 2] * 1000:.0f} ms, p95 {p95(taken) * 1000:.0f} ms,"
           f" the first {taken[0] * 1000:.0f} ms ({LOOKS} looks; target 100 ms)")  # fmt: skip
    dear = sorted(slowest.items(), key=lambda one: -one[1])[:5]
    yield "health: the dearest at worst: " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in dear)
