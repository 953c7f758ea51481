"""Platform webhooks: check the raw bytes, journal them, answer. A 200 is a promise and comes after the journal.

401 the secret is wrong · 404 no such app · 403 the verify token is wrong · 405 neither a POST nor a handshake ·
413 too large · 415 neither JSON nor said to be ·
422 said to be JSON and no object · 503 the journal (or, for an app not yet known, the database) cannot say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import orjson
import structlog

from gateway.apps import KnownApp
from gateway.edge import Edge
from gateway.visit import Visit, Visits
from shared import faults
from shared.channels.text import storable
from shared.errors import Transient

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
FRESH_S = 1.0
"""A wrong secret may be a new one: then what is known of the app may be no older than this."""


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
        self._visits = Visits(edge.tally)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(int(self._edge.clock.now().timestamp() * 1000))
        try:
            challenge = await self._accept(scope, receive, visit)
        except _Refused as refused:
            await self._end(send, visit, refused)
        except ClientLeft:
            return
        except Exception as e:
            # the server would print the error's text, which may quote content
            log.error("webhook_failed", request_id=visit.request_id, exc_info=e)
            await self._end(send, visit, _Refused(500, "internal error"))
        else:
            await self._end(send, visit, None, challenge)

    async def _end(self, send: Send, visit: Visit, refused: _Refused | None, challenge: str | None = None) -> None:
        """Answer, count, and write one line: the first of those that bear this request's id."""
        status = refused.status if refused else 200
        if refused:
            await _refuse(send, refused, visit.id_header)
        elif challenge is not None:
            # text and nosniff: what is echoed here was written by whoever asks
            await _answer(send, 200, [_TEXT, _NOSNIFF, visit.id_header], challenge.encode("utf-8", "replace"))
        else:
            body = self._edge.platforms[visit.platform].acknowledgement
            await _answer(send, 200, [_JSON if body else _TEXT, visit.id_header], body)
        self._visits.answered(visit, status)

    async def _accept(self, scope: Scope, receive: Receive, visit: Visit) -> str | None:
        """Returns once the journal has the request; a handshake is not journalled, its answer is returned. Raises
        _Refused, ClientLeft."""
        parts = scope["path"].split("/")
        if len(parts) != 4 or parts[2] not in self._edge.platforms:
            raise _Refused(404, "the address is /webhooks/{platform}/{app}")
        name = visit.platform = parts[2]
        platform = self._edge.platforms[name]
        if scope["method"] == "GET":
            return await self._shake_hands(scope, visit, parts[3])
        if scope["method"] != "POST":
            raise _Refused(405, "post to this address")
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        raw = await self._body(headers, receive)
        visit.size_bytes = len(raw)
        app = self._edge.apps.known(name, parts[3]) or await self._app(name, parts[3])
        visit.app_id = app.id
        if not platform.verify(headers, raw, app.secrets) and not await self._newly(name, parts[3], headers, raw):
            raise _Refused(401, "the signature or secret does not fit this app")
        try:
            body = platform.decode(raw)
        except ValueError:
            if "json" in headers.get("content-type", "application/json"):
                raise _Refused(422, "the body should be a JSON object") from None
            raise _Refused(415, "the body should be application/json") from None
        challenge = platform.challenge(body)
        if challenge is not None:
            return challenge
        named = headers.get(platform.id_header) if platform.id_header else None
        await self._journal(app.id, platform.shard_key(body), visit, raw, storable(named) if named else None)
        return None

    async def _journal(self, app_id: int, shard_key: str, visit: Visit, raw: bytes, delivery_id: str | None) -> None:
        began = perf_counter()
        faults.reach("gateway.verified")
        try:
            await self._edge.journal.append(
                app_id, shard_key, visit.platform, visit.received_ms, raw, visit.request_id, delivery_id
            )
        except Transient as e:
            raise _unavailable(e) from e
        finally:
            visit.journal_s = perf_counter() - began
        faults.reach("gateway.journalled")

    async def _app(self, name: str, slug: str, within_s: float | None = None) -> KnownApp:
        try:
            app = await self._edge.apps.find(name, slug, within_s=within_s)
        except Transient as e:
            raise _unavailable(e) from e
        if app is None:
            raise _Refused(404, "no such app is connected")
        return app

    async def _shake_hands(self, scope: Scope, visit: Visit, slug: str) -> str:
        """A platform asks by GET whether this address is ours; the answer proves that we know the token."""
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        app = await self._app(visit.platform, slug, FRESH_S)  # a person is just connecting it
        visit.app_id = app.id
        if app.verify_token is None:
            raise _Refused(405, "post to this address")
        challenge = self._edge.platforms[visit.platform].handshake(query, app.verify_token)
        if challenge is None:
            raise _Refused(403, "the verify token does not fit this app")
        return challenge

    async def _newly(self, name: str, slug: str, headers: dict[str, str], raw: bytes) -> bool:
        """Whether a secret fits that was made a moment ago. Strangers so cause one look-up a second, and no more."""
        try:
            app = await self._edge.apps.find(name, slug, within_s=FRESH_S)
        except Transient:
            return False
        return app is not None and self._edge.platforms[name].verify(headers, raw, app.secrets)

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


async def _refuse(send: Send, refused: _Refused, id_header: tuple[bytes, bytes]) -> None:
    headers = [_JSON, id_header]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", str(refused.retry_after_s).encode()))
    if refused.status == 405:
        headers.append((b"allow", b"POST"))
    await _answer(send, refused.status, headers, orjson.dumps({"ok": False, "error": refused.what}))


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    # with its length: chunked, it would be three writes and three system calls
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
