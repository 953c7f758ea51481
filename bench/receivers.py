"""Receivers of webhooks, each alone on one core: a bare ASGI app, FastAPI with `.delay()`, and the gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis

from bench import load
from shared.embedded.ports import choose_port
from shared.settings import PROJECT_ROOT, child_environment
from tests.e2e.system import System, private_system
from tests.factories import update
from workers.supervisor import argv_of

SERVER_CORE, CLIENT_CORE = 0, 1
CONNECTIONS = 32
ROUND_S = 4.0
ROUNDS = 3
READY_WITHIN_S = 20.0


@contextmanager
def pinned(argv: list[str], environment: dict[str, str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server on its core, ready; ended afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, cwd=PROJECT_ROOT, env=child_environment(environment), stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    os.sched_setaffinity(process.pid, {SERVER_CORE})  # before it has started threads, which inherit it
    try:
        _wait_listening(port, process, log)
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.wait(10)


def _wait_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < ends_s and process.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=1, trust_env=False)
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"a server did not get ready:\n{log.read_text()[-2000:]}")


def _serving(app: str, port: int) -> list[str]:
    return [sys.executable, "-P", "-m", "bench.serve", app, str(port)]


def webhook_body() -> bytes:
    return json.dumps(update("How many days do I have to return shoes?", chat=42)).encode()


def measure() -> dict[str, Any]:
    """Rounds in turn, so that a slow minute of the machine meets all; medians of requests a second."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    with private_system() as system, ExitStack() as stack:
        bot = system.new_bot()
        ports = {name: choose_port(None) for name in ("bare", "fastapi")}
        stack.enter_context(pinned(_serving("bench.bare:app", ports["bare"]), {}, ports["bare"], _log(system, "bare")))
        gateway_port = system.config.gateway.port
        stack.enter_context(
            pinned(argv_of("gateway", system.config), system.environment(), gateway_port, _log(system, "gateway"))
        )
        stack.enter_context(
            pinned(
                _serving("bench.naive:app", ports["fastapi"]), system.environment(), ports["fastapi"],
                _log(system, "fastapi"),
            )
        )  # fmt: skip
        secret = {"x-telegram-bot-api-secret-token": bot.secret}
        ours = load.request_bytes(f"/webhooks/telegram/{bot.slug}", webhook_body(), secret)
        plain = load.request_bytes("/webhook", webhook_body(), secret)
        targets = {
            "bare": (ports["bare"], plain),
            "fastapi": (ports["fastapi"], plain),
            "gateway": (gateway_port, ours),
        }
        found: dict[str, list[load.Measured]] = {name: [] for name in [*targets, "always"]}
        for _ in range(ROUNDS):
            for name, (port, request) in targets.items():
                found[name].append(_round(system, port, request))
            with _fsync_always(system):
                found["always"].append(_round(system, gateway_port, ours))
        rates = {name: _median([m.per_s for m in measured]) for name, measured in found.items()}
        half = load.run(gateway_port, ours, connections=CONNECTIONS, seconds=ROUND_S, per_s=rates["gateway"] / 2)
        refused = sum(m.other for measured in found.values() for m in measured) + half.other
        return {"rates": rates, "half_p99_ms": half.percentile_ms(0.99), "half_per_s": half.per_s, "refused": refused}


def _round(system: System, port: int, request: bytes) -> load.Measured:
    measured = load.run(port, request, connections=CONNECTIONS, seconds=ROUND_S)
    client = redis.Redis.from_url(system.valkey.redis_url)
    client.flushall()  # nobody drains here: the journal must not fill the server
    client.close()
    return measured


@contextmanager
def _fsync_always(system: System) -> Iterator[None]:
    client = redis.Redis.from_url(system.valkey.redis_url)
    client.config_set("appendfsync", "always")
    try:
        yield
    finally:
        client.config_set("appendfsync", "everysec")
        client.close()


def _log(system: System, name: str) -> Path:
    return system.folder / f"bench-{name}.log"


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def report() -> list[str]:
    found = measure()
    rates = found["rates"]
    return [
        "webhook receivers, one core each, 32 connections (requests a second, median of 3 rounds):",
        f"  bare ASGI app on the same server      {rates['bare']:8.0f}",
        f"  FastAPI + .delay()                    {rates['fastapi']:8.0f}",
        f"  gateway, journal fsync every second   {rates['gateway']:8.0f}"
        f"   {rates['gateway'] / rates['bare']:.2f} of bare, {rates['gateway'] / rates['fastapi']:.1f} x FastAPI",
        f"  gateway, journal fsync always         {rates['always']:8.0f}"
        f"   {rates['always'] / rates['bare']:.2f} of bare",
        f"  gateway at half of that rate ({found['half_per_s']:.0f}/s): p99 {found['half_p99_ms']:.1f} ms;"
        f" answers other than 200: {found['refused']}",
    ]
