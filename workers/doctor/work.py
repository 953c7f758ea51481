"""The work itself: what waits longer than it should, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from shared.store import state
from shared.store.journal import Reader
from shared.store.pool import describe
from workers.doctor.visit import Finding, Visit, fail, ok, warn

BACKLOG_WARN_S = 10.0
BACKLOG_FAIL_S = 300.0
OVERDUE_WARN_S = 30.0
RINGS_WARN = 5_000


def journal(visit: Visit) -> Iterator[Finding]:
    found = state.of_journal(Reader(visit.redis("journal"), visit.config.journal_shards))
    told = f"{found.entries} requests wait, the oldest for {found.oldest_s:.0f} s"
    if found.oldest_s >= BACKLOG_FAIL_S:
        yield fail("journal", told, "is intake running? look for resident_stands_still in its log")
    elif found.oldest_s >= BACKLOG_WARN_S:
        yield warn("journal", told, "intake is behind or standing still: look at its log")
    else:
        yield ok("journal", told)


def rings(visit: Visit) -> Iterator[Finding]:
    depths = state.of_queues(visit.redis("broker"))
    told = ", ".join(f"{name} {depth}" for name, depth in depths.items())
    if max(depths.values()) >= RINGS_WARN:
        yield warn("queues", told, "its workers are behind or not running")
    else:
        yield ok("queues", told)


def rows(visit: Visit) -> Iterator[Finding]:
    try:
        found = state.of_database(visit.database("owner"))
    except psycopg.Error as e:
        yield fail("work", f"could not be counted: {describe(e)}", "./switchboard migrate")
        return
    yield _overdue("turns", found.overdue_turns, found.overdue_turn_s, "reply")
    yield _overdue("parts", found.overdue_parts, found.overdue_part_s, "deliver")
    for count, what, do in (
        (found.needing_reauth, "channels whose credentials are refused", "channel list, then connect them again"),
        (found.uncertain_parts, "sends of unknown outcome", "outbound uncertain list, then settle them"),
        (found.parked_requests, "parked requests", "parked list, then redrive or discard them"),
    ):
        yield warn("people", f"{count} {what}", f"./switchboard {do}") if count else ok("people", f"no {what}")


def _overdue(what: str, count: int, oldest_s: float, worker: str) -> Finding:
    told = f"{count} {what} are due, the oldest for {oldest_s:.0f} s"
    if oldest_s < OVERDUE_WARN_S:
        return ok("work", told)
    return warn("work", told, f"is the {worker} worker running, and is its service answering?")
