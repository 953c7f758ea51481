"""`python -m tests.integration.routed_elsewhere COMPANY`: a process that resolves a company's route for answers.

It prints `forgot TOPIC` after each change that it is told of, and for each line on its standard input the models that
it would ask, in order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from subprocess import PIPE, Popen

from shared import settings
from shared.llm.call import ModelCall
from shared.resources import open_resources
from shared.store.models.providers import TOPIC
from tests.integration.lines import WITHIN_S, Lines

START_S = 90.0
"""Four processes import all that a worker does."""


class Elsewhere:
    """The process as its parent sees it."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = Lines(process.stdout)

    def ready(self) -> None:
        self._lines.wait_for("ready", START_S)

    def asks(self) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._lines.wait_for("asks ").removeprefix("asks ")

    def forgot(self, topic: str) -> None:
        """Wait until it was told that this changed."""
        self._lines.wait_for(f"forgot {topic}")


@contextmanager
def elsewhere(count: int, company_id: int, environment: Mapping[str, str]) -> Iterator[list[Elsewhere]]:
    argv = [sys.executable, "-m", "tests.integration.routed_elsewhere", str(company_id)]
    started = [Popen(argv, stdin=PIPE, stdout=PIPE, env=dict(environment)) for _ in range(count)]
    try:
        found = [Elsewhere(process) for process in started]
        for each in found:
            each.ready()
        yield found
    finally:
        for process in started:
            process.kill()
            process.communicate()


def main(company_id: int) -> None:
    r = open_resources(settings.load(), name="elsewhere")
    call = ModelCall(company_id, None, "answer")
    r.router_for(call)  # from here on it hears of changes
    r.invalidations.on(TOPIC, lambda topic: _say(f"forgot {topic}"))
    r.invalidations.wait_connected(WITHIN_S)
    _say("ready")
    for _ in sys.stdin:
        router = r.router_for(call)
        names = [] if router is None else [f"{one.provider.name}/{one.provider.model}" for one in router.steps]
        _say(f"asks {' '.join(names)}")
    r.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
