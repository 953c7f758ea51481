"""One limit for several processes: what they take together, places of one that is killed, servers that change."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.embedded import programs
from shared.embedded.ports import choose_port
from shared.model import Rate
from shared.resilience.limiter import Limiter
from shared.resilience.limits import AtOnce, Limit, Window, name_of
from shared.store.db.redis import connect
from tests.integration.limit_takers import HELD, PLACES, WINDOW
from workers.sandbox.waiting import wait_until

PROCESSES = 4
WITHIN_S = 60.0
HOUR = 3600.0


def _takers(url: str, what: str, number: int) -> list[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "tests.integration.limit_takers", url, what]
    return [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(number)]


def test_four_processes_take_together_what_one_may(redis_url: str) -> None:
    takers = _takers(redis_url, "take", PROCESSES)

    told = [taker.communicate(timeout=WITHIN_S)[0].split() for taker in takers]

    assert sum(int(allowed) for allowed, _ in told) == WINDOW.count
    assert all(1 <= int(most) <= PLACES.count for _, most in told)
    assert connect(redis_url).zcard(name_of(PLACES)) == 0  # each was freed


def test_a_place_is_renewed_while_its_process_lives_and_free_soon_after_it_was_killed(redis_url: str) -> None:
    client: Any = connect(redis_url)
    limiter = Limiter(client)
    [holder] = _takers(redis_url, "hold", 1)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        [(token, first)] = client.zrange(name_of(HELD), 0, -1, withscores=True)

        def renewed_beyond_its_first_lease() -> bool:
            return (client.zscore(name_of(HELD), token) or 0) > first + HELD.lease_s * 1e6

        wait_until(renewed_beyond_its_first_lease, "the lease was renewed", WITHIN_S)
        refused = limiter.hold([HELD])
        assert not refused.allowed
        assert 0 < refused.decision.wait_s <= 1
    finally:
        holder.kill()
        holder.wait(WITHIN_S)

    wait_until(lambda: limiter.hold([HELD]).allowed, "the killed process' place was free", WITHIN_S)


def test_what_a_full_redis_refuses_is_counted_here(make_valkey: Callable[..., Any]) -> None:
    client = connect(make_valkey().redis_url)
    limiter = Limiter(client)
    limits: list[Limit] = [Window("w", 3, HOUR), AtOnce("p", 2)]
    first = limiter.hold(limits)
    client.config_set("maxmemory", "1")

    held = [limiter.hold(limits) for _ in range(3)]

    # what Redis had given counts on: one more place, and none of the window's is taken by those that are refused
    assert [one.allowed for one in (first, *held)] == [True, True, False, False]
    held[0].free()
    assert limiter.hold(limits).allowed
    first.free()
    assert not limiter.hold(limits).allowed  # three in this hour


def test_every_key_ends_by_itself(redis_url: str) -> None:
    client = connect(redis_url)
    limits: list[Limit] = [Window("w", 3, 60.0), AtOnce("p", 2, lease_s=20.0), Rate("r", 5, 30.0)]
    with Limiter(client).hold(limits):
        left_ms = {limit: client.pttl(name_of(limit)) for limit in limits}
    assert 0 < left_ms[limits[0]] <= 60_002
    assert 0 < left_ms[limits[1]] <= 20_002
    assert 0 < left_ms[limits[2]] <= 30_002


def test_a_key_s_memory_is_bounded_however_much_it_allows(redis_url: str) -> None:
    client = connect(redis_url)
    limiter = Limiter(client)
    window = Window("busy", 10_000, 0.6)  # a slot is ten milliseconds: all of its sixty are used
    ends_s = time.monotonic() + 0.7
    while time.monotonic() < ends_s:
        limiter.decide([window])
    assert 0 < int(str(client.memory_usage(name_of(window)))) < 1_200


def test_a_server_whose_clock_is_behind_does_not_refuse_until_it_has_caught_up(redis_url: str) -> None:
    """As after a failover: what the old server wrote lies a day ahead of this one's clock."""
    client = connect(redis_url)
    limiter = Limiter(client)
    window, rate, places = Window("w", 2, 0.3), Rate("r", 1, 0.3), AtOnce("p", 1)
    [seconds, micros] = client.time()
    ahead = seconds * 1_000_000 + micros + 86_400_000_000
    packed = "return redis.call('SET', KEYS[1], struct.pack('<dI4', tonumber(ARGV[1]), 2))"
    client.eval(packed, 1, name_of(window), ahead)
    client.set(name_of(rate), ahead)
    client.zadd(name_of(places), {"gone": ahead})

    assert limiter.hold([places]).allowed
    for limit in (window, rate):
        assert not limiter.decide([limit]).allowed
        assert client.pttl(name_of(limit)) > 0
        wait_until(lambda limit=limit: limiter.decide([limit]).allowed, "it is allowed again", WITHIN_S)  # type: ignore[misc]


# ------------------------------------------------------------------ failover


def _address(server: Any) -> tuple[int, str]:
    found = redis.Redis.from_url(server.redis_url).connection_pool.connection_kwargs
    return int(found["port"]), str(found["password"])


@contextmanager
def _sentinel(folder: Path, port: int, password: str) -> Iterator[Sentinel]:
    own = choose_port(None)
    lines = [
        f"port {own}", "bind 127.0.0.1", f'dir "{folder}"', f"sentinel monitor limits 127.0.0.1 {port} 1",
        f"sentinel auth-pass limits {password}", "sentinel down-after-milliseconds limits 300",
        "sentinel failover-timeout limits 5000",
    ]  # fmt: skip
    config = folder / "sentinel.conf"
    config.write_text("\n".join(lines) + "\n")
    argv = [str(programs.valkey_program()), str(config), "--sentinel"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Sentinel([("127.0.0.1", own)], socket_timeout=1.0)  # type: ignore[no-untyped-call]
    finally:
        process.kill()
        process.wait(WITHIN_S)


def test_a_failover_by_sentinel_keeps_what_was_taken(make_valkey: Callable[..., Any], tmp_path: Path) -> None:
    old, new = make_valkey(), make_valkey()
    (port, password), (_, other) = _address(old), _address(new)
    replica: Any = connect(new.redis_url)
    replica.config_set("requirepass", password)
    replica = connect(new.redis_url.replace(other, password))
    replica.config_set("primaryauth", password)
    replica.execute_command("REPLICAOF", "127.0.0.1", port)
    wait_until(lambda: replica.info("replication").get("master_link_status") == "up", "the replica follows", WITHIN_S)
    with _sentinel(tmp_path, port, password) as sentinel:
        wait_until(lambda: _replicas(sentinel) == 1, "the sentinel knows both", WITHIN_S)
        follows: Any = sentinel
        client = follows.master_for("limits", password=password, socket_timeout=1.0, retry=Retry(NoBackoff(), 0))
        limiter = Limiter(client)
        window = Window("w", 4, HOUR)
        assert [limiter.decide([window]).allowed for _ in range(2)] == [True, True]
        assert connect(old.redis_url).wait(1, 5_000) == 1

        old.kill()

        assert limiter.decide([window]).allowed  # counted here, with what Redis had given
        wait_until(lambda: replica.info("replication")["role"] == "master", "the replica was promoted", WITHIN_S)
        other_process = Limiter(client)  # whoever comes anew asks the new server, which has the two of before
        wait_until(lambda: _asks_redis(other_process), "the client has found the new server", WITHIN_S)
        assert [other_process.decide([window]).allowed for _ in range(3)] == [True, True, False]


def _replicas(sentinel: Sentinel) -> int:
    try:
        return len(sentinel.sentinels[0].sentinel_slaves("limits"))
    except redis.RedisError:
        return 0


def _asks_redis(limiter: Limiter) -> bool:
    limiter.decide([Window("probe", 1_000, 60.0)])
    return limiter._away_until_s is None
