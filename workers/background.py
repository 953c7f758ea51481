"""Background threads of a worker: each repeats one step, and pauses after a step that failed."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import structlog
from celery import bootsteps

from shared import settings
from shared.store.db.pool import describe
from tasks import context
from workers import fleet, metrics

log = structlog.get_logger(__name__)

FAILURE_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
"""Pauses after failures in a row: short first, because most outages are restarts."""
STOP_TIMEOUT_S = 10.0


class BackgroundThread(threading.Thread):
    """A thread that repeats `step` until it is stopped. A step that raises is logged and tried again after a pause; it
    never ends the thread."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self._failures = 0

    def step(self) -> float:
        """One round; returns how many seconds to wait before the next."""
        raise NotImplementedError  # abc would clash with Thread's own metaclass-free protocol

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                pause_s = self.step()
                self._failures = 0
            except Exception as e:  # noqa: BLE001  whatever it was, the thread goes on; it is logged and counted
                pause_s = FAILURE_PAUSES_S[min(self._failures, len(FAILURE_PAUSES_S) - 1)]
                self._failures += 1
                metrics.BACKGROUND_THREAD_ERRORS.inc(self.name)
                log.warning("background_thread_failed", thread=self.name, failures=self._failures, error=describe(e))
            if pause_s > 0:
                self.stopping.wait(pause_s)

    def stop(self) -> None:
        self.stopping.set()
        if self.is_alive():
            self.join(timeout=STOP_TIMEOUT_S)


class BackgroundThreadStep(bootsteps.StartStopStep):
    """Starts a BackgroundThread in the workers whose row of the fleet names it."""

    requires: ClassVar[set[str]] = {"celery.worker.components:Pool"}
    thread_name: ClassVar[str] = ""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        row = fleet.row_of(parent.hostname, settings.load())
        self.enabled = row is not None and self.thread_name in row.threads
        self._thread: BackgroundThread | None = None

    def make(self, process: context.Process) -> BackgroundThread:
        raise NotImplementedError  # subclasses say which thread

    def start(self, parent: Any) -> None:
        self._thread = self.make(context.current())
        self._thread.start()

    def stop(self, parent: Any) -> None:
        if self._thread is not None:
            self._thread.stop()

    terminate = stop
