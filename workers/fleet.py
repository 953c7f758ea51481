"""The table of processes: which there are, what they consume, and how many connections they may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared import queues
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of Celery worker.

    queues: what it consumes. pool: threads for work that waits, prefork for work that may need killing.
    concurrency: threads or children that hear wake-ups. threads: background threads beside the pool. connections: to
    the database, for all its processes together. max_memory_kb: a prefork child above it is replaced after its task."""

    name: str
    queues: tuple[str, ...]
    pool: Literal["threads", "prefork"]
    concurrency: int
    threads: tuple[str, ...]
    connections: int
    max_memory_kb: int | None = None


def table(settings: Settings) -> dict[str, Row]:
    pool_max = settings.database.pool_max
    rows = (
        # The journal's drain is a background thread; its queue is for the balance and totals of what it writes.
        Row(
            "intake",
            (queues.INTAKE,),
            "threads",
            2,
            ("intake", "sweeper", "lease-reclaimer", "stall-watchdog"),
            pool_max,
        ),
        # Two threads hear wake-ups, one that makes work of them and one that notes that there was another; the work is
        # done on REPLY_THREADS and DELIVER_THREADS of their dispatchers (tasks/dispatch.py).
        Row(
            "reply",
            (queues.REPLY,),
            "threads",
            2,
            ("hints", "load-shedding", "sweeper", "lease-reclaimer", "stall-watchdog"),
            pool_max,
        ),
        # A third beside the sends, asking platforms how their webhooks fare: a task every few minutes.
        Row("deliver", (queues.DELIVER,), "threads", 3, ("sweeper", "lease-reclaimer", "stall-watchdog"), pool_max),
        # Computes where the model is local (about 120 MB beside the process), waits where it is an API. A row of its
        # own: a large import must delay neither answers nor partitions, and it grows by cores, not by customers.
        # Two threads embed; a third makes work of wake-ups for imports, which is done on IMPORT_THREADS of its
        # dispatcher.
        Row("index", (queues.INDEX,), "threads", 3, ("stall-watchdog",), pool_max),
        # Waits for other people's servers; one that is slow must delay neither answers nor their delivery.
        Row("media", (queues.MEDIA,), "threads", settings.processes.media_threads, ("stall-watchdog",), pool_max),
        # No background thread: its parent must not hold connections across a fork. One child; each job opens
        # one more connection as the owner.
        Row("maintenance", (queues.MAINTENANCE,), "prefork", 1, (), pool_max + 1, 400_000),
    )
    return {row.name: row for row in rows}


GATEWAY_CONNECTIONS = 5
OPERATOR_CONNECTIONS = 4
"""Left free for the command line and migrations."""


def connections_needed(settings: Settings) -> int:
    """All pools of one fleet together, which must fit into max_connections."""
    return sum(row.connections for row in table(settings).values()) + GATEWAY_CONNECTIONS + OPERATOR_CONNECTIONS


PROCESSES = ("gateway", "intake", "reply", "deliver", "index", "media", "maintenance", "beat", "flower")
"""Everything that `./switchboard worker NAME` can run, in the order in which a fleet stops."""


def row_of(hostname: str, settings: Settings) -> Row | None:
    """The row of a running worker, from its node name `<row>@<host>`."""
    return table(settings).get(hostname.partition("@")[0].partition("-")[0])
