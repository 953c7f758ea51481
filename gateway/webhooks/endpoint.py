"""Platform webhooks: verify the raw bytes, journal them, answer. A 200 is sent only after the journal has the request.

401 wrong secret · 403 wrong verify token · 404 no such app · 405 neither a POST nor a handshake · 408 the body took too
long · 413 too large · 415 not JSON, and not declared as JSON · 422 declared as JSON, but not an object · 429 too many
unknown apps from this address · 503 the journal (or, for an app not yet known, the database) is unavailable, or too
many bytes are being received at once. The body is read only once the app is found and the headers look signed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

import orjson
import structlog

from gateway.http.apps import KnownApp
from gateway.http.bodies import Body, ClientLeft
from gateway.http.edge import Edge
from gateway.http.limits import address_in
from gateway.http.parameters import query_pairs
from gateway.http.refused import Refused
from gateway.webhooks.calls import WebhookCall, WebhookCalls
from shared import faults
from shared.channels.base import Platform
from shared.errors import Transient
from shared.text import storable

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
ONLY_POST = {"allow": "POST"}
FRESH_S = 1.0
"""A secret that does not fit may be new: it is checked again with what was read about the app within this time."""


class Webhooks:
    """ASGI handler of `/webhooks/{platform}/{app}`: POST for webhooks, GET for handshakes."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._calls = WebhookCalls(edge.tally)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = WebhookCall(int(self._edge.clock.now().timestamp() * 1000))
        try:
            challenge = await self._accept(scope, receive, call)
        except Refused as refused:
            await self._end(send, call, refused)
        except ClientLeft:
            return
        except Exception as e:
            # the server would log the error's text, which may quote a customer
            log.error("webhook_failed", request_id=call.request_id, exc_info=e)
            await self._end(send, call, Refused(500, "internal error"))
        else:
            await self._end(send, call, None, challenge)

    async def _end(self, send: Send, call: WebhookCall, refused: Refused | None, challenge: str | None = None) -> None:
        """Answer and count the request, and log its outcome."""
        status = refused.status if refused else 200
        if refused:
            await _refuse(send, refused, call.id_header)
        elif challenge is not None:
            # As text and with nosniff, because the caller chose what is echoed here.
            await _answer(send, 200, [_TEXT, _NOSNIFF, call.id_header], challenge.encode("utf-8", "replace"))
        else:
            body = self._edge.platforms[call.platform].acknowledgement
            await _answer(send, 200, [_JSON if body else _TEXT, call.id_header], body)
        self._calls.answered(call, status)

    async def _accept(self, scope: Scope, receive: Receive, call: WebhookCall) -> str | None:
        """Return once the journal has the request. A handshake is not journalled: what to answer it is returned. Raises
        Refused, ClientLeft."""
        parts = scope["path"].split("/")
        if len(parts) != 4 or parts[2] not in self._edge.platforms:
            raise Refused(404, "the address is /webhooks/{platform}/{app}")
        name = call.platform = parts[2]
        platform = self._edge.platforms[name]
        if scope["method"] == "GET":
            return await self._shake_hands(scope, call, parts[3])
        if scope["method"] != "POST":
            raise Refused(405, "post to this address", headers=ONLY_POST)
        app = self._edge.apps.known(name, parts[3]) or await self._app(scope, name, parts[3])
        call.app_id = app.id
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        body = self._edge.bodies.open(lambda: self._address(scope), known=False)
        try:
            raw = await self._verified(platform, app, parts[3], headers, body, receive)
            call.size_bytes = len(raw)
            return await self._take(platform, app, headers, raw, call)
        finally:
            body.close()

    async def _verified(
        self, platform: Platform, app: KnownApp, slug: str, headers: dict[str, str], body: Body, receive: Receive
    ) -> bytes:
        """Return the body of a request that the platform has signed. If the headers already show that it did not sign
        it, the body is not read. Raises Refused(401), ClientLeft."""
        limit, announced = self._edge.settings.gateway.max_body_bytes, headers.get("content-length", "")
        if platform.signs_body:
            if not platform.signed(headers):
                raise _unsigned()
            raw = await body.read(receive, limit, announced)
            if not platform.verify(headers, raw, app.secrets) and not await self._newly(platform, slug, headers, raw):
                raise _unsigned()
            return raw
        if not platform.verify(headers, b"", app.secrets) and not await self._newly(platform, slug, headers, b""):
            raise _unsigned()
        return await body.read(receive, limit, announced)

    async def _take(
        self, platform: Platform, app: KnownApp, headers: dict[str, str], raw: bytes, call: WebhookCall
    ) -> str | None:
        try:
            body = platform.decode(raw)
        except ValueError:
            if "json" in headers.get("content-type", "application/json"):
                raise Refused(422, "the body should be a JSON object") from None
            raise Refused(415, "the body should be application/json") from None
        challenge = platform.challenge(body)
        if challenge is not None:
            return challenge
        named = headers.get(platform.id_header) if platform.id_header else None
        await self._journal(app.id, platform.shard_key(body), call, raw, storable(named) if named else None)
        return None

    async def _journal(
        self, app_id: int, shard_key: str, call: WebhookCall, raw: bytes, delivery_id: str | None
    ) -> None:
        began = perf_counter()
        faults.reach("gateway.verified")
        try:
            await self._edge.journal.append(
                app_id, shard_key, call.platform, call.received_ms, raw, call.request_id, delivery_id
            )
        except Transient as e:
            raise _unavailable(e) from e
        finally:
            call.journal_s = perf_counter() - began
        faults.reach("gateway.journalled")

    def _address(self, scope: Scope) -> str:
        return address_in(scope, self._edge.settings.gateway.forwarded_hops)

    async def _app(self, scope: Scope, name: str, slug: str, within_s: float | None = None) -> KnownApp:
        try:
            app = await self._edge.apps.find(name, slug, address=self._address(scope), within_s=within_s)
        except Transient as e:
            raise _unavailable(e) from e
        if app is None:
            raise Refused(404, "no such app is connected")
        return app

    async def _shake_hands(self, scope: Scope, call: WebhookCall, slug: str) -> str:
        """Answer a platform's GET that asks whether this address is ours: the answer proves that we know the token."""
        query = dict(query_pairs(scope.get("query_string", b"")))
        app = await self._app(scope, call.platform, slug, FRESH_S)  # somebody is connecting it now
        call.app_id = app.id
        if app.verify_token is None:
            raise Refused(405, "post to this address", headers=ONLY_POST)
        challenge = self._edge.platforms[call.platform].handshake(query, app.verify_token)
        if challenge is None:
            raise Refused(403, "the verify token does not fit this app")
        return challenge

    async def _newly(self, platform: Platform, slug: str, headers: dict[str, str], raw: bytes) -> bool:
        """Whether a secret fits that was set a moment ago. Forged requests cause one look-up a second at most."""
        try:
            app = await self._edge.apps.find(platform.name, slug, within_s=FRESH_S)
        except Transient:
            return False
        return app is not None and platform.verify(headers, raw, app.secrets)


def _unsigned() -> Refused:
    return Refused(401, "the signature or secret does not fit this app")


def _unavailable(error: Transient) -> Refused:
    log.warning("webhook_refused", error=type(error).__name__)
    return Refused(503, "try again shortly", retry_after_s=max(1, round(error.retry_after_s or 1)))


async def _refuse(send: Send, refused: Refused, id_header: tuple[bytes, bytes]) -> None:
    headers = [_JSON, id_header, *((name.encode(), value.encode()) for name, value in refused.headers.items())]
    await _answer(send, refused.status, headers, orjson.dumps({"ok": False, "error": refused.what}))


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    # Without a length the server would send it in chunks: three writes and three system calls.
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
