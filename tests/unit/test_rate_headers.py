"""The fields that tell of rate limits, read as structured fields, and what a refusal says."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from gateway.http import rate_headers
from shared.clock import FixedClock
from shared.model import Rate
from shared.resilience.limiter import Limiter
from shared.resilience.limits import AtOnce, Decision, Limit, Standing, Window

ITEM = re.compile(r'"([a-z0-9_-]+)"((?:;[a-z]+=(?:[0-9]{1,15}|"[a-z-]+"))*)', re.ASCII)


def parsed(field: str) -> dict[str, dict[str, str]]:
    """A list of strings with parameters (RFC 9651), as far as these fields have it."""
    found = {}
    for item in field.split(", "):
        match = ITEM.fullmatch(item)
        assert match is not None, item
        found[match[1]] = dict(one.split("=", 1) for one in match[2].split(";") if one)
    return found


def test_each_limit_is_a_policy_and_says_what_is_left() -> None:
    limits: list[Limit] = [Window("expensive:1:7", 10, 60.0), Window("expensive:1:7", 100, 3600.0)]
    decision = Limiter(None).hold([*limits, AtOnce("expensive:1:7", 5)]).decision

    told = rate_headers.fields(decision)

    assert told["ratelimit-policy"] == (
        '"expensive-minute";q=10;w=60, "expensive-hour";q=100;w=3600, "expensive-at-once";q=5;qu="concurrent-requests"'
    )
    assert parsed(told["ratelimit"]) == {
        "expensive-minute": {"r": "9", "t": "61"},  # a moment more than the minute, in whole seconds
        "expensive-hour": {"r": "99", "t": "3601"},
        "expensive-at-once": {"r": "4", "t": "1"},
    }


def test_a_refusal_tells_when_to_ask_again_and_that_works() -> None:
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    limiter, window = Limiter(None, clock), Window("address:messages:a", 10, 10.0)
    for _ in range(10):
        limiter.decide([window])
        clock.advance(0.5)

    refused = rate_headers.too_many(limiter.decide([window]))

    after_s = int(refused.headers["retry-after"])
    assert (refused.status, after_s) == (429, 6)
    assert parsed(refused.headers["ratelimit"]) == {"address-10-seconds": {"r": "0", "t": "6"}}
    assert refused.what == "too many requests: 10 in 10 s are used, ask again in 6 s"
    clock.advance(after_s - 1)
    assert not limiter.decide([window]).allowed
    clock.advance(1)
    assert limiter.decide([window]).allowed


def test_a_rate_with_a_burst_is_a_policy_whose_quota_is_no_less_than_what_remains() -> None:
    rate = Rate("widget_messages:w:v", 20, 60.0, burst=30)
    told = rate_headers.fields(Limiter(None).decide([rate]))
    assert told["ratelimit-policy"] == '"widget_messages";q=30;w=60'
    assert parsed(told["ratelimit"])["widget_messages"]["r"] == "29"


def test_without_limits_nothing_is_told() -> None:
    assert rate_headers.fields(Decision(0.0)) == {}


@pytest.mark.parametrize(("more_s", "told"), [(0.0, '"r";r=1'), (0.001, '"r";r=1;t=1'), (2.0, '"r";r=1;t=2')])
def test_seconds_are_whole_and_never_too_few(more_s: float, told: str) -> None:
    standing = Standing(Rate("r:1", 1, 1.0), 1, more_s)
    assert rate_headers.fields(Decision(0.0, (standing,)))["ratelimit"] == told
