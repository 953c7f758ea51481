"""The sweeper finds overdue work without wake-ups, also while the broker takes no writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from celery import Task

from shared.errors import DatabaseUnavailable
from shared.store.operations import overdue as sweep
from tasks import context
from tasks.answers import tasks as answers
from tasks.delivery import recording
from tasks.delivery import tasks as delivery
from tasks.wakeups import wake_up
from workers import metrics
from workers.background import BackgroundThread, BackgroundThreadStep

log = structlog.get_logger(__name__)

GRACE_S = 1.0
"""A wake-up on time needs no second one: younger work is left to it."""
COUNTED_MAX = 200
"""How far a round counts, and how much of it is done here when the broker takes no wake-up."""
LEFT_TO_OTHERS = 4
"""So many rounds are left to the others by a sweeper that could not do the work that nobody was woken up for."""
OWN_HANDS = 8
"""Threads that do the work here when the broker takes no wake-up."""


class Sweeper(BackgroundThread):
    """Every few seconds one sweeper of the fleet counts what is overdue and sends a wake-up for it. While wake-ups
    change nothing the fleet looks less often, up to a cap; if a wake-up is refused the sweeper works itself, where its
    process holds what the station's work needs."""

    def __init__(self, process: context.Process) -> None:
        super().__init__("sweeper")
        self._process = process
        self._every_s = process.resources.settings.processes.sweep_every_s

    def step(self) -> float:
        db = self._process.resources.db
        with db.transaction() as conn:
            due = sweep.look(conn, every_s=self._every_s, grace_s=GRACE_S, limit=COUNTED_MAX)
        if due is not None:
            recording.expire_unrecorded(self._process.resources)
            heard = self._serve("reply", due.turns, answers.answer_due, lambda: answers.answer_one(self._process))
            heard &= self._serve(
                "deliver", due.outbound, delivery.send_due, lambda: delivery.deliver_one(self._process)
            )
            if not heard:
                with db.transaction() as conn:
                    sweep.look_again_soon(conn, every_s=self._every_s)
                if not all(map(self._process.may_serve, ("reply", "deliver"))):
                    return self._every_s * LEFT_TO_OTHERS
        return self._every_s

    def _serve(self, station: str, overdue: int, task: Task, work: Callable[[], bool]) -> bool:
        """Send a wake-up for what is overdue, once for all of it, or do it here if it can be; whether the wake-up went
        out."""
        if not overdue:
            return True
        heard = wake_up(task)
        here = not heard and self._process.may_serve(station)
        metrics.SWEPT.inc(station, "woken" if heard else "by_hand" if here else "left", by=overdue)
        log.info("swept", station=station, overdue=overdue, woken=heard)
        if here:
            self._work_here(overdue, work)
        return heard

    def _work_here(self, count: int, work: Callable[[], bool]) -> None:
        """Do the work in this process, a bounded amount each round, because the broker takes no wake-up."""

        def one(_: int) -> None:
            if not self.stopping.is_set():
                try:
                    work()
                except DatabaseUnavailable:
                    return  # the next round finds it

        started = time.monotonic()
        with ThreadPoolExecutor(OWN_HANDS, thread_name_prefix="sweeper") as hands:
            list(hands.map(one, range(count)))
        log.warning("swept_by_hand", count=count, duration_ms=round((time.monotonic() - started) * 1000))


class SweeperStep(BackgroundThreadStep):
    thread_name = "sweeper"

    def make(self, process: context.Process) -> BackgroundThread:
        return Sweeper(process)
