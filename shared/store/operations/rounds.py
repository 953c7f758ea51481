"""Lets one of several workers begin a round of work."""

from __future__ import annotations

from shared.store.db.pool import Conn


def begins(conn: Conn, name: str, *, not_within_s: float) -> bool:
    """Return whether the caller begins the round: it does unless one began, anywhere, within the last not_within_s.

    Commit the transaction before the round starts: a round whose worker dies is left to the next wake-up that comes
    late enough.
    """
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
