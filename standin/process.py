"""A stand-in of one's own: started as a process, stopped at the end."""

from __future__ import annotations

import os
import secrets
import selectors
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from standin.client import Standin

PROJECT_ROOT = Path(__file__).resolve().parent.parent
READY_S = 15.0
STOP_S = 5.0


class StandinProcess:
    """Ready when constructed; `client` is connected to it. Raises RuntimeError when it does not get ready.

    What it prints to stderr (a defect of its own) goes where the caller's does.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", port_file: Path | None = None,
                 state_file: Path | None = None) -> None:  # fmt: skip
        command = [sys.executable, "-m", "standin", "--host", host, "--port", str(port)]
        if port_file is not None:
            command += ["--port-file", str(port_file)]
        if state_file is not None:
            command += ["--state-file", str(state_file)]
        token = secrets.token_urlsafe(32)
        environment = {**os.environ, "STANDIN_CONTROL_TOKEN": token}  # noqa: TID251  handed on, not read
        self.process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, env=environment)
        self.base_url = self._ready_url()
        self.client = Standin(self.base_url, token)

    def _ready_url(self) -> str:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(READY_S) else ""
        word, _, url = line.strip().partition(" ")
        if word != "ready":
            self.stop()
            raise RuntimeError(f"the stand-in did not get ready within {READY_S} s")
        return url

    def stop(self) -> int:
        """End it and return its exit code (negative: the signal that it took)."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.stop()
