"""The breakers of what is outside and no model: accounts of platforms, websites, and hosts of attachments.

What an open one means, each caller decides: the row of the work is postponed to the next trial. Their names hold the
platform and the account, or the host; metrics count them by kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import redis.asyncio

from shared.clock import Clock, SystemClock
from shared.errors import ServiceFailed, Transient
from shared.resilience import retries
from shared.resilience.breaker import BreakerOpen
from shared.resilience.egress import Fetched
from shared.resilience.shared_breaker import ANSWER_WITHIN_S, SharedBreaker, SharedBreakers

T = TypeVar("T")

REFRESH_S = 5.0
"""How long a process relies on what it saw of one: there are many, and asking as often as for a model would cost a
script a send."""
MARGIN_S = 4 * ANSWER_WITHIN_S
"""Beside the call itself: asking the breaker before, and telling it after."""


class _Answered(Transient):
    """An answer that says to come back: 429 says nothing about the service's health, 5xx does."""

    retry = True

    def __init__(self, fetched: Fetched) -> None:
        super().__init__(f"answered {fetched.status}", retry_after_s=_retry_after_s(fetched))
        self.fetched = fetched


class _Faulty(_Answered, ServiceFailed):
    pass


def is_neutral(error: BaseException) -> bool:
    """Whether an error says nothing about the service: it answered, whatever it said of what was sent."""
    return not isinstance(error, ServiceFailed | TimeoutError)


class Outside:
    """sends: by platform and channel. sites: by host. media: by host, and by platform and channel where the platform is
    asked for an attachment's address. send_deadline_s, fetch_deadline_s: of one call."""

    def __init__(
        self, client: redis.asyncio.Redis, clock: Clock, *, send_deadline_s: float, fetch_deadline_s: float
    ) -> None:
        def of(kind: str, deadline_s: float) -> SharedBreakers:
            return SharedBreakers(
                client, clock=clock, probe_ttl_s=deadline_s + 2 * MARGIN_S, refresh_s=REFRESH_S, neutral=is_neutral,
                kind=kind,
            )  # fmt: skip

        self.sends = of("send", send_deadline_s)
        self.sites = of("site", fetch_deadline_s)
        self.media = of("media", fetch_deadline_s)

    async def aclose(self) -> None:
        for breakers in (self.sends, self.sites, self.media):
            await breakers.aclose()


async def call(breaker: SharedBreaker, once: Callable[[], Awaitable[T]], *, ends_at_s: float) -> T:
    """Make a call behind a breaker, again after what may pass (retries.FETCH). ends_at_s: by the monotonic clock.

    Raises BreakerOpen if no call was made, and what the last one raised.
    """
    failed: Exception | None = None

    async def guarded() -> T:
        nonlocal failed
        try:
            async with breaker.guarding():
                return await once()
        except BreakerOpen:
            if failed is None:
                raise
            if isinstance(failed, Transient):
                failed.retry = False
            raise failed from None  # it was asked, and that is what came of it
        except Exception as e:
            failed = e
            raise

    return await retries.retrying(retries.FETCH, ends_at_s)(guarded)


async def fetch(
    breakers: SharedBreakers, url: str, get: Callable[[float], Awaitable[Fetched]], *, deadline_s: float
) -> Fetched:
    """Fetch a URL behind the breaker of its host, again after what may pass, all within deadline_s.

    get(within_s): fetches once. Raises BreakerOpen, and what the last `get` raised; returns a 429 or 5xx that stays.
    """
    clock = SystemClock()
    ends_at_s = clock.monotonic_s() + deadline_s

    async def once() -> Fetched:
        fetched = await get(max(0.0, ends_at_s - clock.monotonic_s()))
        if fetched.status >= 500:
            raise _Faulty(fetched)
        if fetched.status == 429:
            raise _Answered(fetched)
        return fetched

    try:
        return await call(breakers.of(host_of(url)), once, ends_at_s=ends_at_s)
    except _Answered as e:
        return e.fetched


def _retry_after_s(fetched: Fetched) -> float | None:
    """The seconds that the answer asks for; a date is no reason to wait here."""
    said = fetched.headers.get("retry-after", "").strip()
    return float(said) if said.isdecimal() and len(said) <= 5 else None


def host_of(url: str) -> str:
    """The host and port that a URL names; empty if it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
