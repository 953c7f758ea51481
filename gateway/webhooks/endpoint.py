"""Platform webhooks: check the raw bytes, journal them, answer. A 200 is a promise and comes after the journal.

401 the secret is wrong · 404 no such app · 403 the verify token is wrong · 405 neither a POST nor a handshake ·
408 the body took too long · 413 too large · 415 neither JSON nor said to be · 422 said to be JSON and no object ·
429 too many unknown apps from this address · 503 the journal (or, for an app not yet known, the database) cannot say,
or too many bytes are under way. The body is read after the app was found and, as far as the headers can tell, signed.
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
"""A wrong secret may be a new one: then what is known of the app may be no older than this."""


class Webhooks:
    """ASGI handler of `POST /webhooks/{platform}/{app}`."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._visits = WebhookCalls(edge.tally)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = WebhookCall(int(self._edge.clock.now().timestamp() * 1000))
        try:
            challenge = await self._accept(scope, receive, visit)
        except Refused as refused:
            await self._end(send, visit, refused)
        except ClientLeft:
            return
        except Exception as e:
            # the server would print the error's text, which may quote content
            log.error("webhook_failed", request_id=visit.request_id, exc_info=e)
            await self._end(send, visit, Refused(500, "internal error"))
        else:
            await self._end(send, visit, None, challenge)

    async def _end(self, send: Send, visit: WebhookCall, refused: Refused | None, challenge: str | None = None) -> None:
        """Answer, count, and write one line: the first of those that bear this request's id."""
        status = refused.status if refused else 200
        if refused:
            await _refuse(send, refused, visit.id_header)
        elif challenge is not None:
            # text and nosniff: what is echoed here was written by the caller
            await _answer(send, 200, [_TEXT, _NOSNIFF, visit.id_header], challenge.encode("utf-8", "replace"))
        else:
            body = self._edge.platforms[visit.platform].acknowledgement
            await _answer(send, 200, [_JSON if body else _TEXT, visit.id_header], body)
        self._visits.answered(visit, status)

    async def _accept(self, scope: Scope, receive: Receive, visit: WebhookCall) -> str | None:
        """Returns once the journal has the request; a handshake is not journalled, its answer is returned. Raises
        Refused, ClientLeft."""
        parts = scope["path"].split("/")
        if len(parts) != 4 or parts[2] not in self._edge.platforms:
            raise Refused(404, "the address is /webhooks/{platform}/{app}")
        name = visit.platform = parts[2]
        platform = self._edge.platforms[name]
        if scope["method"] == "GET":
            return await self._shake_hands(scope, visit, parts[3])
        if scope["method"] != "POST":
            raise Refused(405, "post to this address", headers=ONLY_POST)
        app = self._edge.apps.known(name, parts[3]) or await self._app(scope, name, parts[3])
        visit.app_id = app.id
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        body = self._edge.bodies.open(lambda: self._address(scope), known=False)
        try:
            raw = await self._verified(platform, app, parts[3], headers, body, receive)
            visit.size_bytes = len(raw)
            return await self._take(platform, app, headers, raw, visit)
        finally:
            body.close()

    async def _verified(
        self, platform: Platform, app: KnownApp, slug: str, headers: dict[str, str], body: Body, receive: Receive
    ) -> bytes:
        """The body, which the platform has sent. It is not read where the headers alone say that it has not."""
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
        self, platform: Platform, app: KnownApp, headers: dict[str, str], raw: bytes, visit: WebhookCall
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
        await self._journal(app.id, platform.shard_key(body), visit, raw, storable(named) if named else None)
        return None

    async def _journal(
        self, app_id: int, shard_key: str, visit: WebhookCall, raw: bytes, delivery_id: str | None
    ) -> None:
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

    async def _shake_hands(self, scope: Scope, visit: WebhookCall, slug: str) -> str:
        """A platform asks by GET whether this address is ours; the answer proves that we know the token."""
        query = dict(query_pairs(scope.get("query_string", b"")))
        app = await self._app(scope, visit.platform, slug, FRESH_S)  # a person is just connecting it
        visit.app_id = app.id
        if app.verify_token is None:
            raise Refused(405, "post to this address", headers=ONLY_POST)
        challenge = self._edge.platforms[visit.platform].handshake(query, app.verify_token)
        if challenge is None:
            raise Refused(403, "the verify token does not fit this app")
        return challenge

    async def _newly(self, platform: Platform, slug: str, headers: dict[str, str], raw: bytes) -> bool:
        """Whether a secret fits that was made a moment ago. Strangers so cause one look-up a second, and no more."""
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
    # with its length: chunked, it would be three writes and three system calls
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
