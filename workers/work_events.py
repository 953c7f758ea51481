"""Tells Flower of each piece of work, as Celery's own task events: batches on one background thread.

Celery's worker publishes each event by itself, which took 1.06 ms of CPU a piece; here whatever came within half a
second goes out as one message. While the broker is away or nobody listens the newest are kept, up to a bound; those
beyond it are dropped and counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, NamedTuple

import structlog
from celery import Celery
from celery.events import EventDispatcher

from shared.store.db.pool import describe
from shared.telemetry.work import Ending, Piece
from tasks.broker import count_listeners
from workers import metrics

log = structlog.get_logger(__name__)

BATCH = 100
FLUSH_AFTER_S = 0.5
KEPT_MAX = 10_000
"""Reports, two a piece; about 5 MB. Each ending says all that its beginning said, so that the oldest may go."""
PAUSE_S = 1.0
"""Between attempts while the broker is away or nobody listens."""
CLOSE_WITHIN_S = 3.0
TEXT_MAX = 200

_ENDINGS = {"succeeded": "task-succeeded", "failed": "task-failed", "retried": "task-retried"}
Event = tuple[str, dict[str, Any]]


class Report(NamedTuple):
    """What was told of a piece. One object of plain values: thousands of dictionaries that wait would have the garbage
    collector look at all of them again and again, which took 1.4 ms of CPU a message."""

    key: str
    name: str
    ids: str
    cause: str | None
    began_at: float
    told_at: float
    ending: Ending | None
    code: str
    runtime_s: float


class WorkEvents:
    """Publishes pieces of work as Celery events in the name of a worker.

    hostname: the worker's, `reply@machine`. report() may be called from any thread and returns at once.
    """

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app, self._hostname = app, hostname
        self._waiting: deque[Report] = deque(maxlen=KEPT_MAX)
        self._batch: list[Report] = []
        """Taken from there, until somebody has heard it."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._away = False
        self._cpu_s = 0.0

    def report(self, piece: Piece) -> None:
        """Have a piece told that begins or has ended. Without effect after close()."""
        report = Report(
            piece.key, piece.name, repr(piece.ids), piece.cause, piece.began_at, time.time(), piece.ending,
            piece.code[:TEXT_MAX], piece.runtime_s,
        )  # fmt: skip
        with self._changed:
            if self._closing:
                return
            if len(self._waiting) == KEPT_MAX:
                metrics.WORK_EVENTS_DROPPED.inc()
            self._waiting.append(report)
            if self._thread is None:  # begun here and not before: never ahead of a fork
                self._thread = threading.Thread(target=self._run, name="work-events", daemon=True)
                self._thread.start()
            if len(self._waiting) in (1, BATCH):
                self._changed.notify()

    def close(self) -> None:
        """Publish what waits, and end. A broker that hangs is left to itself."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_WITHIN_S)

    def _run(self) -> None:
        while True:
            try:
                self._publish_over_a_connection()
                return
            except Exception as e:  # noqa: BLE001  whatever the broker or its client raised, work goes on untold
                if not self._away:
                    self._away = True
                    log.warning("work_events_wait", error=describe(e))
                if self._pause():
                    metrics.WORK_EVENTS_DROPPED.inc(by=len(self._batch) + len(self._waiting))
                    return

    def _pause(self) -> bool:
        """Wait before the next attempt; returns whether this is closing."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, timeout=PAUSE_S)

    def _publish_over_a_connection(self) -> None:
        """Publish until closed. What could not be published, or was while nobody listened, is published again."""
        with self._app.connection_for_write() as connection:
            count_listeners(connection)
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            channel = connection.channel()
            publisher = EventDispatcher(
                connection, channel=channel, hostname=self._hostname, app=self._app, buffer_while_offline=False,
                groups=["task"], buffer_group=frozenset({"task"}), buffer_limit=4 * BATCH,
            )  # fmt: skip
            while self._take_batch():
                for report in self._batch:
                    for kind, fields in _events(report):
                        publisher.send(kind, **fields)
                publisher.flush(errors=False)
                self._back()
                # A broker that does not say how many listen is taken at its word.
                if getattr(channel, "listeners", 1) or self._pause():
                    self._told()

    def _take_batch(self) -> bool:
        """Have the oldest reports in `_batch`; False when closed and nothing is left."""
        with self._changed:
            if not self._batch:
                self._changed.wait_for(lambda: self._closing or self._waiting)
                self._changed.wait_for(lambda: self._closing or len(self._waiting) >= BATCH, timeout=FLUSH_AFTER_S)
                self._batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            return bool(self._batch)

    def _back(self) -> None:
        if self._away:
            self._away = False
            log.info("work_events_go_on")

    def _told(self) -> None:
        metrics.WORK_EVENTS.inc(by=sum(1 if report.ending else 2 for report in self._batch))
        cpu_s = time.thread_time()
        metrics.WORK_EVENTS_CPU.inc(by=cpu_s - self._cpu_s)
        self._batch, self._cpu_s = [], cpu_s


def _events(report: Report) -> list[Event]:
    """The events of a report: received and started when it begins, its outcome when it has ended. Each carries what the
    others do, because any of them may be lost."""
    said: dict[str, Any] = {
        "uuid": report.key, "name": report.name, "args": "()", "kwargs": report.ids, "retries": 0, "eta": None,
        "expires": None, "root_id": report.cause, "parent_id": report.cause, "timestamp": report.began_at,
    }  # fmt: skip
    if report.ending is None:
        return [("task-received", said), ("task-started", said)]
    said |= {"timestamp": report.told_at, "runtime": report.runtime_s}
    if report.ending == "succeeded":
        said |= {"result": report.code}
    else:
        said |= {"exception": report.code, "traceback": ""}
    return [(_ENDINGS[report.ending], said)]
