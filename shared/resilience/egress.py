"""Requests to addresses that customers or companies gave us: they must not reach our own network.

A name is resolved once, every address is judged, and the connection goes to the address that was judged: a second
look-up could answer differently (DNS rebinding). Redirects are judged in the same way, one by one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urljoin

import httpx

from shared.errors import Permanent, Transient
from shared.resilience.addresses import Network, permitted
from shared.resilience.transport import tls

PORTS_BELOW_1024 = (80, 443)
"""Of the well-known ports only the web's: a request must not speak to a mail server."""
REDIRECTS_MAX = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_CONNECT_S = 5.0
EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""For addresses that nobody else gave us."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class EgressRefused(Permanent):
    """The address is none that we send requests to."""

    def __init__(self, why: str) -> None:
        super().__init__("address_refused", why)


class Unreachable(Transient):
    """No answer was had. sent: whether the request may have arrived all the same."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class TooLarge(Permanent):
    """The answer is larger than what was allowed; nothing of it is kept."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("too_large", f"more than {limit_bytes} bytes")


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whole. url: where it came from in the end. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class _Guard(httpx.AsyncBaseTransport):
    """Judges where a request goes, and sends it exactly there."""

    def __init__(self, inner: httpx.AsyncBaseTransport, allowed: Sequence[Network], resolver: Resolve) -> None:
        self._inner = inner
        self._allowed = allowed
        self._resolve = resolver

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in ("http", "https") or not url.host:
            raise EgressRefused("an address begins with https:// or http://")
        if url.userinfo:
            raise EgressRefused("an address holds no user name and no password")
        port = url.port or (443 if url.scheme == "https" else 80)
        if port > 65_535 or (port < 1024 and port not in PORTS_BELOW_1024):
            raise EgressRefused(f"port {port} is no web server's")
        address = await self._judged(url.host, port)
        # the Host header keeps the name; the certificate is held against it, too
        request.url = url.copy_with(host=address)
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        return await self._inner.handle_async_request(request)

    async def _judged(self, host: str, port: int) -> str:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpx.ConnectError("the name has no address") from None
        if not found:
            raise httpx.ConnectError("the name has no address")
        if not all(permitted(address, self._allowed) for address in found):
            raise EgressRefused("the name stands for an address inside a private network")
        return found[0]

    async def aclose(self) -> None:
        await self._inner.aclose()


class Egress:
    """A guarded HTTP client. Use it on one event loop; close it there."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        connections: int = 50,
        resolver: Resolve = resolve,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """allowed: networks beside the public ones (EGRESS_ALLOW). transport: for tests, instead of sockets."""
        # No connection is kept: two names with one address would share it, and with it the certificate of one.
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        inner = transport or httpx.AsyncHTTPTransport(verify=tls(), limits=limits, trust_env=False)
        self._http = httpx.AsyncClient(
            transport=_Guard(inner, allowed, resolver),
            timeout=httpx.Timeout(30.0, connect=_CONNECT_S, pool=_CONNECT_S),
            follow_redirects=False,
            trust_env=False,
        )

    @property
    def client(self) -> httpx.AsyncClient:
        """The guarded client itself, for whoever bounds time and answer himself. Requests raise EgressRefused, too."""
        return self._http

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str], *, deadline_s: float, max_bytes: int = 64 * 1024
    ) -> Fetched:
        """Post once; redirects are not followed. The answer is cut at max_bytes.

        Raises EgressRefused (nothing was sent), Unreachable.
        """
        request = self._request("POST", url, headers, content)
        return await self._within(deadline_s, self._exchange(request, max_bytes, cut=True))

    async def get(
        self, url: str, *, deadline_s: float, max_bytes: int, headers: Mapping[str, str] | None = None
    ) -> Fetched:
        """Fetch; follows up to REDIRECTS_MAX redirects, each judged anew. `headers` go to the first address only.

        deadline_s: wall clock for everything. Raises EgressRefused, Unreachable, TooLarge.
        """
        return await self._within(deadline_s, self._follow(url, headers or {}, max_bytes))

    async def _follow(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Fetched:
        for _ in range(REDIRECTS_MAX + 1):
            fetched = await self._exchange(self._request("GET", url, headers), max_bytes, cut=False)
            location = fetched.headers.get("location")
            if fetched.status not in _REDIRECTS or not location:
                return fetched
            url, headers = urljoin(url, location), {}
        raise EgressRefused(f"more than {REDIRECTS_MAX} redirects")

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> httpx.Request:
        try:
            # identity: a compressed answer could be small on the wire and large here
            fields = {"accept-encoding": "identity", "user-agent": "Switchboard", **headers}
            return self._http.build_request(method, url, headers=fields, content=content)
        except (httpx.InvalidURL, UnicodeError, TypeError, ValueError):
            raise EgressRefused("this is no address") from None

    async def _exchange(self, request: httpx.Request, max_bytes: int, *, cut: bool) -> Fetched:
        url = str(request.url)
        try:
            response = await self._http.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as e:
            raise Unreachable(type(e).__name__, sent=False) from e
        except httpx.HTTPError as e:
            raise Unreachable(type(e).__name__, sent=True) from e
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unreachable("encoded though it was asked not to be", sent=True)  # it may unfold to anything
            said = response.headers.get("content-length", "")
            if not cut and said.isdigit() and int(said) > max_bytes:
                raise TooLarge(max_bytes)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    if not cut:
                        raise TooLarge(max_bytes)
                    break
            return Fetched(response.status_code, dict(response.headers), bytes(body[:max_bytes]), url)
        except (httpx.HTTPError, httpx.StreamError) as e:
            raise Unreachable(type(e).__name__, sent=True) from e
        finally:
            await response.aclose()

    async def _within(self, deadline_s: float, work: Awaitable[Fetched]) -> Fetched:
        try:
            return await asyncio.wait_for(work, deadline_s)
        except TimeoutError as e:
            raise Unreachable("TimeoutError", sent=True) from e

    async def aclose(self) -> None:
        await self._http.aclose()
