"""A thousand contacts at their limits: when they are told to come back is right, and ordinary ones are hardly refused.

Time is moved by hand, and arrivals are drawn from a fixed seed: nothing here waits or is timed.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from gateway.http.rate_headers import too_many
from shared.clock import FixedClock
from shared.resilience.limiter import Limiter
from shared.resilience.limits import Window
from shared.store.tenants.rate_limits import DEFAULTS, Purpose

CONTACTS = 1_000
HOURS = 8
REFUSED_SHARE_MAX = 0.01
PURPOSES: tuple[Purpose, ...] = ("answers", "api_user", "address")


def _windows(purpose: Purpose, contact: int) -> list[Window]:
    return [one for one in DEFAULTS[purpose].limits(f"{purpose}:1:{contact}") if isinstance(one, Window)]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_whoever_comes_back_when_told_is_served_and_nobody_who_comes_before(purpose: Purpose) -> None:
    rng, clock = random.Random(7), FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    limiter = Limiter(None, clock)
    contacts = range(CONTACTS if purpose != "api_user" else CONTACTS // 10)
    back: list[tuple[float, int]] = []
    for contact in contacts:  # each in a rhythm of its own, until refused
        windows = _windows(purpose, contact)
        while True:
            found = limiter.decide(windows)
            if not found.allowed:
                break
            clock.advance(rng.uniform(0, 0.002))
        after_s = int(too_many(found).headers["retry-after"])
        assert after_s - 1 <= found.wait_s <= after_s
        heapq.heappush(back, (clock.monotonic_s() + found.wait_s, contact))

    while back:
        at_s, contact = heapq.heappop(back)
        if at_s - 1e-3 > clock.monotonic_s():
            clock.advance(at_s - 1e-3 - clock.monotonic_s())
            assert not limiter.decide(_windows(purpose, contact)).allowed
        clock.advance(max(0.0, at_s - clock.monotonic_s()) + 2e-6)
        assert limiter.decide(_windows(purpose, contact)).allowed


def _person(rng: random.Random) -> Iterator[float]:
    """When somebody writes: now and then a conversation of 3 to 12 messages, 20 s to 3 minutes apart."""
    at_s = rng.expovariate(1 / 5_400)
    while at_s < HOURS * 3600:
        for _ in range(rng.randint(3, 12)):
            yield at_s
            at_s += rng.uniform(20, 180)
        at_s += rng.expovariate(1 / 5_400)


def _page(rng: random.Random) -> Iterator[float]:
    """When an agent's inbox asks: a poll each quarter of a minute, and pages that are opened by hand in between."""
    at_s = rng.uniform(0, 15)
    while at_s < HOURS * 3600:
        yield at_s
        at_s += 15 if rng.random() < 0.7 else rng.uniform(0.5, 15)


def _visitor(rng: random.Random) -> Iterator[float]:
    """When a household writes to a widget: bursts of one to four short messages."""
    at_s = rng.expovariate(1 / 600)
    while at_s < HOURS * 3600:
        for _ in range(rng.randint(1, 4)):
            yield at_s
            at_s += rng.uniform(0.7, 20)
        at_s += rng.expovariate(1 / 600)


@pytest.mark.parametrize(
    ("purpose", "arrivals", "people"),
    [("answers", _person, CONTACTS), ("api_user", _page, 50), ("address", _visitor, CONTACTS)],
)
def test_of_what_ordinary_people_ask_for_less_than_one_in_a_hundred_is_refused(
    purpose: Purpose, arrivals: Callable[[random.Random], Iterator[float]], people: int
) -> None:
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    limiter, rng = Limiter(None, clock), random.Random(11)
    asked = heapq.merge(*([(at_s, who) for at_s in arrivals(rng)] for who in range(people)))
    served = refused = 0
    for at_s, who in asked:
        clock.advance(max(0.0, at_s - clock.monotonic_s()))
        if limiter.decide(_windows(purpose, who)).allowed:
            served += 1
        else:
            refused += 1

    assert served > 10_000
    assert refused / (served + refused) < REFUSED_SHARE_MAX


def test_who_floods_is_refused_and_nobody_else_is() -> None:
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    limiter = Limiter(None, clock)
    served = {"flood": 0, "other": 0}
    for second in range(3_600):
        clock.advance(1)
        served["flood"] += limiter.decide(_windows("answers", 1)).allowed
        if second % 120 == 0:
            served["other"] += limiter.decide(_windows("answers", 2)).allowed
    assert served == {"flood": 60, "other": math.ceil(3_600 / 120)}
