"""The agents' inbox, first cut: conversations, messages, writing, reading, taking over. `Authorization: Bearer KEY`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import media
from gateway.edge import Edge
from shared.channels.body import decode_object
from shared.channels.text import storable
from shared.errors import DatabaseUnavailable
from shared.flow import takeover
from shared.live.topics import Chat, Moved, Stored
from shared.store import changes, companies, conversations, messages, statuses
from shared.store import media as media_store
from shared.store.pool import Conn
from tasks import deliver
from tasks.doorbell import ring

T = TypeVar("T")

PAGE_MAX = 200
BODY_MAX_BYTES = 64 * 1024
KEY_MAX = 128
ID_MAX = 2**63 - 1


class Refused(Exception):
    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


async def _as_agent(request: Request, work: Callable[[Conn, int], T]) -> T:
    """Run `work(conn, company_id)` for the company whose key the request bears. Raises Refused(401)."""
    edge: Edge = request.app.state.edge
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Refused(401, "send Authorization: Bearer and the agent's API key")

    def run() -> T:
        with edge.db.transaction() as conn:
            agent = companies.agent_of_key(conn, key.strip())
        if agent is None:
            raise Refused(401, "no agent has this API key")
        with edge.db.transaction(agent[0]) as conn:
            return work(conn, agent[0])

    return await edge.in_thread(run)


def _number(request: Request, name: str, default: int, highest: int) -> int:
    raw = request.query_params.get(name, str(default))
    # isdecimal alone takes other scripts' digits, and int() gives up on very many
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 20) or not 0 <= int(raw) <= highest:
        raise Refused(422, f"{name} should be a number up to {highest}")
    return int(raw)


def _conversation(request: Request) -> int:
    conversation_id = int(request.path_params["conversation"])
    if conversation_id > ID_MAX:
        raise _no_such_conversation()
    return conversation_id


def _no_such_conversation() -> Refused:
    return Refused(404, "this company has no such conversation")


async def list_conversations(request: Request) -> Response:
    limit = _number(request, "limit", 50, PAGE_MAX)
    before_id = _number(request, "before_id", 0, ID_MAX)
    raw_before = request.query_params.get("before")
    try:
        before = datetime.fromisoformat(raw_before) if raw_before else None
    except ValueError:
        raise Refused(422, "before should be a time such as 2026-01-31T12:00:00+00:00") from None

    def work(conn: Conn, company_id: int) -> dict[str, Any]:
        return {
            "unread": conversations.unread_total(conn, company_id),
            "conversations": conversations.recent(conn, company_id, limit=limit, before=before, before_id=before_id),
        }

    return _json(await _as_agent(request, work))


async def list_messages(request: Request) -> Response:
    conversation_id = _conversation(request)
    after_seq = _number(request, "after_seq", 0, 2**53)
    limit = _number(request, "limit", 100, PAGE_MAX)
    edge: Edge = request.app.state.edge

    def work(conn: Conn, company_id: int) -> Any:
        if conversations.chat_of(conn, company_id, conversation_id) is None:
            raise _no_such_conversation()
        page = messages.page(conn, company_id, conversation_id, after_seq=after_seq, limit=limit)
        fetched = media_store.of_messages(conn, company_id, [m.id for m in page if m.attachments])
        sent = statuses.of_messages(conn, company_id, [m.id for m in page if m.role != "customer"])
        reactions = changes.reactions_of(conn, company_id, [m.id for m in page])
        page = [replace(m, delivery=sent.get(m.id), reactions=reactions.get(m.id, {})) for m in page]
        return {"messages": [_with_media(edge, company_id, message, fetched) for message in page]}

    return _json(await _as_agent(request, work))


def _with_media(
    edge: Edge, company_id: int, message: messages.Shown, fetched: Mapping[tuple[int, int], media_store.Shown]
) -> messages.Shown:
    """The message with what became of each of its attachments and, where one is stored, an address that shows it."""
    if not message.attachments:
        return message
    until_s = int(edge.clock.now().timestamp() + edge.settings.media_url_ttl_s)
    shown: list[dict[str, Any]] = []
    for ordinal, attachment in enumerate(message.attachments):
        one = fetched.get((message.id, ordinal))
        more: dict[str, Any] = {"state": one.state if one else "as_told", "reason": one.reason if one else None}
        if one is not None and one.state == "stored":
            path = media.address(edge.settings.fernet_keys, company_id, message.id, ordinal, until_s)
            more.update(mime=one.mime, size_bytes=one.size_bytes, media_url=path)
        shown.append({**attachment, **more})
    return replace(message, attachments=shown)


async def mark_read(request: Request) -> Response:
    """`?up_to=` the listing's customer_seq: a message that came after it was shown stays unread. Without: all."""
    conversation_id = _conversation(request)
    up_to = _number(request, "up_to", ID_MAX, ID_MAX)

    def work(conn: Conn, company_id: int) -> Any:
        unread = conversations.mark_read(conn, company_id, conversation_id, up_to)
        if unread is None:
            raise _no_such_conversation()
        return {"unread": unread}

    return _json(await _as_agent(request, work))


async def set_bot(request: Request) -> Response:
    conversation_id = _conversation(request)
    if request.path_params["who"] not in ("take-over", "hand-back"):
        raise Refused(404, "the ways are take-over and hand-back")
    enabled = request.path_params["who"] == "hand-back"

    def work(conn: Conn, company_id: int) -> Any:
        if not takeover.set_bot(conn, company_id, conversation_id, enabled=enabled):
            raise _no_such_conversation()
        return {"bot_enabled": enabled}

    company_id, said = await _as_agent(request, lambda conn, company_id: (company_id, work(conn, company_id)))
    if not enabled:
        request.app.state.edge.live.hint([Moved(company_id)])  # an answer in the making ends now
    return _json(said)


async def write(request: Request) -> Response:
    """An agent's message: `{"text": "…"}`; an `Idempotency-Key` header makes sending it twice write it once."""
    conversation_id = _conversation(request)
    text, key = await _text(request), request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= KEY_MAX:
        raise Refused(422, f"Idempotency-Key should have up to {KEY_MAX} characters")
    platforms = request.app.state.edge.platforms

    def work(conn: Conn, company_id: int) -> tuple[takeover.Written, Chat]:
        written = takeover.write(conn, platforms, company_id, conversation_id, text, key=key)
        if written is None:
            raise _no_such_conversation()
        return written, Chat(company_id, *conversations.place_of(conn, company_id, conversation_id))

    written, chat = await _as_agent(request, work)
    if not written.repeated:
        live = request.app.state.edge.live
        live.hint([Moved(chat.company_id)])
        live.tell([chat], Stored())
        # not in the database's threads: a broker that hangs would hold one of them
        await asyncio.to_thread(ring, deliver.send_due)
    return _json(written)


async def _text(request: Request) -> str:
    """The text that a request's body brings. Raises Refused(413, 422)."""
    chunks: list[bytes] = []
    async for chunk in request.stream():
        chunks.append(chunk)
        if sum(map(len, chunks)) > BODY_MAX_BYTES:
            raise Refused(413, f"the body may have {BODY_MAX_BYTES} bytes")
    try:
        text = decode_object(b"".join(chunks)).get("text")
    except ValueError:
        text = None
    if not isinstance(text, str) or not text.strip():
        raise Refused(422, 'send {"text": "…"} with something in it')
    return storable(text)


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"ok": False, "error": str(error)}, status_code=error.status)


async def _away(request: Request, error: Exception) -> Response:
    return JSONResponse({"ok": False, "error": "try again shortly"}, status_code=503, headers={"retry-after": "1"})


ROUTES = [
    Route("/inbox/conversations", list_conversations),
    Route("/inbox/conversations/{conversation:int}/messages", list_messages),
    Route("/inbox/conversations/{conversation:int}/messages", write, methods=["POST"]),
    Route("/inbox/conversations/{conversation:int}/read", mark_read, methods=["POST"]),
    Route("/inbox/conversations/{conversation:int}/{who:str}", set_bot, methods=["POST"]),
]
EXCEPTION_HANDLERS: dict[Any, Any] = {Refused: _refuse, DatabaseUnavailable: _away}
