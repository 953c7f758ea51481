"""The weekly rebuild of indexes that have grown far beyond what they hold."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import structlog

from shared.store.db.pool import Conn, describe
from shared.store.operations import indexes as store
from shared.store.operations.jobs import Cursor
from tasks.operations.jobs import Batch, Job, Preview, Work

log = structlog.get_logger(__name__)

WAIT_S = 60.0
"""How long a rebuild waits for transactions that began before it, each time that it has to."""
WITHIN_S = 1_800.0
"""For one index; a graph of a million chunks takes five minutes. What takes longer is for a person."""
A_RUN = 20
"""Indexes a run: the rest is next week's."""


def _rebuild_next(work: Work, cursor: Cursor | None) -> Batch:
    """Drop one leftover or rebuild one index a batch. One that could not be rebuilt is left for the next week, and so
    is what is still worn by the estimate afterwards."""
    done: list[str] = list((cursor or {}).get("done", []))
    left = [name for name in store.leftovers(work.conn) if name not in done]
    if left:
        return _told(work, left[0], 0, done, store.drop)
    if len(done) < A_RUN:
        for index in store.worn(work.conn, but=done):
            return _told(work, index.name, index.size, done, store.rebuild)
    return Batch()


def _told(work: Work, name: str, size: int, done: list[str], do: Callable[[Conn, str], int | None]) -> Batch:
    """Do it on another connection, and tell how it ended. A wait or a time that was too long is no fault of the job."""
    after: Cursor = {"done": [*done, name]}

    def bounded(conn: Conn) -> int | None:
        store.bound(conn, wait_s=WAIT_S, within_s=WITHIN_S, size=size)
        return do(conn, name)

    try:
        freed = work.meanwhile(bounded) or 0
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.DiskFull) as e:
        log.warning("index_not_rebuilt", index=name, reason=describe(e))
        return Batch(next=after)
    log.info("index_rebuilt", index=name, freed_bytes=freed)
    return Batch(1, max(0, freed), next=after)


def _to_do(work: Work) -> Preview:
    lines = [f"would drop {name}, which a killed rebuild has left" for name in store.leftovers(work.conn)]
    worn = store.worn(work.conn)
    lines += [
        f"would rebuild {index.name}: {index.size / 1e6:.0f} MB, {index.bloat:.0%} of it empty by estimate, "
        f"{index.dead:.0%} of its table's rows deleted"
        for index in worn[:A_RUN]
    ]
    return Preview(len(lines), round(sum(index.size * index.bloat for index in worn[:A_RUN])), tuple(lines))


REBUILD = Job("operations.rebuild_indexes", _rebuild_next, _to_do)
