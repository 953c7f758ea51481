"""Stores the archive's runs, companies' terms and what is archived. For the owner role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn


def begin_run(conn: Conn) -> int:
    """Record that a run begins; returns its id."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            "/* archive_runs.begin_run */ INSERT INTO archive_runs DEFAULT VALUES RETURNING id"
        ).fetchone()
    assert isinstance(found, int)
    return found


def end_run(conn: Conn, run_id: int) -> None:
    """Record that a run has ended."""
    conn.execute(
        """
        /* archive_runs.end_run */
        UPDATE archive_runs
        SET finished_at = clock_timestamp()
        WHERE id = %s
        """,
        (run_id,),
    )


@dataclass(frozen=True, slots=True)
class Term:
    """A company's own archive terms. after_days: None for the default. delete_after_days: None keeps them for ever."""

    company_id: int
    after_days: int | None
    delete_after_days: int | None


def terms_after(conn: Conn, company_id: int, *, only: int | None = None) -> Term | None:
    """Return the terms of the next company."""
    with conn.cursor(row_factory=class_row(Term)) as cursor:
        return cursor.execute(
            """
            /* archive_runs.terms_after */
            SELECT
                id AS company_id,
                archive_after_days AS after_days,
                archive_delete_after_days AS delete_after_days
            FROM companies
            WHERE id > %s
              AND (%s::bigint IS NULL OR id = %s)
            ORDER BY id
            LIMIT 1
            """,
            (company_id, only, only),
        ).fetchone()


def terms(conn: Conn, company_id: int) -> tuple[int | None, int | None]:
    """Return a company's own (after_days, delete_after_days), as `Term` has them."""
    with conn.cursor(row_factory=class_row(Term)) as cursor:
        found = cursor.execute(
            """
            /* archive_runs.terms */
            SELECT
                id AS company_id,
                archive_after_days AS after_days,
                archive_delete_after_days AS delete_after_days
            FROM companies
            WHERE id = %s
            """,
            (company_id,),
        ).fetchone()
    assert found is not None
    return found.after_days, found.delete_after_days


def set_terms(conn: Conn, company_id: int, *, after_days: int | None, delete_after_days: int | None) -> None:
    """Set a company's own terms; None as in `Term`."""
    conn.execute(
        """
        /* archive_runs.set_terms */
        UPDATE companies
        SET archive_after_days = %s, archive_delete_after_days = %s
        WHERE id = %s
        """,
        (after_days, delete_after_days, company_id),
    )


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much of a company is archived. hot_bytes: what it took in the tables; bytes: what it takes in the archive."""

    company_id: int
    conversations: int
    messages: int
    rows: int
    segments: int
    hot_bytes: int
    bytes: int
    oldest_at: datetime
    newest_at: datetime


def statistics(conn: Conn) -> list[Statistics]:
    """Return how much is archived, by company."""
    with conn.cursor(row_factory=class_row(Statistics)) as cursor:
        return cursor.execute(
            """
            /* archive_runs.statistics */
            SELECT
                company_id, conversations, messages, rows, segments, hot_bytes, bytes, oldest_at, newest_at
            FROM archive_statistics
            ORDER BY 1
            """
        ).fetchall()


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the archive. restored: messages that have come back since."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    messages: int
    rows: int
    bytes_before: int
    bytes_after: int
    restored: int


def runs(conn: Conn, *, limit: int = 24) -> list[Run]:
    """List the runs, newest first."""
    with conn.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(
            """
            /* archive_runs.runs */
            SELECT id, started_at, finished_at, messages, rows, bytes_before, bytes_after, restored
            FROM archive_runs
            ORDER BY id DESC
            LIMIT %s
            """,
            (limit,),
        ).fetchall()
