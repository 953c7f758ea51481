"""Receives hints that a lease was lost, in a background thread of every worker that holds leases."""

from __future__ import annotations

from shared.live.hints import HintListener
from shared.store.db.redis import connect
from tasks import context
from tasks.answers.leases import Leases
from workers.background import BackgroundThread, BackgroundThreadStep


class HintsThread(BackgroundThread):
    """A generation that was overtaken ends within milliseconds of the hint. While Redis is away the renewal of the
    leases finds out within a second."""

    def __init__(self, process: context.Process) -> None:
        super().__init__("hints")
        self._leases = process.of(Leases)
        self._client = connect(process.resources.settings.need("CACHE_URL"), socket_timeout_s=2.0)
        self._listener = HintListener(self._client)

    def step(self) -> float:
        self._leases.look_now(self._listener.listen())
        return 0.0

    def stop(self) -> None:
        super().stop()
        self._listener.close()
        self._client.close()


class HintsStep(BackgroundThreadStep):
    thread_name = "hints"

    def make(self, process: context.Process) -> BackgroundThread:
        return HintsThread(process)
