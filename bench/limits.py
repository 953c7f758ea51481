"""What a take from the limiter costs, and what the keys of a million contacts need. On a Valkey of its own."""

from __future__ import annotations

from statistics import median, quantiles
from time import perf_counter
from typing import Any

from shared.model import Rate
from shared.resilience.limiter import Limiter, arguments
from shared.resilience.limiter_scripts import TAKE
from shared.resilience.limits import AtOnce, Limit, Window, name_of
from shared.store.db.redis import connect
from tests.services import private_valkey

TAKES = 3_000
CONTACTS = 1_000_000
AT_A_TIME = 5_000


def _kinds(number: int) -> dict[str, list[Limit]]:
    return {
        "a rate": [Rate(f"r{number}", 30, 60.0, burst=20)],
        "10 in 10 s": [Window(f"a{number}", 10, 10.0)],
        "1,000 an hour": [Window(f"u{number}", 1_000, 3600.0)],
        "10 a minute, 100 an hour, 5 at once": [
            Window(f"e{number}", 10, 60.0), Window(f"e{number}", 100, 3600.0), AtOnce(f"e{number}", 5),
        ],
    }  # fmt: skip


def report(scale: float) -> list[str]:
    with private_valkey(maxmemory_bytes=0, extra={"appendonly": "no", "save": '""'}) as server:
        client: Any = connect(server.redis_url, socket_timeout_s=60.0)
        return [*_costs(client), *_memory(client, round(CONTACTS * scale))]


def _costs(client: Any) -> list[str]:
    """By turns, each on a hundred keys, so that windows are as full as they get."""
    limiter = Limiter(client)
    took: dict[str, list[float]] = {name: [] for name in ("a PING", *_kinds(0), "giving the place back")}
    for number in range(TAKES):
        began = perf_counter()
        client.ping()
        took["a PING"].append(perf_counter() - began)
        for name, limits in _kinds(number % 100).items():
            began = perf_counter()
            held = limiter.hold(limits)
            took[name].append(perf_counter() - began)
            if held.places:
                began = perf_counter()
                held.free()
                took["giving the place back"].append(perf_counter() - began)
    lines = [f"a take, ms (p50, p99) of {TAKES}, one thread, Redis on the same machine:"]
    for name, each in took.items():
        lines.append(f"  {name:38} {median(each) * 1000:.3f}  {quantiles(each, n=100)[98] * 1000:.3f}")
    return lines


def _memory(client: Any, contacts: int) -> list[str]:
    limiter, full = Limiter(client), Window("full", 60, 3600.0)
    for _ in range(full.count):
        limiter.take([full])
    most = int(client.memory_usage(name_of(full)))
    client.flushall()
    before, script, began = int(client.info("memory")["used_memory"]), client.script_load(TAKE), perf_counter()
    for first in range(0, contacts, AT_A_TIME):
        with client.pipeline(transaction=False) as pipe:
            for number in range(first, min(contacts, first + AT_A_TIME)):
                limit = Window(f"answers:company {number % 100}:contact {number}", 60, 3600.0)
                pipe.evalsha(script, 1, name_of(limit), *arguments(limit), "")
            pipe.execute()
    used, kept = int(client.info("memory")["used_memory"]) - before, client.info("keyspace")["db0"]
    return [
        f"{contacts:,} contacts, one take each of 60 an hour: {used / contacts:.0f} bytes a contact, "
        f"{kept['expires']:,} of {kept['keys']:,} keys end by themselves, {perf_counter() - began:.0f} s",
        f"a key that is full (60 takes): {most} bytes",
    ]
