"""How far replies are behind, over all workers: how fast they answer, what is overdue, and each company's level of load
shedding."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.rows import scalar_row, tuple_row

from shared.resilience.load_shedding import OverdueTurns, State
from shared.store.db.pool import Conn

GONE_AFTER_S = 15.0
"""A worker that has told no pace for so long answers nothing."""


def tell_pace(conn: Conn, process: str, per_s: float) -> None:
    """Note how many turns a second this process can answer."""
    conn.execute(
        """
        /* load.tell_pace */
        INSERT INTO reply_paces (process, per_s)
        VALUES (%s, %s)
        ON CONFLICT (process) DO UPDATE SET per_s = excluded.per_s, told_at = now()
        """,
        (process, per_s),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """now_s: the database's clock. per_s: of all workers together. behind: companies with something overdue."""

    now_s: float
    per_s: float
    behind: dict[int, OverdueTurns]
    states: dict[int, State]


def look(conn: Conn, *, grace_s: float) -> Look | None:
    """Return what to decide by if it is time to; None if another process does so or has lately. keep() ends it."""
    row = (
        conn.cursor(row_factory=tuple_row)
        .execute(
            """
        /* load.look */
        SELECT extract(epoch FROM clock_timestamp())::float8, companies
        FROM overload
        WHERE next_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED
        """
        )
        .fetchone()
    )
    if row is None:
        return None
    conn.execute(
        """
        /* load.look */
        DELETE FROM reply_paces
        WHERE told_at < now() - make_interval(secs => %s)
        """,
        (GONE_AFTER_S,),
    )
    pace = conn.cursor(row_factory=scalar_row).execute(
        """
        /* load.look */
        SELECT coalesce(sum(per_s), 0)
        FROM reply_paces
        """
    )
    per_s = float(pace.fetchone() or 0)
    rows = conn.cursor(row_factory=tuple_row).execute(
        """
        /* load.look */
        SELECT company_id, due, oldest_s
        FROM overdue_by_company(%s)
        """,
        (grace_s,),
    )
    behind = {company: OverdueTurns(int(due), float(oldest_s)) for company, due, oldest_s in rows}
    now_s, companies = row
    return Look(now_s, per_s, behind, _states(companies))


def keep(
    conn: Conn, states: Mapping[int, State], *, per_s: float, clear_s: float, again_in_s: float
) -> None:  # fmt: skip
    """Keep what was judged, and look again in again_in_s."""
    told = {
        str(company): [s.level, s.recovering_since_s, s.recovery_s, s.left_at_s, s.entered_at_s]
        for company, s in states.items()
    }
    conn.execute(
        """
        /* load.keep */
        UPDATE overload
        SET companies = %s, per_s = %s, clear_s = %s, next_at = clock_timestamp() + make_interval(secs => %s)
        """,
        (json.dumps(told), per_s, clear_s, again_in_s),
    )


@dataclass(frozen=True, slots=True)
class Now:
    """levels: companies below the full answer. clear_s: of the company that waits longest."""

    levels: dict[int, int]
    per_s: float
    clear_s: float


def now(conn: Conn) -> Now:
    """Return what was found last."""
    cursor = conn.cursor(row_factory=tuple_row)
    cursor.execute(
        """
        /* load.now */
        SELECT companies, per_s, clear_s
        FROM overload
        """
    )
    row = cursor.fetchone()
    assert row is not None
    companies, per_s, clear_s = row
    levels = {company: state.level for company, state in _states(companies).items() if state.level}
    return Now(levels, float(per_s), float(clear_s))


def _states(companies: object) -> dict[int, State]:
    assert isinstance(companies, dict)
    return {int(company): State(*values) for company, values in companies.items()}
