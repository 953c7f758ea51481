"""The sweeper: whatever is overdue is found by it alone, also when the broker takes no writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from celery import Task

from shared.errors import DatabaseUnavailable
from shared.flow import deliver as deliver_flow
from shared.store import sweep
from tasks import context, deliver, reply
from tasks.doorbell import ring
from workers.resident import Resident, ResidentStep

log = structlog.get_logger(__name__)

GRACE_S = 1.0
"""A ring on time needs no second one: younger work is left to it."""
RINGS_MAX = 200
"""Doorbells a round. What is overdue beyond it waits for the next round; workers ring on by themselves."""
OWN_HANDS = 8
"""Threads that do the work here when the broker takes no ring."""
PAUSE_MAX_S = 30.0


class Sweeper(Resident):
    """Every few seconds one sweeper of the fleet (an advisory lock decides) counts what is overdue and rings
    for it. Rings that change nothing make it wait longer, up to a cap; if a ring is refused it works itself."""

    def __init__(self, process: context.Process) -> None:
        super().__init__("sweeper")
        self._process = process
        self._every_s = process.resources.settings.sweep_every_s
        self._pause_s = self._every_s
        self._before = 0

    def step(self) -> float:
        db = self._process.resources.db
        with db.transaction() as conn:
            if not sweep.try_lock(conn):
                return self._every_s
            due = sweep.overdue(conn, grace_s=GRACE_S, limit=RINGS_MAX)
        deliver_flow.expire_unrecorded(self._process.resources)
        self._serve("reply", due.turns, reply.answer_due, lambda: reply.answer_one(self._process))
        self._serve("deliver", due.outbound, deliver.send_due, self._deliver_one)
        return self._next_pause(due.turns + due.outbound)

    def _deliver_one(self) -> bool:
        return deliver.deliver_one(self._process) is not None

    def _serve(self, station: str, overdue: int, task: Task, work: Callable[[], bool]) -> None:
        if not overdue:
            return
        rung = ring(task, overdue)
        log.info("swept", station=station, overdue=overdue, rung=rung)
        if rung < overdue:
            self._work_here(min(overdue - rung, RINGS_MAX), work)

    def _work_here(self, count: int, work: Callable[[], bool]) -> None:
        """The broker takes no ring: do the work in this process, a bounded share of it a round."""

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

    def _next_pause(self, overdue: int) -> float:
        """Back off while as much is overdue as before: the rings are heard, the workers are behind."""
        growing = overdue >= self._before > 0
        self._before = overdue
        self._pause_s = min(self._pause_s * 2, PAUSE_MAX_S) if growing else self._every_s
        return self._pause_s


class SweeperStep(ResidentStep):
    resident_name = "sweeper"

    def make(self, process: context.Process) -> Resident:
        return Sweeper(process)
