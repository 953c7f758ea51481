"""Stores how much waited in each queue in the last minutes. For both roles, without a company set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.store.db.pool import Conn

KEPT_S = 900.0
RECENT_S = 300.0
"""What a queue's pace is taken over: long enough for a fair one, short enough for what happens now."""


@dataclass(frozen=True, slots=True)
class Noted:
    """How much waited in a queue `age_s` ago."""

    depth: int
    age_s: float


def note(conn: Conn, depths: Mapping[str, int]) -> None:
    """Record what waits in each queue now, and delete records older than KEPT_S."""
    conn.execute(
        "/* queue_depths.note */ DELETE FROM queue_depths WHERE noted_at < now() - make_interval(secs => %s)", (KEPT_S,)
    )
    conn.execute(
        """
        /* queue_depths.note */
        INSERT INTO queue_depths (queue, depth)
        SELECT *
        FROM unnest(%s::text[], %s::bigint[])
        ON CONFLICT DO NOTHING
        """,
        (list(depths), list(depths.values())),
    )


def lately(conn: Conn) -> dict[str, Noted]:
    """Return each queue's oldest note of the last RECENT_S."""
    rows = conn.execute(
        """
        /* queue_depths.lately */
        SELECT DISTINCT ON (queue)
            queue,
            depth,
            extract(epoch FROM clock_timestamp() - noted_at)::float8
        FROM queue_depths
        WHERE noted_at >= clock_timestamp() - make_interval(secs => %s)
        ORDER BY queue, noted_at
        """,
        (RECENT_S,),
    ).fetchall()
    return {str(queue): Noted(int(str(depth)), float(str(age_s))) for queue, depth, age_s in rows}
