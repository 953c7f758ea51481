"""A killed process' leases end when one of the others notices, not when their time is over; and until its successor is
ready, which may take a busy machine half a minute, whoever noticed does its work beside its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog

from shared import queues
from shared.resilience.lease_records import served
from tasks import context
from tasks.answers import tasks as answers
from tasks.delivery import lease_reclaim
from tasks.delivery import tasks as delivery
from tasks.dispatch import Dispatcher
from tasks.wakeups import wake_up
from workers.background import BackgroundThread, BackgroundThreadStep
from workers.intake import IntakeThread

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.5
"""A look is a listing of one folder and a lock tried on each of its few files: 40 µs."""
BY_HAND_EVERY_S = 0.1


class ByHand(BackgroundThread):
    """Does a station's work without wake-ups while the station has no other process."""

    def __init__(self, dispatcher: Dispatcher[Any]) -> None:
        super().__init__("by-hand")
        self._dispatcher = dispatcher

    def step(self) -> float:
        self._dispatcher.drain()
        return BY_HAND_EVERY_S

    def stop(self) -> None:
        self.stopping.set()
        self._dispatcher.stop()  # before the thread, which may be waiting for room
        super().stop()


STATIONS: dict[str, Callable[[context.Process], BackgroundThread]] = {
    "intake": IntakeThread,
    queues.REPLY: lambda process: ByHand(answers.dispatcher(process)),
    queues.DELIVER: lambda process: ByHand(delivery.dispatcher(process)),
}
"""Those that lease something, or without which no message gets on; and who stands in for them."""


class LeaseReclaimer(BackgroundThread):
    """Every worker of these stations looks after the others of its machine, and after its own predecessor."""

    def __init__(self, process: context.Process) -> None:
        super().__init__("lease-reclaimer")
        self._process = process
        self._standing_in: dict[str, BackgroundThread] = {}

    def step(self) -> float:
        reclaimed = lease_reclaim.reclaim_dead(self._process.resources, self._may_serve)
        if reclaimed.turns:
            wake_up(answers.answer_due)  # a wake-up that does not go out is made up for by the sweeper
        if reclaimed.parts:
            wake_up(delivery.send_due)
        if reclaimed.stations or self._standing_in:
            self._stand_in(reclaimed.stations)
        return LOOK_EVERY_S

    def _may_serve(self, station: str) -> bool:
        return station not in STATIONS or self._process.may_serve(station)

    def _stand_in(self, died: set[str]) -> None:
        """For stations of which nobody is left, until somebody is ready. Only for those whose secrets it holds."""
        working = served(self._process.resources.settings.lease_folder)
        for station in died & STATIONS.keys() - working - self._standing_in.keys():
            log.warning("stands_in", station=station)
            self._standing_in[station] = STATIONS[station](self._process)
            self._standing_in[station].start()
        for station in self._standing_in.keys() & working:
            log.info("stood_in", station=station)
            # beside: what it has begun may take as long as a model does
            threading.Thread(target=self._standing_in.pop(station).stop, name="relieved", daemon=True).start()

    def stop(self) -> None:
        super().stop()
        for stand_in in self._standing_in.values():
            stand_in.stop()


class LeaseReclaimerStep(BackgroundThreadStep):
    thread_name = "lease-reclaimer"

    def make(self, process: context.Process) -> BackgroundThread:
        return LeaseReclaimer(process)
