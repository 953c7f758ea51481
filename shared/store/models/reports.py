"""Stores the daily digest and the monthly report, and reads what they tell. For the owner role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from shared.store.db.pool import Conn

Kind = Literal["daily", "monthly"]


@dataclass(frozen=True, slots=True)
class Report:
    """period: the day, or the month's first one. told_at: when the alert webhook took it."""

    kind: Kind
    period: date
    body: dict[str, Any]
    made_at: datetime
    told_at: datetime | None


def find(conn: Conn, kind: Kind, period: date) -> Report | None:
    return conn.cursor(row_factory=class_row(Report)).execute(
        """
        /* reports.find */
        SELECT kind, period, body, made_at, told_at
        FROM reports
        WHERE kind = %s
          AND period = %s
        """,
        (kind, period),
    ).fetchone()  # fmt: skip


def keep(conn: Conn, kind: Kind, period: date, body: dict[str, Any]) -> Report:
    """Keep a report; returns the one that there is already, if somebody was quicker."""
    conn.execute(
        """
        /* reports.keep */
        INSERT INTO reports (kind, period, body)
        VALUES (%s, %s, %s)
        ON CONFLICT (kind, period) DO NOTHING
        """,
        (kind, period, Jsonb(body)),
    )
    kept = find(conn, kind, period)
    assert kept is not None
    return kept


def told(conn: Conn, report: Report) -> None:
    """Note that the alert webhook took it."""
    conn.execute(
        """
        /* reports.told */
        UPDATE reports
        SET told_at = clock_timestamp()
        WHERE kind = %s
          AND period = %s
          AND told_at IS NULL
        """,
        (report.kind, report.period),
    )


def newest(conn: Conn, kind: Kind | None = None, *, before: date | None = None, limit: int = 1) -> list[Report]:
    """List reports, the newest period first."""
    return conn.cursor(row_factory=class_row(Report)).execute(
        """
        /* reports.newest */
        SELECT kind, period, body, made_at, told_at
        FROM reports
        WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)
          AND (%(before)s::date IS NULL OR period < %(before)s)
        ORDER BY period DESC, kind
        LIMIT %(limit)s
        """,
        {"kind": kind, "before": before, "limit": limit},
    ).fetchall()  # fmt: skip


# ------------------------------------------------------------------ what they tell
COUNTS = """
    /* reports.counts */
    SELECT
        (SELECT count(*) FROM webhook_events e WHERE e.day = %(day)s AND e.outcome = 'dead_letter') AS dead_letters,
        (
            SELECT coalesce(jsonb_object_agg(f.name, f.error), '{}')
            FROM (
                SELECT DISTINCT ON (name) name, error
                FROM job_runs
                WHERE outcome = 'failed'
                  AND (started_at AT TIME ZONE 'UTC')::date = %(day)s
                ORDER BY name, started_at DESC
            ) f
        ) AS failed_jobs,
        (SELECT count(*) FROM alerts a WHERE (a.since AT TIME ZONE 'UTC')::date = %(day)s) AS alerts
"""


def counts(conn: Conn, day: date) -> dict[str, Any]:
    """Return a day's errors: dead_letters, failed_jobs (the newest error by name), alerts that began."""
    found = conn.cursor(row_factory=dict_row).execute(COUNTS, {"day": day}).fetchone()
    assert found is not None
    return dict(found)


BUSIEST = """
    /* reports.busiest */
    SELECT coalesce(sum(n), 0)::bigint AS messages, coalesce(max(n), 0)::bigint AS of_minute
    FROM (
        SELECT count(*) AS n
        FROM webhook_events
        WHERE day = %s
          AND kind = 'message'
        GROUP BY date_trunc('minute', received_at)
    ) m
"""


@dataclass(frozen=True, slots=True)
class Busy:
    """A day's messages, and those of its busiest minute."""

    messages: int
    of_minute: int


def busiest(conn: Conn, day: date) -> Busy:
    """Count the messages of a day of the ledger (UTC)."""
    found = conn.cursor(row_factory=class_row(Busy)).execute(BUSIEST, (day,)).fetchone()
    assert found is not None
    return found


ROUTES = """
    /* reports.routes */
    SELECT r.company_id, r.purpose, array_agg(p.name || '/' || r.model ORDER BY r.ordinal) AS models
    FROM model_routes r
    JOIN model_providers p ON p.id = r.provider_id
    GROUP BY r.company_id, r.purpose
    ORDER BY r.company_id NULLS FIRST, r.purpose
    LIMIT %s
"""


def routes(conn: Conn, *, limit: int = 200) -> list[dict[str, Any]]:
    """List the stored routes: company_id (None: everybody's), purpose, models in their order."""
    return conn.cursor(row_factory=dict_row).execute(ROUTES, (limit,)).fetchall()
