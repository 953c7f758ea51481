"""The whole gateway behind several ASGI servers, in turns on one core: requests a second, CPU, latency, memory.

granian is compared where it is installed: `.venv/bin/python -m uv pip install granian`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil
import redis

from bench import load
from bench.receivers import CLIENT_CORE, CONNECTIONS, pinned, webhook_body
from shared.embedded.ports import choose_port
from tests.e2e.system import System, private_system

ROUNDS = 4
ROUND_S = 4.0
WARM_UP_S = 1.0
APP = "gateway.main:app"


def servers() -> dict[str, Callable[[int], list[str]]]:
    """Name → how it is run on a port; ours first, then those that are installed."""
    python = [sys.executable, "-P", "-m"]
    found: dict[str, Callable[[int], list[str]]] = {
        "gateway.serve": lambda port: [*python, "bench.serve", APP, str(port)]
    }
    found["uvicorn alone"] = lambda port: [
        *python, "uvicorn", "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--ws", "none",
        "--lifespan", "on", "--no-access-log", "--log-level", "warning", APP,
    ]  # fmt: skip
    if importlib.util.find_spec("granian"):
        for loop in ("asyncio", "uvloop"):
            found[f"granian, {loop}"] = lambda port, loop=loop: [  # type: ignore[misc]
                *python, "granian", "--interface", "asgi", "--port", str(port), "--workers", "1", "--no-ws",
                "--log-level", "warning", "--loop", loop, APP,
            ]  # fmt: skip
    return found


@dataclass(slots=True)
class Found:
    """per_s, cpu_us: of each full round. half: at the fixed rate."""

    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    half: list[load.Measured] = field(default_factory=list)
    refused: int = 0
    memory_mb: float = 0.0


@dataclass(slots=True)
class _Server:
    port: int
    pid: int

    def family(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.family())

    def memory_mb(self) -> float:
        """What is its own: pages that the processes share are counted once between them."""
        return sum(process.memory_full_info().pss for process in self.family()) / 1e6


def measure() -> tuple[dict[str, Found], float]:
    """What was found, and the fixed rate: half of the slowest server's."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    found: dict[str, Found] = {}
    with private_system() as system, ExitStack() as stack:
        bot = system.new_bot()
        secret = {"x-telegram-bot-api-secret-token": bot.secret}
        request = load.request_bytes(f"/webhooks/telegram/{bot.slug}", webhook_body(), secret)
        running: dict[str, _Server] = {}
        for number, (name, argv_of) in enumerate(servers().items()):
            port = choose_port(None)
            log = system.folder / f"bench-{number}.log"
            process = stack.enter_context(pinned(argv_of(port), system.environment(), port, log))
            running[name] = _Server(port, process.pid)
            found[name] = Found()
            _round(system, port, request, WARM_UP_S)
        for _ in range(ROUNDS):
            for name, one in running.items():
                before_s = one.cpu_s()
                measured = _round(system, one.port, request, ROUND_S)
                found[name].per_s.append(measured.per_s)
                found[name].cpu_us.append((one.cpu_s() - before_s) * 1e6 / measured.ok)
                found[name].refused += measured.other
        rate = min(_median(one.per_s) for one in found.values()) / 2
        for _ in range(ROUNDS):
            for name, one in running.items():
                measured = _round(system, one.port, request, ROUND_S, rate)
                found[name].half.append(measured)
                found[name].refused += measured.other
        for name, one in running.items():
            found[name].memory_mb = one.memory_mb()
    return found, rate


def _round(system: System, port: int, request: bytes, seconds: float, per_s: float | None = None) -> load.Measured:
    measured = load.run(port, request, connections=CONNECTIONS, seconds=seconds, per_s=per_s)
    with redis.Redis.from_url(system.valkey.redis_url) as client:
        client.flushall()  # nobody drains here: the journal must not fill the server
    return measured


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def report() -> list[str]:
    found, rate = measure()
    first = next(iter(found.values()))
    said = [
        f"the gateway behind each server on one core, {CONNECTIONS} connections, in turns, medians of {ROUNDS} rounds;"
        f" latency at {rate:.0f} requests/s:",
        "  server              requests/s  of the first  CPU a request   p50 ms   p99 ms   memory   not 200",
    ]
    for name, one in found.items():
        p50, p99 = (_median([half.percentile_ms(share) for half in one.half]) for share in (0.5, 0.99))
        said.append(
            f"  {name:18} {_median(one.per_s):11.0f} {_median(one.per_s) / _median(first.per_s):13.2f}"
            f" {_median(one.cpu_us):11.0f} us {p50:8.1f} {p99:8.1f} {one.memory_mb:5.0f} MB {one.refused:9}"
        )
    return said
