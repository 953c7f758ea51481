"""Many small connection pools instead of a large one, for HTTP clients with a hundred requests under way."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator

import httpx

POOLS = 32


def mounts(connections: int, keepalive_s: float) -> dict[str, httpx.AsyncBaseTransport] | None:
    """For httpx.AsyncClient(mounts=…). None where the environment names a proxy: that is httpx' own to follow."""
    if urllib.request.getproxies():
        return None
    return {"all://": SpreadTransport(connections, keepalive_s)}


class SpreadTransport(httpx.AsyncBaseTransport):
    """Each request goes to the first of the pools that has the fewest under way.

    A pool of httpcore looks at all of its connections whenever a request begins or ends, and asks the kernel about each
    idle one: with 100 requests at a time over one pool a request cost 2 to 13 ms of CPU, over 32 pools 1.2 ms.

    connections: at most, all pools together, rounded up; beyond it a request waits for its pool.
    """

    def __init__(self, connections: int, keepalive_s: float, *, pools: int = POOLS) -> None:
        each = -(-connections // pools)
        limits = httpx.Limits(
            max_connections=each, max_keepalive_connections=each, keepalive_expiry=keepalive_s
        )  # fmt: skip
        context = httpx.create_ssl_context()  # made once: it reads the system's certificates
        self._pools = [httpx.AsyncHTTPTransport(verify=context, limits=limits) for _ in range(pools)]
        self._under_way = [0] * pools

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        place = min(range(len(self._pools)), key=self._under_way.__getitem__)
        self._under_way[place] += 1
        try:
            response = await self._pools[place].handle_async_request(request)
        except BaseException:
            self._under_way[place] -= 1
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, self._under_way, place)
        return response

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


class _Counted(httpx.AsyncByteStream):
    """A response's body, under way until it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, under_way: list[int], place: int) -> None:
        self._stream, self._under_way, self._place = stream, under_way, place
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._under_way[self._place] -= 1
        await self._stream.aclose()
