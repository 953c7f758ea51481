"""One request to a platform's send API, whichever platform it is: what never left, what broke, what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared import faults
from shared.channels.body import decode_object
from shared.channels.fields import number_id
from shared.errors import ServiceFailed, Transient
from shared.model import SendOutcome

BODY_LIMIT_BYTES = 64 * 1024
RETRY_AFTER_MAX_S = 86_400.0

# Nothing of the request has left this machine for the platform.
NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
BROKEN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)


@dataclass(frozen=True, slots=True)
class Response:
    """What a platform answered. body: empty if it was no JSON object. retry_after: the header of that name."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    retry_after: str | None = None

    @property
    def retry_after_s(self) -> float | None:
        """How long the header asks us to wait, at most a day; None if it does not say in seconds."""
        asked = number_id((self.retry_after or "").strip())
        return None if asked is None else min(max(float(asked), 0.0), RETRY_AFTER_MAX_S)


def not_said(what: str, response: Response, retry_after_s: float | None = None) -> Transient:
    """What it means that a platform does not say now what it was asked: a fault of its own (5xx), or a refusal."""
    kind = ServiceFailed if response.status >= 500 else Transient
    asked_s = response.retry_after_s if retry_after_s is None else retry_after_s
    return kind(f"{what}: answered {response.status}", retry_after_s=asked_s)


async def exchange(
    http: httpx.AsyncClient, url: str, content: bytes, headers: Mapping[str, str]
) -> Response | SendOutcome:
    """Post a part once: what was answered, or what it means that nothing was."""
    faults.reach("deliver.before_write")
    response: Response | None = None
    never_left = False
    try:
        response = await post(http, url, content, headers)
    except NEVER_LEFT:
        never_left = True
    except BROKEN:
        # The request left, wholly or in part; the platform may have acted on it.
        never_left = False
    faults.reach("deliver.after_write")
    if response is not None:
        return response
    if never_left:
        return SendOutcome("retry", "no_connection")
    return SendOutcome("unknown_outcome", "connection_lost")


async def post(http: httpx.AsyncClient, url: str, content: bytes, headers: Mapping[str, str]) -> Response:
    """One request; follows no redirect and reads at most BODY_LIMIT_BYTES of its answer. Raises one of BROKEN."""
    return await _request(http, "POST", url, {"content-type": "application/json; charset=utf-8", **headers}, content)


async def get(http: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> Response:
    """As `post`, without a body."""
    return await _request(http, "GET", url, headers)


async def _request(
    http: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None
) -> Response:
    # identity: a compressed answer could be small on the wire and large here
    fields = {"accept-encoding": "identity", **headers}
    async with http.stream(method, url, content=content, headers=fields, follow_redirects=False) as response:
        raw = bytearray()
        if response.headers.get("content-encoding", "identity").strip().lower() in ("", "identity"):
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > BODY_LIMIT_BYTES:
                    break
    try:
        body = decode_object(bytes(raw[:BODY_LIMIT_BYTES]))
    except ValueError:
        body = {}  # a proxy's page, cut off, or compressed: the status says the rest
    return Response(response.status_code, body, response.headers.get("retry-after"))
