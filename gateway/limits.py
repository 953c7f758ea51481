"""How much one address and one visitor may ask for; counted in Redis for all gateways, alone while it is away."""

from __future__ import annotations

import asyncio
import ipaddress
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request

from shared.model import Rate
from shared.resilience.limiter import Limiter
from shared.settings import PerMinute, Settings

THREADS = 2
UNKNOWN = "unknown"


def sessions_of(settings: Settings, address: str) -> tuple[Rate, ...]:
    return (_rate(f"widget:sessions:{address}", settings.widget_sessions_limit),)


def messages_of(settings: Settings, channel: str, visitor: str, address: str) -> tuple[Rate, ...]:
    """An address is a whole office at times; a visitor is one person who types."""
    return (
        _rate(f"widget:messages:{channel}:{visitor}", settings.widget_messages_limit),
        _rate(f"widget:messages-from:{address}", settings.widget_messages_address_limit),
    )


def reads_of(settings: Settings, channel: str, visitor: str, address: str) -> tuple[Rate, ...]:
    return (
        _rate(f"widget:reads:{channel}:{visitor}", settings.widget_reads_limit),
        _rate(f"widget:reads-from:{address}", settings.widget_reads_address_limit),
    )


def attempts_of(settings: Settings, address: str) -> tuple[Rate, ...]:
    """Requests without a good token."""
    return (_rate(f"widget:attempts:{address}", settings.widget_attempts_limit),)


def _rate(key: str, limit: PerMinute) -> Rate:
    return Rate(key, limit.count, 60.0, burst=limit.burst)


class Limits:
    """The fleet's limiter for an event loop: it asks Redis synchronously, so it works beside the loop."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="limits")

    async def take(self, rates: tuple[Rate, ...]) -> float:
        """0.0: allowed and counted. Otherwise the seconds after which to ask again."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._limiter.take, rates)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def address_of(request: Request, forwarded_hops: int) -> str:
    """Whom a request comes from. forwarded_hops: how many proxies of ours stand before the gateway; each appends
    the address it saw to X-Forwarded-For, and what stands left of these anybody may have written."""
    said = request.client.host if request.client is not None else ""
    if forwarded_hops:
        seen = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
        said = seen[-forwarded_hops] if len(seen) >= forwarded_hops else said
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))  # one household has so many
    return str(address)
