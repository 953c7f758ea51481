"""The whole journey with real processes: latency when idle, throughput against a chain of three empty Celery tasks."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
import redis

from shared.settings import PROJECT_ROOT, child_environment
from tests.e2e.system import System, private_system, wait_until
from tests.factories import Bot, update

CHAIN = ("first", "second", "third")
FLEET = ("gateway", "intake", "reply", "deliver")
IDLE_MESSAGES = 60
CONVERSATIONS = 600
POSTERS = 8
LLM_S = 0.3
WITHIN_S = 120.0
MODEL_MS = """
    SELECT c.chat, sum((a.tried ->> 'duration_ms')::int)
    FROM receipts r
    JOIN turns t ON t.company_id = r.company_id AND t.id = r.turn_id
    JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id
    CROSS JOIN jsonb_array_elements(r.attempts) AS a (tried)
    GROUP BY c.chat
"""


def question(number: int) -> str:
    """Another one each time: what was asked before is remembered, and this measures those that were not."""
    return f"How many days do I have to return shoes of order {number}?"


def _idle(system: System) -> tuple[float, float]:
    """p50 and p95 in ms from the gateway's 200 to the platform's send API, the quiet window and the model's time taken
    off; the model answers at once, so its time is that of a request."""
    bot = system.new_bot()
    quiet_s = system.config.answers.quiet_window_s
    spent_ms = []
    for chat in range(1, IDLE_MESSAGES + 1):
        system.post_until_accepted(bot, update(question(chat), chat=chat))
        accepted_s = time.time()
        [message] = system.standin.wait_messages(1, chat_id=chat, token=bot.token, timeout_s=20)
        spent_ms.append((float(message["at"]) - accepted_s - quiet_s) * 1000)
    model_ms = dict(system.rows(MODEL_MS))
    # the first ones open connections
    ordered = sorted(ms - float(model_ms[str(chat)]) for chat, ms in enumerate(spent_ms, 1) if chat > 5)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]


@dataclass(frozen=True, slots=True)
class Throughput:
    """per_s: messages a second, one a conversation, from the first webhook to the last answer at the platform.
    cpu_ms: process → CPU milliseconds a message."""

    per_s: float
    cpu_ms: dict[str, float]


def _cpu_s(system: System) -> dict[str, float]:
    """CPU seconds used so far, by process; servers with their children."""
    roots = {name: running.process.pid for name, running in system.processes.items()}
    roots |= {"postgresql": system.postgres.pid or 0, "valkey": system.valkey.pid or 0}
    spent = {}
    for name, pid in roots.items():
        try:
            root = psutil.Process(pid)
            family = [root, *root.children(recursive=True)]
            spent[name] = sum(sum(p.cpu_times()[:4]) for p in family)
        except psutil.NoSuchProcess:
            spent[name] = 0.0
    return spent


def post_all(system: System, work: list[tuple[Bot, dict[str, Any]]]) -> None:
    """Over one connection, as a platform does. Not with the tests' client, which costs as much as the gateway does."""
    connection = http.client.HTTPConnection("127.0.0.1", system.config.gateway.port, timeout=10)
    for bot, body in work:
        headers = {"content-type": "application/json", "x-telegram-bot-api-secret-token": bot.secret}
        connection.request("POST", f"/webhooks/telegram/{bot.slug}", json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"a webhook was answered with {response.status}")
    connection.close()


def throughput(system: System) -> Throughput:
    system.standin.set_latency(first_byte_s=LLM_S)
    bots = [system.new_bot() for _ in range(10)]
    before = system.standin.wait_count(0, 1, target="telegram", kind="message")
    work = [(bots[n % 10], update(question(10_000 + n), chat=10_000 + n)) for n in range(CONVERSATIONS)]
    before_s = _cpu_s(system)
    began_s = time.perf_counter()
    with ThreadPoolExecutor(POSTERS) as pool:
        list(pool.map(partial(post_all, system), [work[n::POSTERS] for n in range(POSTERS)]))
    system.standin.wait_count(before + CONVERSATIONS, WITHIN_S, target="telegram", kind="message")
    seconds = time.perf_counter() - began_s - system.config.answers.quiet_window_s
    after_s = _cpu_s(system)
    cpu_ms = {name: (after_s[name] - before_s[name]) * 1000 / CONVERSATIONS for name in after_s}
    return Throughput(CONVERSATIONS / seconds, cpu_ms)


@contextmanager
def _chain_workers(system: System) -> Iterator[None]:
    processes = []
    for name in CHAIN:
        log = (system.folder / f"chain-{name}.log").open("ab")
        processes.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.chain", name], cwd=PROJECT_ROOT,
                env=child_environment(system.environment()), stdout=log, stderr=log, start_new_session=True,
            )
        )  # fmt: skip
        log.close()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait(10)


def _chain(system: System) -> float:
    """Measure chains a second, started by one publisher as fast as it can, with task events on."""
    counter: Any = redis.Redis.from_url(system.valkey.redis_url)
    with _chain_workers(system):
        _wake_up(system, 1)
        wait_until(lambda: _done(counter) >= 1, "the chain's workers are up", 30)
        counter.set("bench:chain:done", 0)
        _wake_up(system, CONVERSATIONS)
        wait_until(lambda: _done(counter) >= CONVERSATIONS, "all chains are done", WITHIN_S)
        return CONVERSATIONS / (time.time() - float(counter.get("bench:chain:began")))


def _wake_up(system: System, count: int) -> None:
    argv = [sys.executable, "-P", "-m", "bench.chain", "wake-up", str(count)]
    subprocess.run(argv, cwd=PROJECT_ROOT, env=child_environment(system.environment()), check=True, timeout=60)


def _done(counter: Any) -> int:
    return int(counter.get("bench:chain:done") or 0)


def report() -> list[str]:
    with private_system(REPLY_THREADS=100, DELIVER_THREADS=16, LLM_CONNECTIONS=200, DATABASE_POOL_MAX=8) as system:
        system.standin.limits(enforced=False)
        system.start(*FLEET)
        p50_ms, p95_ms = _idle(system)
        journey = throughput(system)
        system.terminate(*FLEET)
        chain_per_s = _chain(system)
    return [
        f"journey, idle, from the 200 to the send API without quiet window and model ({IDLE_MESSAGES} messages):",
        f"  p50 {p50_ms:.0f} ms, p95 {p95_ms:.0f} ms",
        f"journey, {CONVERSATIONS} conversations, a model that takes {LLM_S * 1000:.0f} ms:",
        f"  {journey.per_s:.0f} messages/s; a chain of three empty tasks {chain_per_s:.0f}/s;"
        f" ratio {journey.per_s / chain_per_s:.2f}",
        "  CPU a message: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in journey.cpu_ms.items()),
    ]
