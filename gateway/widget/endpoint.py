"""The web-chat widget: visitors' sessions, their messages into the journal, and answers from the message table.

401 no valid token · 403 the page is not among the widget's origins · 404 no such widget · 413 too large ·
422 a wrong field · 429 too many requests · 503 the journal or the database is unavailable
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import limits
from gateway.http.apps import KnownApp
from gateway.http.edge import Edge
from gateway.http.json import as_json
from gateway.http.parameters import Field, Parameters, Wrong, body_text, called, query_number, query_text
from gateway.http.rate_headers import too_many, used_up
from gateway.http.refused import Refused, answer, unavailable
from gateway.http.request_ids import new_request_id
from gateway.http.resource import Operation, Resource
from gateway.http.streams import TooMany
from gateway.live.events import after_seq_of, stream
from gateway.widget import visitors
from gateway.widget.visitors import Visitor
from shared.channels.fields import language
from shared.errors import Transient
from shared.live.topics import Chat
from shared.model import Route as ChannelRoute
from shared.settings import Settings
from shared.store.inbox import message_pages

log = structlog.get_logger(__name__)

BODY_MAX_BYTES = 32 * 1024
TEXT_MAX_CHARS = 4_000
PAGE_MAX = 200
CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
SEQ_MAX = 2**53


def _client_id(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(f"should be a text, not {called(value)}")
    if not CLIENT_ID.fullmatch(value):
        raise Wrong("should have 1 to 64 letters, digits, and . _ : -, new for each message")
    return value


TEXT, ID = body_text("text", TEXT_MAX_CHARS), Field("client_id", _client_id)
AFTER_SEQ, LIMIT = query_number("after_seq", 0, SEQ_MAX), query_number("limit", 100, PAGE_MAX, 1)
TOKEN = query_text("token", 4 * visitors.TOKEN_CHARS_MAX, "")


@dataclass(frozen=True, slots=True)
class Caller:
    """A request to a known widget from an allowed page."""

    edge: Edge
    request: Request
    slug: str
    app: KnownApp
    route: ChannelRoute
    address: str

    async def within(self, asks: tuple[limits.Ask, ...], *, known: bool = True) -> None:
        """Raises Refused(429)."""
        decision = await self.edge.limits.decide(asks, known=known)
        if not decision.allowed:
            raise too_many(decision)

    def counted(self, visitor: Visitor) -> tuple[Settings, int, str, str, str]:
        """Whom a visitor's requests count against."""
        return self.edge.settings, self.route.company_id, self.slug, visitor.id, self.address

    def visitor(self) -> Visitor:
        """Return the visitor that the request's token is for. Raises Refused(401, 429)."""
        found = self.maybe_visitor()
        if found is None:
            wait_s = self.edge.attempts.take(self.address)
            if wait_s > 0:
                tries = used_up("widget_attempts", self.edge.settings.widget.attempts_limit.count, wait_s)
                raise Refused(429, "too many requests: wait before the next", wait_s, headers=tries)
            raise Refused(401, "send Authorization: Bearer and a token of this widget's sessions")
        return found

    def maybe_visitor(self) -> Visitor | None:
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        if not token and self.request.url.path.endswith("/events"):
            # a browser's EventSource cannot send the header
            scheme, token = "bearer", self.request.query_params.get("token", "")
        if scheme.lower() != "bearer" or not token:
            return None
        return visitors.read(token.strip(), self.slug, self.app.secrets, self.edge.clock.now().timestamp())


@dataclass(frozen=True, slots=True)
class Known:
    """A caller with a valid token, within its rate limits."""

    caller: Caller
    visitor: Visitor

    @property
    def chat(self) -> Chat:
        return Chat(self.caller.route.company_id, self.caller.route.channel_id, self.visitor.id)


async def _anybody(request: Request) -> Caller:
    """Return the caller that opens a session, within the limits for its address."""
    caller: Caller = request.state.caller
    await caller.within(limits.sessions_of(caller.edge.settings, caller.route.company_id, caller.address), known=False)
    return caller


async def _writer(request: Request) -> Known:
    caller: Caller = request.state.caller
    visitor = caller.visitor()
    await caller.within(
        limits.messages_of(caller.edge.settings, caller.route.company_id, caller.slug, visitor.id, caller.address)
    )
    return Known(caller, visitor)


async def _reader(request: Request) -> Known:
    caller: Caller = request.state.caller
    visitor = caller.visitor()
    await caller.within(
        limits.reads_of(caller.edge.settings, caller.route.company_id, caller.slug, visitor.id, caller.address)
    )
    return Known(caller, visitor)


async def open_session(caller: Caller, asked: Parameters) -> Response:
    """Issue a token: for the same visitor if the request has a valid one, else for a new visitor."""
    known = caller.maybe_visitor()
    issued_s = int(caller.edge.clock.now().timestamp())
    expires_s = issued_s + int(caller.edge.settings.widget.token_ttl_s)
    visitor = Visitor(known.id if known is not None else visitors.new_id(), caller.slug, issued_s, expires_s)
    token = visitors.sign(visitor, caller.app.secrets)
    return as_json({"token": token, "visitor": visitor.id, "expires_at": expires_s}, 201)


async def post_message(known: Known, asked: Parameters) -> Response:
    """Take `{"text", "client_id"}`; 202 once the journal has it. A client_id that comes again is the same message."""
    edge, client_id = known.caller.edge, asked.body[ID]
    body = {"visitor": known.visitor.id, "client_id": client_id, "text": asked.body[TEXT]}
    spoken = language(known.caller.request.headers.get("accept-language"))
    if spoken is not None:
        body["language"] = spoken
    received_ms = int(edge.clock.now().timestamp() * 1000)
    key = edge.platforms["widget"].shard_key(body)
    request_id = new_request_id(received_ms)
    await edge.journal.append(known.caller.app.id, key, "widget", received_ms, orjson.dumps(body), request_id)
    answer = as_json({"ok": True, "client_id": client_id}, 202)
    answer.headers["x-request-id"] = request_id
    return answer


async def list_messages(known: Known, asked: Parameters) -> Response:
    chat, edge, query = known.chat, known.caller.edge, asked.query

    def read() -> list[message_pages.Line]:
        with edge.db.transaction(chat.company_id) as conn:
            return message_pages.of_chat(
                conn, chat.company_id, chat.channel_id, chat.chat, after_seq=query[AFTER_SEQ], limit=query[LIMIT],
                chars_max=message_pages.PAGE_CHARS,
            )  # fmt: skip

    return as_json({"messages": await edge.in_thread(read)})


async def events(known: Known, asked: Parameters) -> Response:
    """Stream server-sent events; gateway/live/events.py describes them."""
    caller = known.caller
    after_seq = max(asked.query[AFTER_SEQ], after_seq_of(caller.request.headers.get("last-event-id")))
    try:
        return stream(caller.edge, caller.slug, known.chat, caller.address, after_seq, known.visitor.expires_s)
    except TooMany as e:
        raise Refused(429 if e.own else 503, str(e), 5.0) from None


class ForPages(Resource):
    """A resource for the widget's script: checks the widget and the calling page first, and lets an allowed page read
    every answer, errors too (CORS)."""

    async def answer(self, request: Request) -> Response:
        edge: Edge = request.app.state.edge
        origin = request.headers.get("origin")
        allowed = False
        try:
            caller = await _caller(edge, request)
            allowed = origin is None or origin.lower() in caller.app.origins
            if not allowed:
                raise Refused(403, "this page is not among the widget's origins")
            request.state.caller = caller
            if request.method == "OPTIONS":
                response = _preflight(list(self.operations))
            else:
                response = await self.chosen(request).answer(request)
        except Refused as e:
            response = answer(e)
        except Transient as e:
            log.warning("widget_refused", error=type(e).__name__)
            response = answer(unavailable(e))
        response.headers["vary"] = "Origin"
        if allowed and origin is not None:
            response.headers["access-control-allow-origin"] = origin
        return response


async def _caller(edge: Edge, request: Request) -> Caller:
    slug = str(request.path_params["channel"])
    address = limits.address_of(request, edge.settings.gateway.forwarded_hops)
    app = await edge.apps.find("widget", slug, address=address)
    if app is None or app.route is None or not app.secrets:
        raise Refused(404, "no such widget")
    return Caller(edge, request, slug, app, app.route, address)


def _preflight(methods: list[str]) -> Response:
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": ", ".join(methods),
            "access-control-allow-headers": "authorization, content-type, last-event-id",
            "access-control-max-age": "600",
        },
    )


# No HEAD: it would open a stream.
ROUTES = [
    ForPages("/widget/{channel}/sessions", {"POST": Operation(open_session, _anybody)}, head=False),
    ForPages("/widget/{channel}/messages", {
        "GET": Operation(list_messages, _reader, query=(AFTER_SEQ, LIMIT)),
        "POST": Operation(post_message, _writer, body=(TEXT, ID), body_max_bytes=BODY_MAX_BYTES),
    }, head=False),
    ForPages("/widget/{channel}/events", {"GET": Operation(events, _reader, query=(AFTER_SEQ, TOKEN))}, head=False),
]  # fmt: skip
