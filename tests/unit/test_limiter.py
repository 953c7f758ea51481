"""The same claims for the shared and the lone limiter, and what happens between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from shared.clock import FixedClock
from shared.model import Rate
from shared.resilience import limiter as module
from shared.resilience.limiter import Limiter

HOUR_S = 3600.0  # so slow a rate that nothing comes free while a test runs


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=2, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0), retry_on_timeout=False
    )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture(params=["redis", "alone"])
def limiter(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[Limiter]:
    if request.param == "alone":
        yield Limiter(None, clock)
        return
    client = connect(request.getfixturevalue("redis_url"))
    yield Limiter(client, clock)
    client.close()


def test_a_burst_passes_and_the_next_is_told_when(limiter: Limiter) -> None:
    rate = Rate("chat:1", count=1, per_s=HOUR_S, burst=3)
    assert [limiter.take([rate]) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert HOUR_S - 30 < limiter.take([rate]) <= HOUR_S


def test_what_is_refused_is_not_taken(limiter: Limiter) -> None:
    rate = Rate("chat:1", count=1, per_s=HOUR_S)
    limiter.take([rate])
    waits = [limiter.take([rate]) for _ in range(5)]
    assert max(waits) <= HOUR_S


def test_several_rates_are_taken_together_or_not_at_all(limiter: Limiter) -> None:
    wide, narrow = Rate("channel", 1, HOUR_S, burst=2), Rate("chat", 1, HOUR_S)
    assert limiter.take([wide, narrow]) == 0.0
    assert limiter.take([wide, narrow]) > 0
    assert limiter.take([wide]) == 0.0  # the refused one left it


def test_the_longest_wait_of_several_is_told(limiter: Limiter) -> None:
    short, long = Rate("short", 1, 60), Rate("long", 1, HOUR_S)
    limiter.take([short, long])
    assert limiter.take([short, long]) > HOUR_S - 30


def test_keys_do_not_touch_each_other(limiter: Limiter) -> None:
    assert limiter.take([Rate("a", 1, HOUR_S)]) == 0.0
    assert limiter.take([Rate("b", 1, HOUR_S)]) == 0.0


def test_no_rates_allow_everything(limiter: Limiter) -> None:
    assert limiter.take([]) == 0.0


@pytest.mark.parametrize("rate", [Rate("k", 0, 1), Rate("k", 1, 0), Rate("k", 1, 1, burst=0)])
def test_a_rate_that_is_none_is_an_error(limiter: Limiter, rate: Rate) -> None:
    with pytest.raises(ValueError):
        limiter.take([rate])


def test_alone_places_come_free_evenly(clock: FixedClock) -> None:
    limiter = Limiter(None, clock)
    rate = Rate("chat", count=30, per_s=1.0)
    sent = 0
    while clock.monotonic_s() < 10:
        wait_s = limiter.take([rate])
        sent += wait_s == 0.0
        clock.advance(wait_s + 1e-6 if wait_s else 0.0)
    assert 299 <= sent <= 301  # ten seconds at thirty


def test_alone_the_wait_that_is_told_is_enough(clock: FixedClock) -> None:
    limiter = Limiter(None, clock)
    rate = Rate("chat", count=7, per_s=3.0)
    limiter.take([rate])
    clock.advance(limiter.take([rate]) + 1e-6)
    assert limiter.take([rate]) == 0.0


def test_two_processes_share_one_rate(redis_url: str) -> None:
    one, other = Limiter(connect(redis_url)), Limiter(connect(redis_url))
    rate = Rate("channel", 1, HOUR_S, burst=2)
    assert [one.take([rate]), other.take([rate])] == [0.0, 0.0]
    assert one.take([rate]) > 0
    assert other.take([rate]) > 0


def test_every_key_in_redis_ends_by_itself(redis_url: str) -> None:
    client = connect(redis_url)
    Limiter(client).take([Rate("a", 1, 30), Rate("b", 1, 60, burst=5)])
    keys = list(client.scan_iter())
    assert sorted(keys) == [b"sb:limit:a", b"sb:limit:b"]
    assert all(0 < client.pttl(key) <= 61_000 for key in keys)


def test_redis_away_means_counting_alone_and_one_line_in_the_log(clock: FixedClock) -> None:
    limiter = Limiter(connect("redis://127.0.0.1:1/0"), clock)
    rate = Rate("chat", 1, HOUR_S, burst=2)
    with capture_logs() as logs:
        waits = []
        for _ in range(4):
            waits.append(limiter.take([rate]))
            clock.advance(module.REST_S)
    assert [wait == 0.0 for wait in waits] == [True, True, False, False]
    assert [line["event"] for line in logs] == ["limiter_counts_alone"]


def test_redis_full_means_counting_alone_until_it_takes_writes_again(
    make_valkey: Callable[..., Any], clock: FixedClock
) -> None:
    server = make_valkey()
    client = connect(server.redis_url)
    limiter = Limiter(client, clock)
    rate = Rate("chat", 1, HOUR_S, burst=4)
    assert limiter.take([rate]) == 0.0
    client.config_set("maxmemory", "1")
    with capture_logs() as logs:
        # What it had given before is remembered: no second burst.
        assert [limiter.take([rate]) == 0.0 for _ in range(4)] == [True, True, True, False]
        client.config_set("maxmemory", "0")
        clock.advance(module.REST_S)
        assert limiter.take([rate]) == 0.0  # by Redis, which knows of one only
    assert [line["event"] for line in logs] == ["limiter_counts_alone", "limiter_shares_again"]
