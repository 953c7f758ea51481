"""`python -m tests.integration.cached_elsewhere URL FILE`: a process that caches a file and is told of changes.

It prints `forgot TOPIC` after each callback (`forgot None`: something may have been missed), and for each line on its
standard input the value as it sees it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from shared.cache.invalidation import Invalidations
from shared.cache.two_level import TwoLevel
from shared.clock import SystemClock
from shared.store.db.redis import connect
from tests.integration.lines import Lines

TTL_S = 3600.0
"""So long that nothing but an invalidation makes them look again."""


class Elsewhere:
    """The process as its parent sees it."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = Lines(process.stdout)

    def value(self) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._lines.wait_for("value ").removeprefix("value ")

    def forgot(self, topic: str | None) -> None:
        """Wait until it has forgotten."""
        self._lines.wait_for(f"forgot {topic}")

    def end(self) -> int:
        """Close its standard input; its exit code."""
        self._process.communicate(timeout=20)
        return self._process.returncode


@contextmanager
def elsewhere(count: int, url: str, file: Path) -> Iterator[list[Elsewhere]]:
    """As many processes, whose subscriptions stand."""
    argv = [sys.executable, "-m", "tests.integration.cached_elsewhere", url, str(file)]
    started = [Popen(argv, stdin=PIPE, stdout=PIPE) for _ in range(count)]
    try:
        found = [Elsewhere(process) for process in started]
        for each in found:
            each.forgot(None)
        yield found
    finally:
        for process in started:
            process.kill()
            process.communicate()


def main(url: str, file: Path) -> None:
    client = connect(url, socket_timeout_s=1.0)
    invalidations = Invalidations(client)
    cache = TwoLevel(client, SystemClock(), ttl_s=TTL_S, entries=10)
    cache.follow(invalidations, "routes")
    invalidations.on("routes", lambda topic: _say(f"forgot {topic}"))
    for _ in sys.stdin:
        _say(f"value {cache.get_or_make('routes:k', file.read_bytes, topic='routes:7').decode()}")
    invalidations.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
