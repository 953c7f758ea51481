"""One turn or one part at a time, by the statements with which workers claim and begin several."""

from __future__ import annotations

from shared.store.answers import turns
from shared.store.db.pool import Conn
from shared.store.delivery import outbound


def claim_turn(conn: Conn, after_company: int = 0, *, lease_s: float = 10, early: bool = False) -> turns.Claim | None:
    """Lease the next due turn of a company after this one; None if nothing is due. early: or one whose quiet window
    still runs."""
    claims = turns.claim_several(conn, after_company, limit=1, lease_s=lease_s, early=int(early))
    return next(iter(claims), None)


def claim_part(
    conn: Conn, after_company: int = 0, *, lease_s: float = 10, unblock_s: float = 60
) -> outbound.Claim | None:
    """Lease the next due part of a company after this one; None if nothing is due."""
    claims = outbound.claim_several(conn, after_company, limit=1, lease_s=lease_s, unblock_s=unblock_s)
    return next(iter(claims), None)


def begin_send(conn: Conn, claim: outbound.Claim) -> int | None:
    """Begin a claimed part's send; the attempt's number, None if the lease is gone."""
    attempt = outbound.begin_sends(conn, [claim], record_deadline_s=30).get(claim)
    return None if attempt is None else attempt.number
