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
from shared.resilience.limiter import Limiter
from shared.store.db.redis import connect

HOUR_S = 3600.0  # so slow that nothing comes free while a sequence runs
TOLERANCE_S = 60.0  # Redis' clock goes on, the other one stands still

RATES = [
    Rate("bot", 30, 30 * HOUR_S, burst=4),
    Rate("chat:1", 1, HOUR_S),
    Rate("chat:2", 2, HOUR_S, burst=2),
    Rate("group", 20, 20 * HOUR_S, burst=3),
]
takes = st.lists(st.lists(st.sampled_from(RATES), max_size=3, unique=True), max_size=12)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@given(takes=takes)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_takes_is_decided_alike(client: redis.Redis, takes: list[list[Rate]]) -> None:
    client.flushdb()
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    shared, alone = Limiter(client, clock), Limiter(None, clock)

    waits = [(shared.take(rates), alone.take(rates)) for rates in takes]

    for by_redis_s, by_itself_s in waits:
        assert (by_redis_s == 0) == (by_itself_s == 0)
        assert abs(by_redis_s - by_itself_s) < TOLERANCE_S
