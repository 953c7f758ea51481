"""Asks PostgreSQL for sizes, indexes, replicas and running statements. As either role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.rows import class_row, dict_row, scalar_row

from shared.store.db.pool import Conn


def database_bytes(conn: Conn) -> int:
    """Return the size of the database on disk."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute("/* vitals.database_bytes */ SELECT pg_database_size(current_database())").fetchone()
    assert isinstance(found, int)
    return found


@dataclass(frozen=True, slots=True)
class Table:
    """A table's size. bytes: with indexes and TOAST, of all partitions. rows: as of the last ANALYZE. dead: dead rows,
    as the statistics estimate."""

    name: str
    bytes: int
    rows: int
    dead: int


def table_sizes(conn: Conn) -> list[Table]:
    """List the tables, largest first."""
    with conn.cursor(row_factory=class_row(Table)) as cursor:
        return cursor.execute(
            """
            /* vitals.table_sizes */
            SELECT name, bytes, rows, dead
            FROM switchboard_table_sizes()
            ORDER BY bytes DESC, name
            """
        ).fetchall()


@dataclass(frozen=True, slots=True)
class Day:
    """The tables' sizes on a day. day: None where none were kept yet."""

    day: date | None
    bytes: dict[str, int]


def sizes_on_newest_day(conn: Conn) -> Day:
    """Return the tables' sizes on the newest day for which they were kept."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            /* vitals.sizes_on_newest_day */
            SELECT day, name, bytes
            FROM table_sizes
            WHERE day = (SELECT max(day) FROM table_sizes)
              AND name NOT LIKE 'index %'
            """
        ).fetchall()
    return Day(rows[0]["day"] if rows else None, {row["name"]: row["bytes"] for row in rows})


def keep_sizes(conn: Conn, day: date) -> int:
    """Keep the tables' sizes of today, and those of GIN indexes as `index NAME` with their tables' rows; the first call
    of a day counts. Returns how many. For the owner role."""
    return conn.execute(
        """
        /* vitals.keep_sizes */
        INSERT INTO table_sizes (day, name, bytes, rows)
        SELECT %(day)s, name, bytes, rows
        FROM switchboard_table_sizes()
        UNION ALL
        SELECT %(day)s, 'index ' || c.relname, pg_relation_size(c.oid), t.reltuples
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_am am ON am.oid = c.relam
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind = 'i'
          AND am.amname = 'gin'
          AND t.reltuples > 0
        ON CONFLICT DO NOTHING
        """,
        {"day": day},
    ).rowcount


UNUSED_INDEXES = """
    /* vitals.unused_indexes */
    SELECT jsonb_build_object(
        'index', c.relname,
        'table', i.indrelid::regclass::text,
        'bytes', pg_relation_size(c.oid)
    )
    FROM pg_class c
    JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind = 'i'
      AND c.relpages > 120
      AND NOT i.indisunique
      AND pg_stat_get_numscans(c.oid) = 0
    ORDER BY pg_relation_size(c.oid) DESC
    LIMIT 20
"""


def unused_indexes(conn: Conn) -> list[dict[str, Any]]:
    """List indexes that no query has used since statistics began, except unique ones."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            # pages as of the last VACUUM or ANALYZE: the small ones are left out before anything is asked of the disk
            UNUSED_INDEXES
        ).fetchall()


REDUNDANT_INDEXES = """
    /* vitals.redundant_indexes */
    WITH plain AS MATERIALIZED (
        SELECT
            i.indexrelid, i.indrelid, i.indisunique, x.relam, i.indkey::text || ' ' AS columns,
            i.indoption::text || ' ' AS options
        FROM pg_class c
        JOIN pg_index i ON i.indrelid = c.oid
        JOIN pg_class x ON x.oid = i.indexrelid
        WHERE c.relnamespace = 'public'::regnamespace
          AND NOT c.relispartition
          AND i.indpred IS NULL
          AND i.indexprs IS NULL
    )
    SELECT jsonb_build_object('index', a.indexrelid::regclass::text, 'by', b.indexrelid::regclass::text)
    FROM plain a
    JOIN plain b ON b.indrelid = a.indrelid
      AND b.indexrelid <> a.indexrelid
      AND b.relam = a.relam
    WHERE NOT a.indisunique
      AND b.columns LIKE a.columns || '%'
      AND b.options LIKE a.options || '%'
    ORDER BY 1
"""


def redundant_indexes(conn: Conn) -> list[dict[str, Any]]:
    """List indexes whose columns are the first columns of another index of the same table, where neither has a
    condition or an expression."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(REDUNDANT_INDEXES).fetchall()


@dataclass(frozen=True, slots=True)
class Replica:
    """lag_s, lag_bytes: behind us; None where the owner role may not see it (it needs pg_monitor)."""

    name: str
    state: str | None
    lag_s: float | None
    lag_bytes: int | None


def replicas(conn: Conn) -> list[Replica]:
    """List the servers that replicate from this one."""
    with conn.cursor(row_factory=class_row(Replica)) as cursor:
        return cursor.execute(
            """
            /* vitals.replicas */
            SELECT name, state, lag_s, lag_bytes
            FROM switchboard_replicas()
            ORDER BY 1
            """
        ).fetchall()


LONG_QUERIES = """
    /* vitals.long_queries */
    SELECT jsonb_build_object(
        'name', coalesce(substring(query FROM '/\\* ([a-z_.]+) \\*/'), 'unnamed'),
        'process', application_name,
        'seconds', extract(epoch FROM clock_timestamp() - query_start)::float8,
        'waits_for', wait_event
    )
    FROM pg_stat_activity
    WHERE datname = current_database()
      AND state = 'active'
      AND pid <> pg_backend_pid()
      AND query_start < clock_timestamp() - make_interval(secs => %s)
    ORDER BY query_start
    LIMIT 20
"""


def long_queries(conn: Conn, longer_than_s: float) -> list[dict[str, Any]]:
    """List our statements that have run for longer than this, longest first: by the name in their comment, never by
    their text."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(LONG_QUERIES, (longer_than_s,)).fetchall()


def connections(conn: Conn) -> tuple[int, int]:
    """Return (connections in use, connections allowed) of the whole server."""
    row = conn.execute(
        """
        /* vitals.connections */
        SELECT
            (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
            current_setting('max_connections')::int
        """
    ).fetchone()
    assert row is not None
    return int(str(row[0])), int(str(row[1]))
