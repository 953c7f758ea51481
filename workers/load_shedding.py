"""Reports each reply worker's pace, and learns which companies get cheaper answers for now."""

from __future__ import annotations

import uuid

from tasks import context
from tasks.answers import load_shedding
from workers.background import BackgroundThread, BackgroundThreadStep

EVERY_S = 2.0


class LoadSheddingThread(BackgroundThread):
    def __init__(self, process: context.Process) -> None:
        super().__init__("load-shedding")
        self._resources = process.resources
        self._name = uuid.uuid4().hex

    def step(self) -> float:
        load_shedding.watch(self._resources, self._name, every_s=EVERY_S)
        return EVERY_S


class LoadSheddingStep(BackgroundThreadStep):
    thread_name = "load-shedding"

    def make(self, process: context.Process) -> BackgroundThread:
        return LoadSheddingThread(process)
