"""`python -m tests.integration.calling_elsewhere COMPANY`: a process that asks a company's model on twenty threads.

For each line on its standard input each thread makes one call, and the process prints how often each outcome came:
`told {"http_5xx": 3, "breaker_open": 17}`. `later` says that the time for which a breaker is open is over.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from subprocess import PIPE, Popen

from shared import resources, settings
from shared.llm import router as llm_router
from shared.llm.call import ModelCall
from shared.llm.router import NoModelAnswered
from shared.resilience.shared_breaker import SharedBreakers
from shared.resources import Resources, open_resources
from tests.integration.lines import Lines
from tests.integration.routed_elsewhere import START_S

THREADS = 20
MESSAGES = [{"role": "user", "content": "Hello?"}]
WITHIN_S = 60.0
PATIENT_S = 15.0


class Elsewhere:
    """The process as its parent sees it."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = Lines(process.stdout)

    def ready(self) -> None:
        self._lines.wait_for("ready", START_S)

    def begin(self, word: str = "now") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        self._process.stdin.flush()

    def told(self) -> Counter[str]:
        return Counter(json.loads(self._lines.wait_for("told ", WITHIN_S).removeprefix("told ")))


@contextmanager
def elsewhere(count: int, company_id: int, environment: Mapping[str, str]) -> Iterator[list[Elsewhere]]:
    argv = [sys.executable, "-m", "tests.integration.calling_elsewhere", str(company_id)]
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
    llm_router.ATTEMPTS_MAX = 1
    # Redis answers late on a machine that is busy with other tests; breakers that count alone are another test's.
    vars(resources)["ANSWER_WITHIN_S"] = PATIENT_S
    (SharedBreakers.__init__.__kwdefaults__ or {})["answer_within_s"] = PATIENT_S
    r = open_resources(settings.load(), name="elsewhere")
    call = ModelCall(company_id, None, "answer")
    _one(r, call)  # with the connection to Redis, which a slow machine may not make in time
    _say("ready")
    with ThreadPoolExecutor(THREADS) as pool:
        for line in sys.stdin:
            if line.strip() == "later":
                r.breakers.of("house", "large").align(failures=0, open_for_s=0.0)
            outcomes = Counter(pool.map(lambda _: _one(r, call), range(THREADS)))
            _say(f"told {json.dumps(outcomes)}")
    r.close()


def _one(r: Resources, call: ModelCall) -> str:
    router = r.router_for(call)
    assert router is not None
    try:
        r.loop.run(router.complete(MESSAGES, 20.0), timeout_s=30)
    except NoModelAnswered as e:
        return e.attempts[-1].outcome
    return "ok"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
