"""Rings of a process gathered: however much it has to announce, one ring of a kind is on its way at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from celery import Task

from shared import faults
from shared.telemetry import metrics
from tasks.doorbell import ring

PAUSE_S = 0.05
"""Between two rings of a kind. The first one goes at once, so that an idle system waits for nothing; under load
twenty a second say as much as a hundred, because a ring stands for everything that is due when it is heard."""
CLOSE_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class _Kind:
    task: Task
    countdown_s: float


class Ringer:
    """Rings on a thread of its own, so that nobody who has committed work waits for the broker. What is asked for
    while a ring of its kind is being published gets another one: the worker may have looked already.

    ring: as doorbell.ring(), which never raises; a ring that the broker refuses is counted and left to the sweeper.
    """

    def __init__(self, ring: Callable[[Task, float], object] | None = None, *, pause_s: float = PAUSE_S) -> None:
        self._ring = ring or _ring
        self._pause_s = pause_s
        self._wanted: dict[_Kind, float] = {}  # kind → when it was last asked for
        self._rung_at: dict[_Kind, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False

    def want(self, task: Task, *, countdown_s: float = 0.0) -> None:
        """Ring soon, and countdown_s from now at the earliest. Returns at once; without effect after close()."""
        kind = _Kind(task, countdown_s)
        with self._changed:
            if self._closing:
                return
            if kind in self._wanted:
                metrics.RINGS_GATHERED.inc(task.name)
            self._wanted[kind] = time.monotonic()
            if self._thread is None:  # begun here and not before: never ahead of a fork
                self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Ring for what is still wanted, without a pause, and end. A broker that hangs is left to itself."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_WITHIN_S)

    def _run(self) -> None:
        while (next_one := self._next()) is not None:
            kind, asked_at = next_one
            faults.reach("ring.wanted")
            self._ring(kind.task, max(0.0, kind.countdown_s - (time.monotonic() - asked_at)))
            self._rung_at[kind] = time.monotonic()

    def _next(self) -> tuple[_Kind, float] | None:
        """The kind whose turn it is, taken out before it is rung; None when closed and nothing is left."""
        with self._changed:
            while True:
                if not self._wanted and self._closing:
                    return None
                now = time.monotonic()
                wait_s = None
                for kind in self._wanted:
                    left_s = 0.0 if self._closing else self._rung_at.get(kind, -self._pause_s) + self._pause_s - now
                    if left_s <= 0:
                        return kind, self._wanted.pop(kind)
                    wait_s = left_s if wait_s is None else min(wait_s, left_s)
                self._changed.wait(wait_s)


def _ring(task: Task, countdown_s: float) -> None:
    ring(task, countdown_s=countdown_s)
