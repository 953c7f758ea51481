"""Watches the embedded servers and their disk while a system runs, and restarts a server that ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import structlog

from shared.embedded.process import ServiceFailed
from shared.embedded.server import EmbeddedServer
from shared.errors import SettingsError
from shared.resilience.disk import DiskSpace, Level

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
EVENTS: dict[Level, tuple[int, str]] = {
    "ok": (logging.INFO, "disk_ok"),
    "low": (logging.WARNING, "disk_low"),
    "full": (logging.ERROR, "disk_full"),
    "read_only": (logging.ERROR, "disk_read_only"),
}
PAUSES = (1, 2, 5, 10, 30)
"""Looks to let pass after starts that failed in a row."""


class Keeper:
    """A thread between start() and stop(). A server whose disk is full may end (PostgreSQL does where it cannot write
    its log); it comes back by itself once there is room. look: the disks now."""

    def __init__(self, servers: Sequence[EmbeddedServer], look: Callable[[], Sequence[DiskSpace]]) -> None:
        self._servers, self._look = servers, look
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._levels: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._resting: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; call it before the servers are stopped."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            self.step()

    def step(self) -> None:
        full = self._tell_of_disks()
        for server in self._servers:
            if not server.alive and not self._stopping.is_set():
                self._start(server, full)

    def _tell_of_disks(self) -> bool:
        """Log what changed. Return whether a disk takes no writes."""
        try:
            rooms = self._look()
        except OSError:
            return False  # a folder that has just gone: its server says more
        for room in rooms:
            key = str(room.folder)
            if room.level != self._levels.get(key, "ok"):
                level, event = EVENTS[room.level]
                log.log(level, event, words=room.words)
            self._levels[key] = room.level
        return any(room.level in ("full", "read_only") for room in rooms)

    def _start(self, server: EmbeddedServer, full: bool) -> None:
        name = server.name
        if full or self._resting.get(name, 0) > 0:  # without room the start would only fail again
            self._resting[name] = self._resting.get(name, 0) - 1
            return
        log.warning("server_died", name=name, failures=self._failures.get(name, 0))
        try:
            server.start()
        except (ServiceFailed, SettingsError, OSError) as e:
            failures = self._failures[name] = self._failures.get(name, 0) + 1
            self._resting[name] = PAUSES[min(failures, len(PAUSES)) - 1]
            log.error("server_failed", name=name, error=str(e))
        except Exception as e:  # noqa: BLE001  a database that was provisioned half way: tried again like the others
            self._failures[name] = self._failures.get(name, 0) + 1
            log.error("server_failed", name=name, error=type(e).__name__)
        else:
            self._failures[name] = 0
            log.warning("server_started_again", name=name)
