"""Decides which of several beat processes begins a round of work."""

from __future__ import annotations

from shared.store.db.pool import Conn


def begins(conn: Conn, name: str, *, not_within_s: float) -> bool:
    """Whether this caller begins the round; not if one was begun within so long, by whoever. In a transaction that is
    committed before the round: one that dies is left to the next ring that comes late enough."""
    return (
        conn.execute(
            """
            /* rounds.begins */
            INSERT INTO rounds AS r (name, begun_at)
            VALUES (%s, clock_timestamp())
            ON CONFLICT (name) DO UPDATE SET begun_at = clock_timestamp()
            WHERE r.begun_at <= clock_timestamp() - make_interval(secs => %s)
            """,
            (name, not_within_s),
        ).rowcount
        == 1
    )
