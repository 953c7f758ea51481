"""What is overdue, and who looks."""

from __future__ import annotations

from dataclasses import dataclass

from shared.store.pool import Conn

_LOCK = 7_349_202


@dataclass(frozen=True, slots=True)
class Overdue:
    """Counts up to the limit that was asked for."""

    turns: int
    outbound: int


def try_lock(conn: Conn) -> bool:
    """One sweeper of the fleet at a time; freed with the transaction."""
    row = conn.execute("/* sweep.try_lock */ SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)).fetchone()
    return bool(row and row[0])


def overdue(conn: Conn, *, grace_s: float, limit: int) -> Overdue:
    row = conn.execute("/* sweep.overdue */ SELECT turns, outbound FROM overdue(%s, %s)", (grace_s, limit)).fetchone()
    assert row is not None
    return Overdue(int(str(row[0])), int(str(row[1])))
