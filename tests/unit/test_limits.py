"""Whom a request counts against."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from gateway.http import limits
from shared.model import Rate
from shared.resilience.limiter import Limiter
from shared.settings import PerMinute
from tests.factories import settings


def request(host: str | None, forwarded: str = "") -> Request:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    client = (host, 1) if host is not None else None
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("host", "forwarded", "hops", "address"),
    [
        ("203.0.113.7", "", 0, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", 0, "203.0.113.7"),  # anybody may write this header
        ("10.0.0.1", "198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", 2, "198.51.100.1"),
        ("10.0.0.1", "", 1, "10.0.0.1"),
        ("10.0.0.1", "<script>", 1, limits.UNKNOWN),
        (None, "", 0, limits.UNKNOWN),
        ("::ffff:203.0.113.7", "", 0, "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "", 0, "2001:db8:1:2::/64"),  # the same household
    ],
)
def test_an_address_is_what_the_last_proxy_of_ours_saw(
    host: str | None, forwarded: str, hops: int, address: str
) -> None:
    assert limits.address_of(request(host, forwarded), hops) == address


def test_every_limit_is_one_and_a_visitor_meets_its_own_before_that_of_its_address() -> None:
    given = settings()
    asks = [limits.messages_of(given, 1, "w", "v", "a"), limits.reads_of(given, 1, "w", "v", "a")]
    for own, address in (each[:2] for each in asks):
        assert own.rate is not None
        assert address.rate is not None
        assert own.rate.burst < address.rate.burst
    for each in (*asks, limits.sessions_of(given, 1, "a")):
        rates = [ask.rate for ask in each if ask.rate is not None]
        assert Limiter(None).take(rates) == 0.0  # no ValueError: every one is a rate


def test_a_limit_is_what_its_setting_says() -> None:
    given = settings(WIDGET_SESSIONS_LIMIT=PerMinute(count=6, burst=2))

    assert limits.sessions_of(given, 1, "a")[0].rate == Rate("widget_sessions:a", 6, 60.0, burst=2)
