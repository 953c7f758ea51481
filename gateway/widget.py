"""The web-chat widget's channel: a visitor's session, messages in through the journal, messages out of the table.

401 no good token · 403 a page that is not allowed · 404 no such widget · 413 too large · 422 not as described ·
429 too often · 503 the journal or the database cannot say
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import limits, visitors
from gateway.apps import KnownApp
from gateway.edge import Edge
from gateway.events import after_seq_of, stream
from gateway.streams import TooMany
from gateway.visitors import Visitor
from shared.channels.body import decode_object
from shared.channels.text import storable
from shared.errors import Transient
from shared.live.topics import Chat
from shared.model import Rate
from shared.model import Route as ChannelRoute
from shared.store import messages

log = structlog.get_logger(__name__)

BODY_MAX_BYTES = 32 * 1024
TEXT_MAX_CHARS = 4_000
PAGE_MAX = 200
CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
SEQ_MAX = 2**53


class Refused(Exception):
    """An answer other than 2xx. The text says what to change."""

    def __init__(self, status: int, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Caller:
    """A request whose widget is known and whose page is allowed."""

    edge: Edge
    request: Request
    slug: str
    app: KnownApp
    route: ChannelRoute
    address: str

    async def within(self, rates: tuple[Rate, ...]) -> None:
        """Raises Refused(429)."""
        wait_s = await self.edge.limits.take(rates)
        if wait_s > 0:
            raise Refused(429, "too many requests: wait before the next", wait_s)

    async def visitor(self) -> Visitor:
        """Whose token the request bears. Raises Refused(401, 429)."""
        found = self._read_token()
        if found is None:
            await self.within(limits.attempts_of(self.edge.settings, self.address))
            raise Refused(401, "send Authorization: Bearer and a token of this widget's sessions")
        return found

    def _read_token(self) -> Visitor | None:
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        if not token and self.request.url.path.endswith("/events"):
            # a browser's EventSource sends no header of ours
            scheme, token = "bearer", self.request.query_params.get("token", "")
        if scheme.lower() != "bearer" or not token:
            return None
        return visitors.read(token.strip(), self.slug, self.app.secrets, self.edge.clock.now().timestamp())

    def maybe_visitor(self) -> Visitor | None:
        return self._read_token()

    def chat(self, visitor: Visitor) -> Chat:
        return Chat(self.route.company_id, self.route.channel_id, visitor.id)


async def open_session(caller: Caller) -> Response:
    """A token; with a good one in the request, a younger one for the same visitor."""
    await caller.within(limits.sessions_of(caller.edge.settings, caller.address))
    known = caller.maybe_visitor()
    issued_s = int(caller.edge.clock.now().timestamp())
    expires_s = issued_s + int(caller.edge.settings.widget_token_ttl_s)
    visitor = Visitor(known.id if known is not None else visitors.new_id(), caller.slug, issued_s, expires_s)
    token = visitors.sign(visitor, caller.app.secrets)
    return _json({"token": token, "visitor": visitor.id, "expires_at": expires_s}, 201)


async def post_message(caller: Caller) -> Response:
    """`{"text", "client_id"}`; 202 once the journal has it. The same client_id again is the same message."""
    visitor = await caller.visitor()
    await caller.within(limits.messages_of(caller.edge.settings, caller.slug, visitor.id, caller.address))
    text, client_id = _message(await _body(caller.request))
    edge = caller.edge
    body = {"visitor": visitor.id, "client_id": client_id, "text": text}
    received_ms = int(edge.clock.now().timestamp() * 1000)
    key = edge.platforms["widget"].shard_key(body)
    await edge.journal.append(caller.app.id, key, "widget", received_ms, orjson.dumps(body))
    return _json({"ok": True, "client_id": client_id}, 202)


async def _body(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_MAX_BYTES:
            raise Refused(413, f"the body may have {BODY_MAX_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _message(raw: bytes) -> tuple[str, str]:
    """text and client_id. Raises Refused(422)."""
    try:
        body = decode_object(raw)
    except ValueError:
        raise Refused(422, "the body should be a JSON object") from None
    text, client_id = body.get("text"), body.get("client_id")
    if not isinstance(text, str) or not text.strip() or len(text) > TEXT_MAX_CHARS:
        raise Refused(422, f"text should be a text of up to {TEXT_MAX_CHARS} characters")
    if not isinstance(client_id, str) or not CLIENT_ID.fullmatch(client_id):
        raise Refused(422, "client_id should have up to 64 letters, digits, and . _ : -, new for each message")
    return storable(text), client_id


async def list_messages(caller: Caller) -> Response:
    visitor = await caller.visitor()
    await caller.within(limits.reads_of(caller.edge.settings, caller.slug, visitor.id, caller.address))
    after_seq = _number(caller.request, "after_seq", 0, SEQ_MAX)
    limit = _number(caller.request, "limit", 100, PAGE_MAX)
    chat, db = caller.chat(visitor), caller.edge.db

    def read() -> list[messages.Line]:
        with db.transaction(chat.company_id) as conn:
            return messages.of_chat(conn, chat.company_id, chat.channel_id, chat.chat, after_seq=after_seq, limit=limit)

    return _json({"messages": await caller.edge.in_thread(read)})


def _number(request: Request, name: str, default: int, highest: int) -> int:
    raw = request.query_params.get(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 20) or not 0 <= int(raw) <= highest:
        raise Refused(422, f"{name} should be a number up to {highest}")
    return int(raw)


async def events(caller: Caller) -> Response:
    """Server-sent events: see gateway/events.py."""
    visitor = await caller.visitor()
    await caller.within(limits.reads_of(caller.edge.settings, caller.slug, visitor.id, caller.address))
    after_seq = _number(caller.request, "after_seq", 0, SEQ_MAX)
    after_seq = max(after_seq, after_seq_of(caller.request.headers.get("last-event-id")))
    try:
        return stream(caller.edge, caller.slug, caller.chat(visitor), after_seq, visitor.expires_s)
    except TooMany as e:
        raise Refused(429 if e.own else 503, str(e), 5.0) from None


Handler = Callable[[Caller], Awaitable[Response]]


def _for_pages(handlers: dict[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    """A route's endpoint: the widget and the page it is asked from are checked before anything else, and a page
    that is allowed may read whatever is answered."""

    async def endpoint(request: Request) -> Response:
        edge: Edge = request.app.state.edge
        origin = request.headers.get("origin")
        allowed = False
        try:
            caller = await _caller(edge, request)
            allowed = origin is None or origin.lower() in caller.app.origins
            if not allowed:
                raise Refused(403, "this page is not among the widget's origins")
            if request.method == "OPTIONS":
                answer = _preflight(handlers)
            elif request.method in handlers:
                answer = await handlers[request.method](caller)
            else:
                raise Refused(405, f"the methods are {', '.join(handlers)}")
        except Refused as e:
            answer = _refuse(e)
        except Transient as e:
            log.warning("widget_refused", error=type(e).__name__)
            answer = _refuse(Refused(503, "try again shortly", e.retry_after_s or 1.0))
        answer.headers["vary"] = "Origin"
        if allowed and origin is not None:
            answer.headers["access-control-allow-origin"] = origin
        return answer

    return endpoint


async def _caller(edge: Edge, request: Request) -> Caller:
    slug = str(request.path_params["channel"])
    app = await edge.apps.find("widget", slug)
    if app is None or app.route is None or not app.secrets:
        raise Refused(404, "no such widget")
    return Caller(edge, request, slug, app, app.route, limits.address_of(request, edge.settings.gateway_forwarded_hops))


def _preflight(handlers: dict[str, Handler]) -> Response:
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": ", ".join(handlers),
            "access-control-allow-headers": "authorization, content-type, last-event-id",
            "access-control-max-age": "600",
        },
    )


def _refuse(refused: Refused) -> Response:
    headers = {}
    if refused.retry_after_s is not None:
        headers["retry-after"] = str(max(1, -int(-refused.retry_after_s // 1)))
    return JSONResponse({"ok": False, "error": str(refused)}, status_code=refused.status, headers=headers)


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


_ANY = ["GET", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]
ROUTES = [
    Route("/widget/{channel}/sessions", _for_pages({"POST": open_session}), methods=_ANY),
    Route("/widget/{channel}/messages", _for_pages({"GET": list_messages, "POST": post_message}), methods=_ANY),
    Route("/widget/{channel}/events", _for_pages({"GET": events}), methods=_ANY),
]
