"""The base of the embedded servers: start on a port that is kept, stop, kill, restart."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from shared.embedded.folder import DataFolder
from shared.embedded.ports import choose_port
from shared.embedded.process import Account, ServerProcess, ServiceFailed

RETRY_PAUSE_S = 0.1


class EmbeddedServer(ABC):
    """The server of one data folder; the folder must be open. A context manager.

    port: preferred one; another is taken if it is in use, and then kept across restarts.
    """

    name: ClassVar[str]
    gently: ClassVar[signal.Signals]
    """What makes it finish in order."""
    stop_within_s: ClassVar[float]

    def __init__(self, folder: DataFolder, preferred_port: int) -> None:
        self._folder = folder
        self._preferred_port = preferred_port
        self._process: ServerProcess | None = None
        self.port: int | None = None

    @abstractmethod
    def start(self, within_s: float = 60.0) -> Self:
        """Start the server; returns when it is usable. Raises ServiceFailed with the last lines of the log."""

    @abstractmethod
    def _argv(self) -> Sequence[str]:
        """Return the command line that runs the program on self.port."""

    @abstractmethod
    def _answers(self) -> bool:
        """Return whether the server is usable yet."""

    def _passes(self, log: str) -> bool:
        """Return whether a start that ended with these log lines may succeed a moment later."""
        return False

    def stop(self) -> None:
        """Stop the server properly: what it accepted is on disk."""
        if self._process is not None:
            self._process.stop(self.stop_within_s)

    def kill(self) -> None:
        """SIGKILL, as a fault does it; start() recovers on the same port."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def _address_port(self) -> int:
        if self.port is None:
            raise RuntimeError("the server has no address before start()")
        return self.port

    def _launch(self, log: Path, cwd: Path, account: Account | None, ends_at: float) -> None:
        """Start the program until it answers; on another port or once more where that can help."""
        first_start = self.port is None
        preferred: int | None = self._preferred_port
        while True:
            if first_start:
                self.port = choose_port(preferred)
            self._process = ServerProcess(self.name, log, self.gently)
            self._process.start(self._argv(), cwd=cwd, account=account)
            try:
                self._process.wait_ready(self._answers, max(ends_at - time.monotonic(), 0.0))
                return
            except ServiceFailed as e:
                taken = first_start and "Address already in use" in e.log  # somebody was quicker
                if not (taken or self._passes(e.log)) or time.monotonic() > ends_at:
                    raise
                preferred = None
                time.sleep(RETRY_PAUSE_S)
