"""The breakers of what is outside and no model: accounts of platforms, websites, and hosts of attachments.

What an open one means, each caller decides: the row of the work is postponed to the next trial. Their names hold the
platform and the account, or the host; metrics count them by kind.
"""

from __future__ import annotations

from collections.abc import Awaitable
from urllib.parse import urlsplit

import redis.asyncio

from shared.clock import Clock
from shared.errors import ServiceFailed
from shared.resilience.egress import Fetched
from shared.resilience.shared_breaker import ANSWER_WITHIN_S, SharedBreakers

REFRESH_S = 5.0
"""How long a process relies on what it saw of one: there are many, and asking as often as for a model would cost a
script a send."""
MARGIN_S = 4 * ANSWER_WITHIN_S
"""Beside the call itself: asking the breaker before, and telling it after."""


class _Faulty(ServiceFailed):
    def __init__(self, fetched: Fetched) -> None:
        super().__init__(f"answered {fetched.status}")
        self.fetched = fetched


def is_neutral(error: BaseException) -> bool:
    """Whether an error says nothing about the service: it answered, whatever it said of what was sent."""
    return not isinstance(error, ServiceFailed | TimeoutError)


class Outside:
    """sends: by platform and channel. sites, media: by host. send_deadline_s, fetch_deadline_s: of one call."""

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


async def guarded(breakers: SharedBreakers, url: str, fetch: Awaitable[Fetched]) -> Fetched:
    """Await a fetch behind the breaker of its host. 5xx counts as a failure, every other answer as a success. Raises
    BreakerOpen, and what `fetch` raises."""
    try:
        async with breakers.of(host_of(url)).guarding():
            fetched = await fetch
            if fetched.status >= 500:
                raise _Faulty(fetched)
            return fetched
    except _Faulty as e:
        return e.fetched


def host_of(url: str) -> str:
    """The host and port that a URL names; empty if it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
