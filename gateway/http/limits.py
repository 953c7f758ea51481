"""Rate limits of addresses and visitors; counted in Redis for all gateways, by each alone while it is away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import Request

from shared.clock import Clock
from shared.model import Rate
from shared.resilience.addresses import UNKNOWN as UNKNOWN
from shared.resilience.addresses import normal_address as normal_address
from shared.resilience.limiter import Limiter
from shared.settings import PerMinute, Settings

THREADS = 2
REFUSED_MAX = 10_000


def sessions_of(settings: Settings, address: str) -> tuple[Rate, ...]:
    return (_rate(f"widget:sessions:{address}", settings.widget.sessions_limit),)


def messages_of(settings: Settings, channel: str, visitor: str, address: str) -> tuple[Rate, ...]:
    """An address is a whole office at times; a visitor is one person who types."""
    return (
        _rate(f"widget:messages:{channel}:{visitor}", settings.widget.messages_limit),
        _rate(f"widget:messages-from:{address}", settings.widget.messages_address_limit),
    )


def reads_of(settings: Settings, channel: str, visitor: str, address: str) -> tuple[Rate, ...]:
    return (
        _rate(f"widget:reads:{channel}:{visitor}", settings.widget.reads_limit),
        _rate(f"widget:reads-from:{address}", settings.widget.reads_address_limit),
    )


def _rate(key: str, limit: PerMinute) -> Rate:
    return Rate(key, limit.count, 60.0, burst=limit.burst)


class Limits:
    """The fleet's limiter for an event loop: it asks Redis synchronously, so it works beside the loop. Who is not known
    yet is counted on a thread of its own, and who was told to wait is not asked about again until then."""

    def __init__(self, limiter: Limiter, clock: Clock) -> None:
        self._limiter = limiter
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="limits")
        self._strangers = ThreadPoolExecutor(1, thread_name_prefix="limits of strangers")
        self._refused: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def take(self, rates: tuple[Rate, ...], *, known: bool = True) -> float:
        """0.0: allowed and counted. Otherwise the seconds after which to ask again."""
        keys = tuple(rate.key for rate in rates)
        left_s = self._refused.get(keys, 0.0) - self._clock.monotonic_s()
        if left_s > 0:
            return left_s
        threads = self._threads if known else self._strangers
        wait_s = await asyncio.get_running_loop().run_in_executor(threads, self._limiter.take, rates)
        if wait_s > 0:
            self._refused[keys] = self._clock.monotonic_s() + wait_s
            self._refused.move_to_end(keys)
            if len(self._refused) > REFUSED_MAX:
                self._refused.popitem(last=False)
        else:
            self._refused.pop(keys, None)
        return wait_s

    def close(self) -> None:
        for threads in (self._threads, self._strangers):
            threads.shutdown(wait=False, cancel_futures=True)


def address_of(request: Request, forwarded_hops: int) -> str:
    """Return the address that a request comes from. forwarded_hops: the number of our proxies before the gateway; each
    appends the address it saw to X-Forwarded-For, and what stands left of these anybody may have written."""
    return address_in(request.scope, forwarded_hops)


def address_in(scope: Any, forwarded_hops: int) -> str:
    """The same of an ASGI scope."""
    client = scope.get("client")
    said = client[0] if client else ""
    if forwarded_hops:
        seen = list(_forwarded(scope["headers"]))
        said = seen[-forwarded_hops] if len(seen) >= forwarded_hops else said
    return normal_address(said)


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    """Every address of X-Forwarded-For: a proxy may add a line of its own instead of appending to the one there is."""
    for name, value in headers:
        if name == b"x-forwarded-for":
            yield from (part.strip() for part in value.decode("latin-1").split(",") if part.strip())
