"""Wake-ups: Celery messages without content that say that there is work of a kind. A lost one only delays the work.

A process coalesces its wake-ups: however much it has to announce, it sends one wake-up of a task at a time.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable

import structlog
from celery import Task
from kombu.exceptions import OperationalError

from shared import faults
from shared.store.db.pool import describe
from tasks import metrics

log = structlog.get_logger(__name__)

COUNTDOWN_MAX_S = 60.0
"""Longer countdowns do not fit under the visibility timeout; the row knows its time and the sweeper finds it."""
PAUSE_S = 0.05
"""Between two wake-ups of a task. The first one goes at once, so that an idle system waits for nothing; under load
twenty a second say as much as a hundred, because a wake-up stands for everything that is due when it is heard."""
CLOSE_WITHIN_S = 3.0


def wake_up(task: Task, *, countdown_s: float = 0.0) -> bool:
    """Send a wake-up of `task`; return whether the broker took it. Never raises: the sweeper makes up for lost ones."""
    if countdown_s > COUNTDOWN_MAX_S:
        return False
    try:
        task.apply_async(countdown=countdown_s or None)
    except (OperationalError, OSError) as e:
        metrics.WAKEUPS_LOST.inc(task.name)
        log.warning("wakeup_lost", task=task.name, error=describe(e))
        return False
    metrics.WAKEUPS.inc(task.name)
    return True


class WakeupCoalescer:
    """Sends wake-ups on a thread of its own, so that nobody who has committed work waits for the broker. What is asked
    for while a wake-up of its task is being published gets another one: the worker may have looked already.

    Wake-ups for later are held here and not at the broker: docs/decisions/0012-rings-wait-with-whoever-rings.md.

    wake_up: as wake_up(), which never raises; one that the broker refuses is counted and left to the sweeper.
    """

    def __init__(self, wake_up: Callable[[Task, float], object] | None = None, *, pause_s: float = PAUSE_S) -> None:
        self._wake_up = wake_up or _wake_up
        self._pause_s = pause_s
        self._wanted: dict[Task, list[float]] = {}
        """Task → when wake-ups of it are due, a heap."""
        self._sent_at: dict[Task, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False

    def request(self, task: Task, *, due_s: float | None = None) -> None:
        """Send one soon, and not before due_s (by time.monotonic()). Returns at once; without effect after close()."""
        with self._changed:
            if self._closing:
                return
            heapq.heappush(self._wanted.setdefault(task, []), time.monotonic() if due_s is None else due_s)
            if self._thread is None:  # begun here and not before: never ahead of a fork
                self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Send what is still wanted, without a pause, and end: the broker then holds what is for later. One that
        hangs is left to itself."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_WITHIN_S)

    def _run(self) -> None:
        while (next_one := self._next()) is not None:
            task, countdown_s = next_one
            faults.reach("wakeup.requested")
            self._wake_up(task, countdown_s)
            self._sent_at[task] = time.monotonic()

    def _next(self) -> tuple[Task, float] | None:
        """Return the task whose turn it is. What its wake-up stands for is removed before it is sent. None: closed, and
        nothing is left."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._closing:
                    return self._last(now)
                wait_s = None
                for task in self._wanted:
                    left_s = self._at(task) - now
                    if left_s <= 0:
                        self._take_due(task, now)
                        return task, 0.0
                    wait_s = left_s if wait_s is None else min(wait_s, left_s)
                self._changed.wait(wait_s)

    def _at(self, task: Task) -> float:
        return max(self._wanted[task][0], self._sent_at.get(task, -self._pause_s) + self._pause_s)

    def _take_due(self, task: Task, now: float) -> None:
        dues = self._wanted[task]
        count = 0
        while dues and dues[0] <= now:
            heapq.heappop(dues)
            count += 1
        if not dues:
            del self._wanted[task]
        if count > 1:
            metrics.WAKEUPS_COALESCED.inc(task.name, by=count - 1)

    def _last(self, now: float) -> tuple[Task, float] | None:
        """Send one wake-up for each task when everything that it stands for is due."""
        if not self._wanted:
            return None
        task, dues = self._wanted.popitem()
        return task, max(0.0, max(dues) - now)


def _wake_up(task: Task, countdown_s: float) -> None:
    wake_up(task, countdown_s=countdown_s)
