"""Stores the background jobs: what each owes, who runs it, where it goes on. For the owner role; the application role
may write the rows of its own jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, dict_row, tuple_row

from shared.store.db.pool import Conn

Cursor = dict[str, Any]
"""Where a job goes on: JSON, the job's own."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Where a job stands. slot: the newest hour that was done. leased: a worker runs it. failed: its newest run did.
    waits: its next attempt after a failure is not due. unfinished: it has a cursor to go on from. paused: the timetable
    does not run it."""

    name: str
    slot: datetime
    leased: bool
    failed: bool
    waits: bool
    unfinished: bool
    paused: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a job. Writes name the run's id, so that a run that lost its lease changes nothing."""

    name: str
    run_id: int
    cursor: Cursor | None


def ensure(conn: Conn, slots: dict[str, datetime]) -> None:
    """Make rows for these jobs where there are none. A new job owes nothing before its next hour."""
    conn.execute(
        """
        /* jobs.ensure */
        INSERT INTO jobs (name, slot)
        SELECT *
        FROM unnest(%s::text[], %s::timestamptz[])
        ON CONFLICT DO NOTHING
        """,
        (list(slots), list(slots.values())),
    )


def owed(conn: Conn) -> dict[str, Owed]:
    """Return every job by its name."""
    with conn.cursor(row_factory=class_row(Owed)) as cursor:
        rows = cursor.execute(
            """
            /* jobs.owed */
            SELECT
                name,
                slot,
                coalesce(leased_until > clock_timestamp(), false) AS leased,
                failures > 0 AS failed,
                coalesce(retry_at > clock_timestamp(), false) AS waits,
                cursor IS NOT NULL AS unfinished,
                paused_at IS NOT NULL AS paused
            FROM jobs
            """
        ).fetchall()
    return {row.name: row for row in rows}


CLAIM = """
    /* jobs.claim */
    SELECT run_id, cursor
    FROM jobs
    WHERE name = %(name)s
      AND (leased_until IS NULL OR leased_until <= clock_timestamp())
      AND (
          %(slot)s::timestamptz IS NULL
          OR (
              slot < %(slot)s
              AND (retry_at IS NULL OR retry_at <= clock_timestamp())
              AND paused_at IS NULL
          )
      )
    FOR UPDATE SKIP LOCKED
"""


def pause(conn: Conn, name: str) -> bool:
    """Have the timetable run a job no more; a run that is under way goes on. Returns False if it is paused already."""
    paused = conn.execute(
        """
        /* jobs.pause */
        UPDATE jobs
        SET paused_at = clock_timestamp()
        WHERE name = %s
          AND paused_at IS NULL
        """,
        (name,),
    )
    return paused.rowcount == 1


def resume(conn: Conn, name: str, *, slot: datetime) -> bool:
    """Have the timetable run a job again, from the hour after `slot` on. Returns False if it is not paused."""
    resumed = conn.execute(
        """
        /* jobs.resume */
        UPDATE jobs
        SET paused_at = NULL, slot = greatest(slot, %s::timestamptz)
        WHERE name = %s
          AND paused_at IS NOT NULL
        """,
        (slot, name),
    )
    return resumed.rowcount == 1


def paused(conn: Conn) -> dict[str, datetime]:
    """Return since when jobs are paused, by their names."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            """
            /* jobs.paused */
            SELECT name, paused_at
            FROM jobs
            WHERE paused_at IS NOT NULL
            ORDER BY name
            """
        ).fetchall()
    return dict(rows)


def claim(conn: Conn, name: str, *, slot: datetime | None, by: str, lease_s: float) -> Claim | None:
    """Lease a job whose slot is not done yet; slot None: at once, whatever the timetable says. Returns None if it is
    done or leased. Of two who claim at once one gets it."""
    with conn.transaction():
        with conn.cursor(row_factory=dict_row) as found:
            row = found.execute(CLAIM, {"name": name, "slot": slot}).fetchone()
        if row is None:
            return None
        conn.execute(
            """
            /* jobs.claim */
            UPDATE job_runs
            SET outcome = 'lost', finished_at = clock_timestamp()
            WHERE id = %s
              AND outcome = 'running'
            """,
            (row["run_id"],),
        )
        begun = conn.execute(
            """
            /* jobs.claim */
            INSERT INTO job_runs (name, started_by, resumed)
            VALUES (%s, %s, %s::jsonb)
            RETURNING id
            """,
            (name, by, _json(row["cursor"])),
        ).fetchone()
        assert begun is not None
        run_id = int(str(begun[0]))
        conn.execute(
            """
            /* jobs.claim */
            UPDATE jobs
            SET run_id = %s, leased_until = clock_timestamp() + make_interval(secs => %s)
            WHERE name = %s
            """,
            (run_id, lease_s, name),
        )
    return Claim(name, run_id, row["cursor"])


def progress(conn: Conn, claim: Claim, *, rows: int, size: int, cursor: Cursor | None, lease_s: float) -> bool:
    """Keep where the next batch begins, now that one is done, and renew the lease. size: bytes. Returns False if the
    lease is gone."""
    with conn.transaction():
        held = conn.execute(
            """
            /* jobs.progress */
            UPDATE jobs
            SET cursor = %s::jsonb, leased_until = clock_timestamp() + make_interval(secs => %s)
            WHERE name = %s
              AND run_id = %s
            """,
            (_json(cursor), lease_s, claim.name, claim.run_id),
        ).rowcount
        conn.execute(
            """
            /* jobs.progress */
            UPDATE job_runs
            SET batches = batches + 1, rows = rows + %s, bytes = bytes + %s
            WHERE id = %s
            """,
            (rows, size, claim.run_id),
        )
    return held == 1


def renew(conn: Conn, claim: Claim, *, lease_s: float) -> bool:
    """Renew the lease in the middle of a long batch. Returns False if the lease is gone."""
    return (
        conn.execute(
            """
            /* jobs.renew */
            UPDATE jobs
            SET leased_until = clock_timestamp() + make_interval(secs => %s)
            WHERE name = %s
              AND run_id = %s
            """,
            (lease_s, claim.name, claim.run_id),
        ).rowcount
        == 1
    )


END = """
    /* jobs.end */
    UPDATE jobs
    SET run_id = NULL,
        leased_until = NULL,
        slot = CASE WHEN %(outcome)s = 'done' THEN greatest(slot, %(slot)s::timestamptz) ELSE slot END,
        failures = CASE WHEN %(outcome)s = 'failed' THEN failures + 1 ELSE 0 END,
        retry_at = CASE
            WHEN %(outcome)s = 'failed' THEN clock_timestamp() + least(
                make_interval(hours => 1),
                make_interval(secs => %(retry)s * 2 ^ least(failures, 10))
            )
        END
    WHERE name = %(name)s
      AND run_id = %(run)s
"""


def end(
    conn: Conn, claim: Claim, outcome: str, *, slot: datetime | None, error: str | None = None, retry_s: float = 0.0
) -> None:
    """Close a run. done: the job owes nothing any more up to the slot. failed: next attempt after retry_s, twice as
    long after each failure in a row, an hour at most."""
    with conn.transaction():
        conn.execute(END, {"outcome": outcome, "slot": slot, "retry": retry_s, "name": claim.name, "run": claim.run_id})
        conn.execute(
            """
            /* jobs.end */
            UPDATE job_runs r
            SET outcome = %s,
                error = %s,
                finished_at = clock_timestamp(),
                cursor = (SELECT j.cursor FROM jobs j WHERE j.name = r.name)
            WHERE r.id = %s
            """,
            (outcome, error, claim.run_id),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """outcome: running, done, more (its time was over), failed, lost (it was killed). bytes: freed or moved."""

    id: int
    name: str
    started_by: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    batches: int
    rows: int
    bytes: int
    error: str | None


def history(conn: Conn, name: str | None = None, *, limit: int = 50) -> list[Run]:
    """List runs of one job or of all, newest first."""
    with conn.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(
            """
            /* jobs.history */
            SELECT id, name, started_by, started_at, finished_at, outcome, batches, rows, bytes, error
            FROM job_runs
            WHERE %(name)s::text IS NULL
              OR name = %(name)s
            ORDER BY id DESC
            LIMIT %(limit)s
            """,
            {"name": name, "limit": limit},
        ).fetchall()


LAST_RUNS = """
    /* jobs.last_runs */
    SELECT
        r.id, r.name, r.started_by, r.started_at, r.finished_at, r.outcome, r.batches, r.rows, r.bytes,
        r.error
    FROM jobs j
    CROSS JOIN LATERAL (
        SELECT *
        FROM job_runs r
        WHERE r.name = j.name
        ORDER BY r.id DESC
        LIMIT 1
    ) r
"""


def last_runs(conn: Conn) -> dict[str, Run]:
    """Return the newest run of every job that ever ran, by the job's name."""
    with conn.cursor(row_factory=class_row(Run)) as cursor:
        rows = cursor.execute(LAST_RUNS).fetchall()
    return {row.name: row for row in rows}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job does. done_at: when its newest successful run ended, None if there was none. failures: since then, in a
    row."""

    name: str
    done_at: datetime | None
    failures: int


STANDINGS = """
    /* jobs.standings */
    SELECT
        j.name,
        (
            SELECT r.finished_at
            FROM job_runs r
            WHERE r.name = j.name
              AND r.outcome = 'done'
            ORDER BY r.id DESC
            LIMIT 1
        ) AS done_at,
        j.failures
    FROM jobs j
    ORDER BY 1
"""


def standings(conn: Conn) -> list[Standing]:
    """Return how every job does that was ever due. Reads one index entry a job, unless its newest runs failed."""
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(STANDINGS).fetchall()


def _json(cursor: object) -> str | None:
    return None if cursor is None else json.dumps(cursor)
