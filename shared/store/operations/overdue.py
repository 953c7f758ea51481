"""Counts what is overdue, and decides which worker counts next."""

from __future__ import annotations

from dataclasses import dataclass

from shared.store.db.pool import Conn

PAUSE_MAX_S = 8.0
"""A fleet that is behind is woken less often, but a wake-up that was lost is made up for within seconds."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """Counts of overdue turns and parts, up to the limit that was asked for."""

    turns: int
    outbound: int


def look(conn: Conn, *, every_s: float, grace_s: float, limit: int) -> Overdue | None:
    """Count what is overdue if it is time to; None if another worker is counting, or has lately.

    One row for the whole fleet says when to count next: after every_s, or later while as much is overdue as before
    (then the wake-ups arrive and it is the workers that are behind).
    """
    state = conn.execute(
        """
        /* overdue.look */
        SELECT overdue, pause_s
        FROM sweeps
        WHERE next_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED
        """
    ).fetchone()
    if state is None:
        return None
    row = conn.execute("/* overdue.look */ SELECT turns, outbound FROM overdue(%s, %s)", (grace_s, limit)).fetchone()
    assert row is not None
    found = Overdue(int(str(row[0])), int(str(row[1])))
    total, before, pause_s = found.turns + found.outbound, int(str(state[0])), float(str(state[1]))
    behind = total >= before > 0
    conn.execute(
        """
        /* overdue.look */
        UPDATE sweeps
        SET overdue = %(total)s,
            pause_s = %(pause)s,
            next_at = clock_timestamp() + make_interval(secs => %(pause)s)
        """,
        {"total": total, "pause": min(pause_s * 2, PAUSE_MAX_S) if behind else every_s},
    )
    return found


def look_again_soon(conn: Conn, *, every_s: float) -> None:
    """Have the next count come after every_s, because the wake-ups were not sent and backing off would only delay
    them."""
    conn.execute(
        """
        /* overdue.look_again_soon */
        UPDATE sweeps
        SET pause_s = %s,
            overdue = 0,
            next_at = least(next_at, clock_timestamp() + make_interval(secs => %s))
        """,
        (every_s, every_s),
    )
