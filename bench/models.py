"""What a model's call costs beyond the model: ours, httpx alone, LiteLLM's Router; memory over many calls.

LiteLLM is compared where an environment of its own has it: `python3 -m venv .bench && .bench/bin/pip install litellm`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench.journey import POSTERS, post_all, question
from shared.settings import PROJECT_ROOT, child_environment
from tests.e2e.system import private_system
from tests.factories import update

ROUNDS = 10
CALLS = 200
WARM_UP = 100
MANY_CALLS = 100_000
MANY_STEP = 2_000
IN_FLIGHT = 512
IN_FLIGHT_S = 8.0
"""Long enough for all of them to begin before the first one ends."""
QUIET_S = 4.0
"""Longer than the posting takes, so that all turns become due together."""
WITHIN_S = 60.0
SURROUNDINGS = {"PYTHONPATH": str(PROJECT_ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
LITELLM_PYTHON = PROJECT_ROOT / ".bench" / "bin" / "python"


@dataclass(slots=True)
class Client:
    """One client's process, and what was measured of it."""

    name: str
    process: subprocess.Popen[str]
    spent_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    memory_mb: float = 0.0

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client {self.name} ended")
        return line

    def calls(self, count: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.line())
        self.memory_mb = told["memory_mb"]
        return told

    def round(self) -> None:
        told = self.calls(CALLS)
        self.spent_ms += told["ms"]
        self.cpu_ms.append(told["cpu_ms"] / CALLS)


@contextmanager
def server(takes_s: float = 0.0) -> Iterator[str]:
    """A chat API in a process of its own; its address with /v1."""
    argv = [sys.executable, "-P", "-m", "bench.model_server", str(takes_s)]
    surroundings = child_environment({})
    process = subprocess.Popen(argv, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, env=surroundings)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


@contextmanager
def client(
    name: str, url: str, environment: Mapping[str, str] | None = None, *, python: Path = Path(sys.executable)
) -> Iterator[Client]:
    """A client's process, ready and warm. environment: settings that it needs."""
    argv = [str(python), str(PROJECT_ROOT / "bench" / "model_clients.py"), name, url]
    surroundings = child_environment({**(environment or {}), **SURROUNDINGS})
    process = subprocess.Popen(
        argv, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings
    )
    try:
        made = Client(name, process)
        made.line()
        made.calls(WARM_UP)
        yield made
    finally:
        process.kill()
        process.wait()


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _costs(clients: list[Client]) -> list[str]:
    for number in range(ROUNDS):
        for one in clients if number % 2 else reversed(clients):
            one.round()
    bare_ms = statistics.median(clients[0].spent_ms)
    lines = [f"calls of a model that answers at once, {ROUNDS} rounds of {CALLS} by turns, one at a time:"]
    for one in clients:
        p50_ms, p95_ms = statistics.median(one.spent_ms), _percentile(one.spent_ms, 0.95)
        lines.append(
            f"  {one.name}: p50 {p50_ms:.2f} ms, p95 {p95_ms:.2f} ms; beyond httpx alone {p50_ms - bare_ms:+.2f} ms;"
            f" CPU {statistics.median(one.cpu_ms):.2f} ms a call; {one.memory_mb:.0f} MB"
        )
    return lines


def _memory(one: Client, calls: int) -> str:
    """Memory once the client has warmed up, and how it grows."""
    one.calls(MANY_STEP)
    first_mb, most_mb = one.memory_mb, one.memory_mb
    for _ in range(max(1, calls // MANY_STEP - 1)):
        one.calls(MANY_STEP)
        most_mb = max(most_mb, one.memory_mb)
    return (
        f"memory of {one.name} over {calls:,} calls: {first_mb:.1f} MB after {MANY_STEP:,},"
        f" {one.memory_mb:.1f} MB at the end, at most {most_mb:.1f} MB"
    )


def _in_flight() -> list[str]:
    """Memory of one reply worker while so many calls wait for a model at the same time."""
    threads = IN_FLIGHT + 8
    with server(IN_FLIGHT_S) as url, private_system(
        LLM_BASE_URL=url, LLM_MODEL="m", REPLY_THREADS=threads, LLM_CONNECTIONS=threads, DATABASE_POOL_MAX=8,
        COMPANY_SLOTS_SHARE=1.0, QUIET_WINDOW_S=QUIET_S,
    ) as system:  # fmt: skip
        system.standin.limits(enforced=False)
        system.start("gateway", "intake", "reply", "deliver")
        bots = [system.new_bot() for _ in range(POSTERS)]
        reply = psutil.Process(system.processes["reply"].process.pid)
        system.post_until_accepted(bots[0], update(question(1), chat=1))
        system.standin.wait_count(1, WITHIN_S, target="telegram", kind="message")
        idle_mb, port = reply.memory_info().rss / 1e6, urlsplit(url).port
        work = [(bots[n % POSTERS], update(question(100 + n), chat=100 + n)) for n in range(IN_FLIGHT)]
        with ThreadPoolExecutor(POSTERS) as pool:
            list(pool.map(partial(post_all, system), [work[n::POSTERS] for n in range(POSTERS)]))
        most_mb, at_once, answered = 0.0, 0, 1
        while answered < IN_FLIGHT + 1:
            calls = [c for c in reply.net_connections("tcp") if c.raddr and c.raddr.port == port]
            at_once, most_mb = max(at_once, len(calls)), max(most_mb, reply.memory_info().rss / 1e6)
            answered = system.standin.wait_count(answered, WITHIN_S, target="telegram", kind="message")
    return [
        f"{IN_FLIGHT} questions, a model that takes {IN_FLIGHT_S:g} s, one reply worker: at most {at_once} calls at"
        f" once; {idle_mb:.0f} MB before, with the embedding model, at most {most_mb:.0f} MB (+{most_mb - idle_mb:.0f})"
    ]


def report(scale: float = 1.0) -> list[str]:
    with ExitStack() as stack:
        url = stack.enter_context(server())
        system = stack.enter_context(private_system(LLM_BASE_URL=url, LLM_MODEL="m"))
        clients = [stack.enter_context(client(name, url)) for name in ("httpx", "httpx over aiohttp")]
        mine = stack.enter_context(client("switchboard", url, system.environment()))
        clients.append(mine)
        if LITELLM_PYTHON.exists():
            clients.append(stack.enter_context(client("litellm", url, python=LITELLM_PYTHON)))
        port = urlsplit(url).port
        opened = system.environment() | {"EGRESS_ALLOW": f"model:127.0.0.1:{port}"}
        changing = stack.enter_context(client("switchboard, changing providers", url, opened))
        clients.append(changing)
        clients.append(stack.enter_context(client("switchboard, with budgets", url, opened)))
        many = int(MANY_CALLS * scale)
        lines = [*_costs(clients), _memory(mine, many), _memory(changing, many)]
    return [*lines, *_in_flight()]
