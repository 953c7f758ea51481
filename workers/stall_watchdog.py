"""Ends a worker that is alive but takes no wake-ups, because its consumer's loop hangs.

A background thread of every worker with threads looks whether wake-ups wait in its queues while it takes none. If that
goes on for STALLED_AFTER_S, and not because all of its threads are at work, the process gives its leases back and ends;
whoever started it (the supervisor, a container's restart policy) starts it again. It also writes down that it lives,
for `workers.probe`: alive is a thread that runs, ready is a consumer that hears.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
import structlog
from celery import signals
from celery.worker import state

from shared import faults, queues, settings
from shared.store.db.redis import connect
from tasks import context
from tasks.answers.leases import Leases
from workers import fleet, metrics
from workers.background import BackgroundThread, BackgroundThreadStep

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0
GIVE_BACK_S = 3.0
"""For the answers that are cancelled to give their turns back."""
EXIT_CODE = 70  # EX_SOFTWARE: an unexpected end, so the supervisor starts it again

_taken = 0


@signals.task_received.connect(weak=False)
def _count(**_: Any) -> None:
    global _taken
    _taken += 1
    faults.reach("worker.received")


class StallDetector:
    """Decides whether a worker is stalled, from its counts of wake-ups."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._taken = -1
        self._since_s: float | None = None

    def stalled(self, now_s: float, *, waiting: int | None, taken: int, busy: bool) -> bool:
        """waiting: wake-ups in the worker's queues, None if nobody can say. taken: wake-ups it has ever taken. busy:
        all of its threads are at work, which is no reason to take another wake-up."""
        if not waiting or busy or taken != self._taken:
            self._taken, self._since_s = taken, None
            return False
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s >= self._after_s

    def deaf_for_s(self, now_s: float) -> float:
        """Return for how many seconds wake-ups have waited that the worker did not take."""
        return 0.0 if self._since_s is None else now_s - self._since_s


class StallWatchdog(BackgroundThread):
    def __init__(self, process: context.Process, row: fleet.Row, *, end: Callable[[int], None] = os._exit) -> None:
        super().__init__("stall-watchdog")
        config = process.resources.settings
        self._process = process
        self._row = row
        self._end = end
        self._detector = StallDetector(config.processes.stalled_after_s)
        self._every_s = min(LOOK_EVERY_S, config.processes.stalled_after_s / 3)
        self._mark = None if config.system.run_dir is None else config.system.run_dir / f"{row.name}.alive"
        url = config.need("BROKER_URL")
        self._broker = connect(url, socket_timeout_s=2.0) if url.startswith(("redis://", "rediss://")) else None

    def step(self) -> float:
        now_s = time.monotonic()
        busy = len(state.active_requests) >= self._row.concurrency
        if self._detector.stalled(now_s, waiting=self._waiting(), taken=_taken, busy=busy):
            self._leave()
        if self._mark is not None:
            write_mark(self._mark, self._detector.deaf_for_s(now_s))
        return self._every_s

    def _waiting(self) -> int | None:
        if self._broker is None:
            return None
        try:
            return sum(int(self._broker.llen(queues.REDIS_PREFIX + name)) for name in self._row.queues)
        except redis.RedisError:
            return None  # then nobody takes wake-ups, and the sweepers work by hand

    def _leave(self) -> None:
        log.error("worker_stalled", worker=self._row.name, waiting=self._waiting(), taken=_taken)
        metrics.WORKERS_STALLED.inc(self._row.name)
        self._process.of(Leases).cancel()
        self.stopping.wait(GIVE_BACK_S)
        self._end(EXIT_CODE)

    def stop(self) -> None:
        super().stop()
        if self._broker is not None:
            self._broker.close()


def write_mark(mark: Path, deaf_for_s: float) -> None:
    """Whole or not at all: somebody may be reading."""
    half = mark.with_suffix(f".{os.getpid()}")
    half.write_text(json.dumps({"pid": os.getpid(), "at": time.time(), "deaf_for_s": round(deaf_for_s, 1)}))
    half.replace(mark)


class StallWatchdogStep(BackgroundThreadStep):
    """For workers with threads. A prefork parent forks again and again, and must not while a thread holds a lock."""

    thread_name = "stall-watchdog"

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._row = fleet.row_of(parent.hostname, settings.load())

    def make(self, process: context.Process) -> BackgroundThread:
        assert self._row is not None
        return StallWatchdog(process, self._row)
