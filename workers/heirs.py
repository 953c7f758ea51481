"""A killed process' leases end when one of the others notices, not when their time is over."""

from __future__ import annotations

from shared.flow import heirs
from tasks import context, deliver, reply
from tasks.doorbell import ring
from workers.resident import Resident, ResidentStep

LOOK_EVERY_S = 0.5
"""A look is a listing of one folder and a lock tried on each of its few files: 40 µs."""


class Heirs(Resident):
    """Every worker that holds leases looks after the others of its machine, and after its own predecessor."""

    def __init__(self, process: context.Process) -> None:
        super().__init__("heirs")
        self._process = process

    def step(self) -> float:
        given = heirs.give_back(self._process.resources)
        if given.turns:
            ring(reply.answer_due)  # a ring that does not go out is made up for by the sweeper
        if given.parts:
            ring(deliver.send_due)
        return LOOK_EVERY_S


class HeirsStep(ResidentStep):
    resident_name = "heirs"

    def make(self, process: context.Process) -> Resident:
        return Heirs(process)
