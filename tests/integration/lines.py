"""The lines that another process prints, waited for within a bound."""

from __future__ import annotations

import queue
import threading
from typing import IO

WITHIN_S = 20.0


class Lines:
    """Reads on a thread of its own until the process ends."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._read: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._follow, daemon=True).start()

    def wait_for(self, beginning: str, within_s: float = WITHIN_S) -> str:
        """Return the next line with this beginning; those before it are dropped. Raises queue.Empty after so long."""
        while True:
            line = self._read.get(timeout=within_s)
            if line.startswith(beginning):
                return line

    def _follow(self) -> None:
        for line in self._stream:
            self._read.put(line.decode().rstrip("\n"))
