"""An httpx transport on aiohttp's connections, for clients with many concurrent requests: it takes a third of the CPU
time per call that httpcore takes.

docs/decisions/0011-httpx-over-aiohttp.md says why, and why no existing adapter is used.
"""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from yarl import URL


@cache
def tls() -> ssl.SSLContext:
    """Return one TLS context for all HTTP clients of the process: reading the certificates takes 50 ms of CPU, and a
    process has six clients."""
    return httpx.create_ssl_context()


def no_cookies() -> CookieJar:
    """Return a jar that takes nothing, for clients with which many companies talk to one server: a cookie of one must
    not go out with the requests of another, and a server could fill a process' memory with them."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def mounts(connections: int, keepalive_s: float) -> dict[str, httpx.AsyncBaseTransport] | None:
    """Return the `mounts` of httpx.AsyncClient; None if the environment names a proxy, which httpx then uses."""
    if urllib.request.getproxies():
        return None
    return {"all://": AiohttpTransport(connections, keepalive_s)}


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Used on one event loop, that of its first request.

    The extension `sni_hostname` names the host whose certificate is wanted where the URL has its address; a kept
    connection is used again for the same name alone.

    connections: how many requests may be under way; a further one waits up to its `pool` timeout and then gets
    PoolTimeout. keepalive_s: how long an idle connection is kept.
    Raises httpx's errors as httpcore does. ConnectError, ConnectTimeout, PoolTimeout and UnsupportedProtocol mean that
    nothing of the request was sent: callers decide by them whether to send it again.
    """

    def __init__(self, connections: int, keepalive_s: float) -> None:
        self._keepalive_s = keepalive_s
        self._places = asyncio.Semaphore(connections)
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        await self._take_place(timeouts.get("pool"))
        try:
            with _as_httpx():
                answer = await self._opened().request(
                    request.method,
                    URL(str(request.url), encoded=True),
                    headers=request.headers,
                    data=await request.aread() or None,
                    allow_redirects=False,
                    server_hostname=request.extensions.get("sni_hostname"),
                    timeout=aiohttp.ClientTimeout(
                        sock_connect=timeouts.get("connect"), sock_read=timeouts.get("read"),
                    ),
                )  # fmt: skip
        except BaseException:
            self._places.release()
            raise
        return httpx.Response(
            answer.status, headers=answer.raw_headers, stream=_Body(answer, self._places), request=request
        )

    async def _take_place(self, within_s: float | None) -> None:
        if not self._places.locked():  # the usual case, without a timer
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(within_s):
                await self._places.acquire()
        except TimeoutError as e:
            raise httpx.PoolTimeout("all connections are in use") from e

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=self._keepalive_s, ssl=tls()),
                cookie_jar=aiohttp.DummyCookieJar(),  # many companies share the session
                auto_decompress=False,  # httpx does it
                trust_env=False,
            )
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Body(httpx.AsyncByteStream):
    """A response's body. Its request counts as under way until it is closed."""

    def __init__(self, answer: aiohttp.ClientResponse, places: asyncio.Semaphore) -> None:
        self._answer, self._places = answer, places
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for piece in self._answer.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._answer.release()  # closes the connection if the body was not read to its end
            self._places.release()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Translate aiohttp's errors, subclasses before their base classes."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as e:
        raise httpx.ConnectTimeout(type(e).__name__) from e
    except aiohttp.ServerTimeoutError as e:
        raise httpx.ReadTimeout(type(e).__name__) from e
    except (aiohttp.ClientConnectorError, aiohttp.ServerFingerprintMismatch) as e:
        raise httpx.ConnectError(type(e).__name__) from e
    except aiohttp.NonHttpUrlClientError as e:
        raise httpx.UnsupportedProtocol(type(e).__name__) from e
    except aiohttp.InvalidURL as e:
        raise httpx.UnsupportedProtocol(type(e).__name__) from e
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as e:
        raise httpx.RemoteProtocolError(type(e).__name__) from e
    except (aiohttp.ClientError, OSError) as e:
        raise httpx.ReadError(type(e).__name__) from e
    except ValueError as e:  # a header that cannot be sent; its text is not quoted, it may be secret
        raise httpx.LocalProtocolError(type(e).__name__) from e
