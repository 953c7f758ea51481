"""Requests to URLs that customers or companies gave us, guarded so that they cannot reach our own network.

A name is resolved once, every address of it is checked, and the connection goes to a checked address: a second look-up
could answer differently (DNS rebinding). Each redirect is checked in the same way. Allowed is the public network
(shared/resilience/addresses.py) on the web's ports, and what EGRESS_ALLOW names for the request's purpose. Proxies from
the environment are not used.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from shared.errors import Permanent, ServiceFailed
from shared.openings import PUBLIC, PURPOSES, Opening, Purpose
from shared.resilience.addresses import Address, is_public, is_written_as_number, parsed
from shared.resilience.transport import no_cookies, tls

WEB_PORTS = (80, 443)
"""Other ports only by EGRESS_ALLOW: a public address may be ours, with a database on another port."""
REDIRECTS_MAX = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_CONNECT_S = 5.0
_HOST = re.compile(r"[a-z0-9_.-]{1,253}|[0-9a-f:.]{2,45}", re.IGNORECASE)
"""A name in ASCII, or an IPv6 address without brackets."""

Origin = tuple[str, str, int]
"""Scheme, host and port of an address."""
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class EgressRefused(Permanent):
    """The address is not allowed; nothing was sent."""

    def __init__(self, why: str) -> None:
        super().__init__("address_refused", why)


class Unreachable(ServiceFailed):
    """There was no response. sent: whether the request may have arrived nevertheless."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class TooLarge(Permanent):
    """The answer is larger than allowed; none of it is kept."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("too_large", f"more than {limit_bytes} bytes")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete answer. url: where it came from after redirects. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return all addresses of a name, by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def origin_of(url: str) -> Origin:
    """Return the origin of a URL. Raises ValueError if it is not a web address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a web address")
    return parts.scheme, parts.hostname, parts.port or _usual_port(parts.scheme)


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


class _Guard(httpx.AsyncBaseTransport):
    """Checks where the requests of one purpose go, and sends each exactly to the address that was checked."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        openings: Sequence[Opening],
        trusted: Sequence[Origin],
        resolver: Resolve,
    ) -> None:
        self._inner = inner
        self._openings = openings
        self._trusted = trusted
        self._resolve = resolver

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        # raw_host is what is sent; `host` would decode an international name, which a resolver may encode differently.
        host = url.raw_host.decode("ascii").lower()
        if url.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise EgressRefused("not an address that begins with https:// or http:// and a host")
        if url.userinfo:
            raise EgressRefused("the address holds a user name or password")
        port = _usual_port(url.scheme) if url.port is None else url.port
        if (url.scheme, host, port) in self._trusted:
            return await self._inner.handle_async_request(request)
        address = await self._judged(host, port)
        # The Host header keeps the name, and the certificate is checked against it.
        request.url = url.copy_with(host=address)
        request.extensions = {**request.extensions, "sni_hostname": host}
        return await self._inner.handle_async_request(request)

    async def check(self, url: httpx.URL) -> None:
        """Raises EgressRefused for an address that no request may go to; httpx.ConnectError for a name without one."""
        if url.scheme not in ("http", "https"):
            raise EgressRefused("not a web address")
        await self._judged(
            url.raw_host.decode("ascii").lower(), _usual_port(url.scheme) if url.port is None else url.port
        )

    async def _judged(self, host: str, port: int) -> str:
        openings = [one for one in self._openings if one.port == port]
        if port not in WEB_PORTS and not openings:
            raise EgressRefused(f"port {port} is not open; see EGRESS_ALLOW")
        for address in (found := await self._addresses(host, port)):
            meant = parsed(address)
            if meant is None or not _may_be_reached(host, meant, port, openings):
                raise EgressRefused("the host has an address inside a private network, or one that is not open")
        return found[0]

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        if ":" in host or is_written_as_number(host):
            # Only the usual form: programs disagree about which address 0127.0.0.1 or 2130706433 is.
            if parsed(host) is None:
                raise EgressRefused("the IP address is not written in its usual form")
            return [host]
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpx.ConnectError("the name has no address") from None
        if not found:
            raise httpx.ConnectError("the name has no address")
        return found

    async def aclose(self) -> None:
        await self._inner.aclose()


def _may_be_reached(host: str, address: Address, port: int, openings: Sequence[Opening]) -> bool:
    """Return whether a request may go to this address. openings: those for the port."""
    if any(one.opens(host, address) for one in openings):
        return True
    return is_public(address) and (port in WEB_PORTS or any(one.host == PUBLIC for one in openings))


class Egress:
    """Guarded HTTP clients, one for each purpose. Used and closed on one event loop."""

    def __init__(
        self,
        openings: Sequence[Opening] = (),
        *,
        trusted: Sequence[str] = (),
        connections: int = 50,
        resolver: Resolve = resolve,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """openings: what EGRESS_ALLOW names. trusted: addresses that the operator's settings name; requests to their
        origins (scheme, host and port) are not checked. transport: instead of connections that are used once; it
        keeps to the `sni_hostname` of a request.
        """
        # No connection is reused: two names with one address would share it, and with it the certificate of one name.
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        inner = transport or httpx.AsyncHTTPTransport(verify=tls(), limits=limits, trust_env=False)
        origins = [origin_of(url) for url in trusted]
        self._guards = {
            purpose: _Guard(inner, [one for one in openings if one.purpose == purpose], origins, resolver)
            for purpose in PURPOSES
        }
        self._clients = {
            purpose: httpx.AsyncClient(
                transport=self._guards[purpose],
                timeout=httpx.Timeout(30.0, connect=_CONNECT_S, pool=_CONNECT_S),
                follow_redirects=False,
                trust_env=False,
                cookies=no_cookies(),
            )
            for purpose in PURPOSES
        }

    def client(self, purpose: Purpose) -> httpx.AsyncClient:
        """Return a guarded client, for callers that bound time and size themselves. Its requests raise EgressRefused,
        too."""
        return self._clients[purpose]

    async def check(self, url: str, purpose: Purpose, *, deadline_s: float = _CONNECT_S) -> None:
        """Look whether a request to this address would be let through. Raises EgressRefused; Unreachable if its name
        has no address just now."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._guards[purpose].check(httpx.URL(url))
        except httpx.InvalidURL:
            raise EgressRefused("not a valid address") from None
        except (TimeoutError, httpx.ConnectError) as e:
            raise Unreachable(type(e).__name__, sent=False) from e

    async def post(
        self,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        deadline_s: float,
        max_bytes: int = 64 * 1024,
        purpose: Purpose = "send",
    ) -> Fetched:
        """Post once; redirects are not followed. The answer is cut at max_bytes.

        Raises EgressRefused (nothing was sent), Unreachable.
        """
        request = self._request("POST", url, headers, content, purpose=purpose)
        return await self._within(deadline_s, self._exchange(request, max_bytes, cut=True, purpose=purpose))

    async def get(
        self,
        url: str,
        *,
        purpose: Purpose,
        deadline_s: float,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Fetch a URL, following up to REDIRECTS_MAX checked redirects. `headers` go to the first address only.

        deadline_s: wall-clock time for all of it. Raises EgressRefused, Unreachable, TooLarge.
        """
        return await self._within(deadline_s, self._follow(url, headers or {}, max_bytes, purpose))

    async def _follow(self, url: str, headers: Mapping[str, str], max_bytes: int, purpose: Purpose) -> Fetched:
        for _ in range(REDIRECTS_MAX + 1):
            request = self._request("GET", url, headers, purpose=purpose)
            fetched = await self._exchange(request, max_bytes, cut=False, purpose=purpose)
            location = fetched.headers.get("location")
            if fetched.status not in _REDIRECTS or not location:
                return fetched
            url, headers = _joined(url, location), {}
        raise EgressRefused(f"more than {REDIRECTS_MAX} redirects")

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None, *, purpose: Purpose
    ) -> httpx.Request:
        try:
            # identity: a small compressed answer could unpack to any size
            fields = {"accept-encoding": "identity", "user-agent": "Switchboard", **headers}
            return self._clients[purpose].build_request(method, url, headers=fields, content=content)
        except (httpx.InvalidURL, UnicodeError, TypeError, ValueError):
            raise EgressRefused("not a valid address") from None

    async def _exchange(self, request: httpx.Request, max_bytes: int, *, cut: bool, purpose: Purpose) -> Fetched:
        url = str(request.url)
        try:
            response = await self._clients[purpose].send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as e:
            raise Unreachable(type(e).__name__, sent=False) from e
        except (httpx.InvalidURL, UnicodeError):  # found only when the client reads the address again
            raise EgressRefused("not a valid address") from None
        except httpx.HTTPError as e:
            raise Unreachable(type(e).__name__, sent=True) from e
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unreachable("the answer is compressed, which was not asked for", sent=True)
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
        for client in self._clients.values():
            await client.aclose()


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise EgressRefused("the redirect does not lead to a valid address") from None
