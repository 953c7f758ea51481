"""Creates the daily partitions of the log tables in advance. For the owner role."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

PARTITIONED = ("webhook_events", "webhook_raw", "delivery_attempts", "llm_calls")
KNOWLEDGE = ("documents", "chunks", "lexemes", "knowledge_stats", "indexing")
"""What loading many documents fills."""
DAYS_AHEAD = 7
LOCK_TIMEOUT_MS = 2_000
"""Attaching waits for readers of the table; giving up and coming back beats stopping the intake."""


def make_partitions(conn: psycopg.Connection, today: date, *, days_ahead: int = DAYS_AHEAD) -> int:
    """Partitions for yesterday until days_ahead from today, each in a transaction of its own; returns how many
    were missing. Yesterday's too: entries from before midnight are still being stored."""
    made = 0
    for parent, day in _wanted(today, days_ahead):
        with conn.transaction():
            _bound(conn)
            row = conn.execute(
                "/* partitions.make_partitions */ SELECT switchboard_make_partition(%s::regclass, %s)", (parent, day)
            ).fetchone()
            made += bool(row and row[0])
    return made


def missing_partitions(conn: psycopg.Connection, today: date, *, days_ahead: int = DAYS_AHEAD) -> list[str]:
    """List the names of the partitions that `make_partitions` would create."""
    names = [f"{parent}_{day:%Y%m%d}" for parent, day in _wanted(today, days_ahead)]
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* partitions.missing_partitions */
            SELECT name
            FROM unnest(%s::text[]) AS n (name)
            WHERE to_regclass(name) IS NULL
            """,
            (names,),
        ).fetchall()


def analyze(conn: psycopg.Connection, tables: Sequence[LiteralString]) -> None:
    """Have the planner know a table as it is now, after many rows came or went at once: autovacuum looks once a minute,
    and what is asked until then is planned by what there was. It takes a sample, whatever the table holds."""
    for table in tables:
        conn.execute(sql.SQL("/* partitions.analyze */ ANALYZE {}").format(sql.Identifier(table)))


def _wanted(today: date, days_ahead: int) -> list[tuple[str, date]]:
    return [(p, today + timedelta(days=offset)) for p in PARTITIONED for offset in range(-1, days_ahead + 1)]


def _bound(conn: psycopg.Connection) -> None:
    conn.execute("/* partitions.bound */ SELECT set_config('lock_timeout', %s, true)", (str(LOCK_TIMEOUT_MS),))
