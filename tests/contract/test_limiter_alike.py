"""The limiter decides alike whether Redis counts or this process alone: falling back changes who counts, not how."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.clock import FixedClock
from shared.model import Rate
from shared.resilience.limiter import Held, Limiter
from shared.resilience.limits import AtOnce, Limit, Window
from shared.store.db.redis import connect

HOUR_S = 3600.0  # so slow that nothing comes free while a sequence runs
TOLERANCE_S = 60.0  # Redis' clock goes on, the other one stands still

LIMITS: list[Limit] = [
    Rate("bot", 30, 30 * HOUR_S, burst=4),
    Rate("chat:1", 1, HOUR_S),
    Rate("chat:2", 2, HOUR_S, burst=2),
    Rate("group", 20, 20 * HOUR_S, burst=3),
    Window("contact:1", 3, HOUR_S),
    Window("contact:1", 5, 2 * HOUR_S),
    Window("user", 70, 6000 * HOUR_S),
    AtOnce("contact:1", 2, lease_s=HOUR_S),
]
takes = st.lists(st.lists(st.sampled_from(LIMITS), max_size=4, unique=True), max_size=12)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@given(takes=takes, freed=st.sets(st.integers(0, 11)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_takes_is_decided_alike(client: redis.Redis, takes: list[list[Limit]], freed: set[int]) -> None:
    client.flushdb()
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    shared, alone = Limiter(client, clock), Limiter(None, clock)
    kept: list[Held] = []

    for number, limits in enumerate(takes):
        by_redis, by_itself = shared.hold(limits), alone.hold(limits)
        assert by_redis.allowed == by_itself.allowed
        assert abs(by_redis.decision.wait_s - by_itself.decision.wait_s) < TOLERANCE_S
        for one, other in zip(by_redis.decision.standings, by_itself.decision.standings, strict=True):
            assert (one.limit, one.remaining) == (other.limit, other.remaining)
            assert abs(one.more_s - other.more_s) < TOLERANCE_S
        kept += [by_redis, by_itself]
        if number in freed:
            for held in kept:
                held.free()
    for held in kept:
        held.free()
