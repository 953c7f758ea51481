"""Runs the fleet on one machine: starts its processes, restarts those that die, stops them in order."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType

import structlog

from shared.embedded.folder import DataFolder
from shared.embedded.process import ServerProcess, ServiceFailed
from shared.settings import LOG_FILE, PROJECT_ROOT, Settings
from shared.telemetry import log_files
from workers import fleet, probe
from workers.holders import environment_of
from workers.ready import embedder_of

log = structlog.get_logger(__name__)

READY_WITHIN_S = 120.0
"""For all together: on a busy machine each of them takes half a minute of its own."""
WATCH_EVERY_S = 0.5
RESTART_PAUSE_S = 1.0
"""Before a process is begun again that lived for less than LIVED_S: one that dies at its start must not spin."""
LIVED_S = 10.0
JOURNEY = ("gateway", "intake", "reply", "deliver")
"""What a message needs on its way."""
STOP_STAGES = (("gateway",), ("intake",), ("reply", "deliver", "index", "media", "maintenance", "beat", "flower"))
"""Nothing new comes in first; then what has come in is stored; then the rest together."""


def argv_of(name: str, config: Settings) -> list[str]:
    """Return the command line of a process, without secrets: everybody on the machine can see it."""
    python = [sys.executable, "-P", "-m"]
    if name == "gateway":
        return [*python, "gateway.serve"]
    if name == "flower":
        return [*python, "workers.flower"]
    return [*python, "workers.main", name]


def secret_environment(name: str, config: Settings) -> dict[str, str]:
    """Return variables that a process needs beside our settings and that must not be on its command line."""
    if name != "flower":
        return {}
    return {"FLOWER_UNAUTHENTICATED_API": ""}  # read by Flower itself


@dataclass(slots=True)
class Child:
    """One process of the fleet. ready: whether it says that it works."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    process: ServerProcess
    restarts: int = 0
    started_at_s: float = 0.0

    def start(self) -> None:
        self.started_at_s = time.monotonic()
        self.process.start(self.argv, cwd=PROJECT_ROOT, environment=self.environment)

    def stop(self, within_s: float) -> None:
        pid = self.process.pid
        self.process.stop(within_s)
        if pid is not None:
            _end_group(pid)


def _end_group(pid: int) -> None:
    """Nothing of a process' own session may outlive it (prefork children of a killed worker)."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody is left, as it should be


@dataclass(slots=True)
class Supervisor:
    """Runs children until stopped. environment: the settings of the whole system, of which each is given its own."""

    folder: DataFolder
    config: Settings
    environment: Mapping[str, str]
    children: list[Child] = field(default_factory=list)
    _day: date = field(default_factory=lambda: datetime.now(UTC).date())
    """The day of the log files that are written to."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread | None = None

    def start(self, names: Sequence[str] = fleet.PROCESSES) -> None:
        """Start the fleet. Returns once messages are taken and answered; what looks after the system comes up
        behind it (`wait_ready`), so that it does not compete for the processor. Raises ServiceFailed."""
        self._begin(JOURNEY)
        self.wait_ready()
        self._begin([name for name in names if name not in JOURNEY])
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._watcher.start()

    def _begin(self, names: Sequence[str]) -> None:
        run_dir = self.folder.subfolder("run")
        for name in names:
            marker = run_dir / f"{name}.ready"
            marker.unlink(missing_ok=True)
            (run_dir / f"{embedder_of(name)}.ready").unlink(missing_ok=True)
            self._add(name, argv_of(name, self.config), self._readiness(name, marker))

    def start_other(
        self, name: str, argv: Sequence[str], ready: Callable[[], bool], secrets: Mapping[str, str]
    ) -> None:
        """Start a process that is no part of the fleet, before it, and wait for it. secrets: for its environment."""
        child = self._add(name, argv, ready, secrets)
        child.process.wait_ready(ready, READY_WITHIN_S)

    def _add(
        self,
        name: str,
        argv: Sequence[str],
        ready: Callable[[], bool],
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> Child:
        output = self._log_of(name)
        self._set_aside_of_earlier_days(output)
        values = {**self.environment, **secret_environment(name, self.config), **secrets, LOG_FILE: str(output)}
        environment = environment_of(name, values)
        process = ServerProcess(name, output, signal.SIGTERM, forced_after_s=self.config.processes.grace_s)
        child = Child(name, argv, environment, ready, process)
        child.start()
        self.children.append(child)
        return child

    def _log_of(self, name: str) -> Path:
        return self.folder.subfolder("log") / f"{name}.log"

    def _set_aside_of_earlier_days(self, output: Path) -> None:
        day = log_files.last_day(output)
        if day is not None and day < self._day:
            _set_aside(output, day)

    def _turn_day(self) -> None:
        """Begin new log files when a new day (UTC) has begun; the processes follow the name."""
        today = datetime.now(UTC).date()
        if today != self._day:
            for child in self.children:
                _set_aside(self._log_of(child.name), self._day)
            self._day = today

    def _readiness(self, name: str, marker: Path) -> Callable[[], bool]:
        if name == "gateway":
            # not /health/ready: that is 503 while the backlog of a long pause is too old, which intake clears first
            return lambda: answers(f"http://{self.config.gateway.host}:{self.config.gateway.port}/health/live")
        if name == "flower":
            return lambda: flower_answers(self.config)
        return marker.exists

    def wait_ready(self) -> None:
        """Wait until every process that was started reports that it works. Raises ServiceFailed."""
        ends_at = time.monotonic() + READY_WITHIN_S
        for child in self.children:
            child.process.wait_ready(child.ready, max(1.0, ends_at - time.monotonic()))

    def _watch(self) -> None:
        """Restart processes that die. Their work is in rows, so a new process continues it."""
        while not self._stopping.wait(WATCH_EVERY_S):
            self._turn_day()
            for child in self.children:
                if child.process.alive or self._stopping.is_set():
                    continue
                log.warning("process_died", name=child.name, restarts=child.restarts)
                if child.process.pid is not None:
                    _end_group(child.process.pid)
                lived_s = time.monotonic() - child.started_at_s
                if self._stopping.wait(0.0 if lived_s > LIVED_S else RESTART_PAUSE_S):
                    return
                child.restarts += 1
                child.process.kill()  # reaps it and its guard
                child.start()

    def stop(self) -> None:
        """Stop the processes in stages within the grace period, and kill those that are left."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(timeout=READY_WITHIN_S)
        ends_at = time.monotonic() + self.config.processes.grace_s
        staged = {name for stage in STOP_STAGES for name in stage}
        others = tuple(child.name for child in self.children if child.name not in staged)
        for stage in (*STOP_STAGES, others):
            self._stop_together([c for c in self.children if c.name in stage], ends_at)

    def _stop_together(self, children: Sequence[Child], ends_at: float) -> None:
        within_s = max(0.5, ends_at - time.monotonic())
        threads = [threading.Thread(target=child.stop, args=(within_s,)) for child in children]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _set_aside(output: Path, day: date) -> None:
    try:
        log_files.set_aside(output, day)
    except OSError as e:
        log.warning("log_not_set_aside", file=output.name, error=type(e).__name__)


def flower_answers(config: Settings) -> bool:
    return probe.flower(config.operations.flower_port, config.operations.flower_password.get_secret_value()) is None


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False  # not yet, or not any more: the caller asks again until its deadline


__all__ = ["ServiceFailed", "Supervisor", "answers", "argv_of", "flower_answers", "secret_environment"]
