"""How far replies are behind, as the whole fleet knows it: what workers can do, what waits, companies' levels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.resilience.load_shedding import Backlog, State
from shared.store.db.pool import Conn

GONE_AFTER_S = 15.0
"""A worker that has told no pace for so long answers nothing."""


def tell_pace(conn: Conn, process: str, per_s: float) -> None:
    conn.execute(
        "/* overload.tell_pace */ INSERT INTO reply_paces (process, per_s) VALUES (%s, %s)"
        " ON CONFLICT (process) DO UPDATE SET per_s = excluded.per_s, told_at = now()",
        (process, per_s),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """now_s: the database's clock. per_s: of all workers together. behind: companies with something overdue."""

    now_s: float
    per_s: float
    behind: dict[int, Backlog]
    states: dict[int, State]


def look(conn: Conn, *, grace_s: float) -> Look | None:
    """What there is to judge by if it is time to; None if somebody else looks, or has lately. keep() ends the look."""
    row = conn.execute(
        "/* overload.look */ SELECT extract(epoch FROM clock_timestamp())::float8, companies FROM overload"
        " WHERE next_at <= clock_timestamp() FOR UPDATE SKIP LOCKED"
    ).fetchone()
    if row is None:
        return None
    conn.execute(
        "/* overload.look */ DELETE FROM reply_paces WHERE told_at < now() - make_interval(secs => %s)",
        (GONE_AFTER_S,),
    )
    pace = conn.execute("/* overload.look */ SELECT coalesce(sum(per_s), 0) FROM reply_paces").fetchone()
    rows = conn.execute(
        "/* overload.look */ SELECT company_id, due, oldest_s FROM overdue_by_company(%s)", (grace_s,)
    ).fetchall()
    behind = {int(str(company)): Backlog(int(str(due)), float(str(oldest_s))) for company, due, oldest_s in rows}
    assert pace is not None
    return Look(float(str(row[0])), float(str(pace[0])), behind, _states(row[1]))


def keep(
    conn: Conn, states: Mapping[int, State], *, per_s: float, clear_s: float, again_in_s: float
) -> None:  # fmt: skip
    told = {
        str(company): [s.level, s.recovering_since_s, s.recovery_s, s.left_at_s, s.entered_at_s]
        for company, s in states.items()
    }
    conn.execute(
        "/* overload.keep */ UPDATE overload SET companies = %s, per_s = %s, clear_s = %s,"
        " next_at = clock_timestamp() + make_interval(secs => %s)",
        (json.dumps(told), per_s, clear_s, again_in_s),
    )


@dataclass(frozen=True, slots=True)
class Now:
    """levels: companies below the full answer. clear_s: of the company that waits longest."""

    levels: dict[int, int]
    per_s: float
    clear_s: float


def now(conn: Conn) -> Now:
    row = conn.execute("/* overload.now */ SELECT companies, per_s, clear_s FROM overload").fetchone()
    assert row is not None
    levels = {company: state.level for company, state in _states(row[0]).items() if state.level}
    return Now(levels, float(str(row[1])), float(str(row[2])))


def _states(companies: object) -> dict[int, State]:
    assert isinstance(companies, dict)
    return {int(company): State(*values) for company, values in companies.items()}
