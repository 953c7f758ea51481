"""Platform webhooks: check the raw bytes, journal them, answer. A 200 is a promise and comes after the journal.

401 the secret is wrong · 404 no such app · 405 not a POST · 413 too large · 415 neither JSON nor said to be ·
422 said to be JSON and no object · 503 the journal (or, for an app not yet known, the database) cannot say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import structlog

from gateway.edge import Edge
from shared.channels.body import decode_object
from shared.errors import Transient

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_OK = b'{"ok":true}'


class _Refused(Exception):
    """An answer other than 200. `what` says what to change."""

    def __init__(self, status: int, what: str, retry_after_s: int | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.retry_after_s = retry_after_s


class ClientLeft(Exception):
    """The platform hung up before its body was whole; there is nobody to answer."""


class Webhooks:
    """ASGI handler of `POST /webhooks/{platform}/{app}`."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._accept(scope, receive)
        except _Refused as refused:
            await _refuse(send, refused)
        except ClientLeft:
            return
        except Exception as e:
            # the server would print the error's text, which may quote content
            log.error("webhook_failed", exc_info=e)
            await _refuse(send, _Refused(500, "internal error"))
        else:
            await _answer(send, 200, [_JSON], _OK)

    async def _accept(self, scope: Scope, receive: Receive) -> None:
        """Returns once the journal has the request. Raises _Refused, ClientLeft."""
        parts = scope["path"].split("/")
        if len(parts) != 4 or parts[2] not in self._edge.platforms:
            raise _Refused(404, "the address is /webhooks/{platform}/{app}")
        if scope["method"] != "POST":
            raise _Refused(405, "post to this address")
        name = parts[2]
        platform = self._edge.platforms[name]
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        raw = await self._body(headers, receive)
        try:
            app = await self._edge.apps.find(name, parts[3])
        except Transient as e:
            raise _unavailable(e) from e
        if app is None:
            raise _Refused(404, "no such app is connected")
        if not platform.verify(headers, raw, app.secrets):
            raise _Refused(401, "the signature or secret does not fit this app")
        try:
            body = decode_object(raw)
        except ValueError:
            if "json" in headers.get("content-type", "application/json"):
                raise _Refused(422, "the body should be a JSON object") from None
            raise _Refused(415, "the body should be application/json") from None
        received_ms = int(self._edge.clock.now().timestamp() * 1000)
        try:
            await self._edge.journal.append(app.id, platform.shard_key(body), name, received_ms, raw)
        except Transient as e:
            raise _unavailable(e) from e

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        limit = self._edge.settings.gateway_max_body_bytes
        said = headers.get("content-length", "")
        if said.isdigit() and int(said) > limit:
            raise _Refused(413, f"the body may have {limit} bytes")
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise _Refused(413, f"the body may have {limit} bytes")
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)


def _unavailable(error: Transient) -> _Refused:
    log.warning("webhook_refused", error=type(error).__name__)
    return _Refused(503, "try again shortly", retry_after_s=max(1, round(error.retry_after_s or 1)))


async def _refuse(send: Send, refused: _Refused) -> None:
    headers = [_JSON]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", str(refused.retry_after_s).encode()))
    if refused.status == 405:
        headers.append((b"allow", b"POST"))
    await _answer(send, refused.status, headers, orjson.dumps({"ok": False, "error": refused.what}))


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
