"""When a queue will be empty, by how it shrank in the last minutes.

Answers have a better measure, the pace that reply workers tell (`overload`): it holds while a queue still grows. What
is here is for every queue, and needs no more than what waited a while ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.resources import Resources
from shared.store.db.redis import connect
from shared.store.operations import queue_depths, state
from shared.store.operations.queue_depths import Noted
from tasks.operations.health.check import CheckContext

JOURNAL, TURNS, PARTS = "journal", "turns", "parts"
SOCKET_S = 2.0


def wakeup_queue(name: str) -> str:
    """The name of a broker's queue among the others."""
    return f"wakeups.{name}"


def clear_s(depth: int, before: Noted | None) -> float | None:
    """Seconds until nothing waits, at the pace of the last minutes; None while it does not shrink, or nobody knows.
    What is counted no further than state.COUNTED_MAX seems not to shrink beyond it, and slower just below."""
    if depth == 0:
        return 0.0
    if before is None or before.depth <= depth or before.age_s <= 0:
        return None
    return round(depth * before.age_s / (before.depth - depth), 1)


def clearing(visit: CheckContext, now: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """By queue: when it is empty, and what waited how long ago. now: what waits."""
    before = queue_depths.lately(visit.conn) if visit.conn is not None else {}
    return {name: of_queue(depth, before.get(name)) for name, depth in now.items()}


def of_queue(depth: int, before: Noted | None) -> dict[str, Any]:
    return {
        "clear_s": clear_s(depth, before),
        "before": {"waited": before.depth, "ago_s": round(before.age_s, 1)} if before else None,
    }


def note(r: Resources) -> dict[str, int]:
    """Keep what waits in every queue now. Raises what PostgreSQL or Redis raise: the next minute notes again."""
    found = {JOURNAL: state.of_journal(r.journal).entries}
    url = r.settings.need("BROKER_URL")
    if url.startswith(("redis://", "rediss://")):
        broker = connect(url, socket_timeout_s=SOCKET_S)
        try:
            found |= {wakeup_queue(name): depth for name, depth in state.of_queues(broker).items()}
        finally:
            broker.close()
    with r.db.transaction() as conn:
        rows = state.of_database(conn)
        found |= {TURNS: rows.overdue_turns, PARTS: rows.overdue_parts}
        found |= {one.station: one.overdue for one in state.of_background(conn)}
        queue_depths.note(conn, found)
    return found
