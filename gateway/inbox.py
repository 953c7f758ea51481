"""The agents' inbox, first cut: conversations, messages, writing, reading, taking over. `Authorization: Bearer KEY`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import media
from gateway.agents import (
    ID_MAX,
    PAGE_MAX,
    Refused,
    as_agent,
    as_json,
    body_of,
    conversation_of,
    no_such_conversation,
    number,
)
from gateway.edge import Edge
from shared.channels.body import decode_object
from shared.channels.text import storable
from shared.flow import takeover
from shared.live.topics import Chat, Moved, Stored
from shared.store import changes, conversations, messages, statuses
from shared.store import media as media_store
from shared.store.pool import Conn
from tasks import deliver
from tasks.doorbell import ring

BODY_MAX_BYTES = 64 * 1024
KEY_MAX = 128


async def list_conversations(request: Request) -> Response:
    limit = number(request, "limit", 50, PAGE_MAX)
    before_id = number(request, "before_id", 0, ID_MAX)
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

    return as_json(await as_agent(request, work))


async def list_messages(request: Request) -> Response:
    conversation_id = conversation_of(request)
    after_seq = number(request, "after_seq", 0, 2**53)
    limit = number(request, "limit", 100, PAGE_MAX)
    edge: Edge = request.app.state.edge

    def work(conn: Conn, company_id: int) -> Any:
        if conversations.chat_of(conn, company_id, conversation_id) is None:
            raise no_such_conversation()
        page = messages.page(conn, company_id, conversation_id, after_seq=after_seq, limit=limit)
        fetched = media_store.of_messages(conn, company_id, [m.id for m in page if m.attachments])
        sent = statuses.of_messages(conn, company_id, [m.id for m in page if m.role != "customer"])
        reactions = changes.reactions_of(conn, company_id, [m.id for m in page])
        page = [replace(m, delivery=sent.get(m.id), reactions=reactions.get(m.id, {})) for m in page]
        return {"messages": [_with_media(edge, company_id, message, fetched) for message in page]}

    return as_json(await as_agent(request, work))


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
    conversation_id = conversation_of(request)
    up_to = number(request, "up_to", ID_MAX, ID_MAX)

    def work(conn: Conn, company_id: int) -> Any:
        unread = conversations.mark_read(conn, company_id, conversation_id, up_to)
        if unread is None:
            raise no_such_conversation()
        return {"unread": unread}

    return as_json(await as_agent(request, work))


async def set_bot(request: Request) -> Response:
    conversation_id = conversation_of(request)
    if request.path_params["who"] not in ("take-over", "hand-back"):
        raise Refused(404, "the ways are take-over and hand-back")
    enabled = request.path_params["who"] == "hand-back"

    def work(conn: Conn, company_id: int) -> Any:
        if not takeover.set_bot(conn, company_id, conversation_id, enabled=enabled):
            raise no_such_conversation()
        return {"bot_enabled": enabled}

    company_id, said = await as_agent(request, lambda conn, company_id: (company_id, work(conn, company_id)))
    if not enabled:
        request.app.state.edge.live.hint([Moved(company_id)])  # an answer in the making ends now
    return as_json(said)


async def write(request: Request) -> Response:
    """An agent's message: `{"text": "…"}`; an `Idempotency-Key` header makes sending it twice write it once."""
    conversation_id = conversation_of(request)
    text, key = await _text(request), request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= KEY_MAX:
        raise Refused(422, f"Idempotency-Key should have up to {KEY_MAX} characters")
    platforms = request.app.state.edge.platforms

    def work(conn: Conn, company_id: int) -> tuple[takeover.Written, Chat]:
        written = takeover.write(conn, platforms, company_id, conversation_id, text, key=key)
        if written is None:
            raise no_such_conversation()
        return written, Chat(company_id, *conversations.place_of(conn, company_id, conversation_id))

    written, chat = await as_agent(request, work)
    if not written.repeated:
        live = request.app.state.edge.live
        live.hint([Moved(chat.company_id)])
        live.tell([chat], Stored())
        # not in the database's threads: a broker that hangs would hold one of them
        await asyncio.to_thread(ring, deliver.send_due)
    return as_json(written)


async def _text(request: Request) -> str:
    """The text that a request's body brings. Raises Refused(413, 422)."""
    try:
        text = decode_object(await body_of(request, BODY_MAX_BYTES)).get("text")
    except ValueError:
        text = None
    if not isinstance(text, str) or not text.strip():
        raise Refused(422, 'send {"text": "…"} with something in it')
    return storable(text)


ROUTES = [
    Route("/inbox/conversations", list_conversations),
    Route("/inbox/conversations/{conversation:int}/messages", list_messages),
    Route("/inbox/conversations/{conversation:int}/messages", write, methods=["POST"]),
    Route("/inbox/conversations/{conversation:int}/read", mark_read, methods=["POST"]),
    Route("/inbox/conversations/{conversation:int}/{who:str}", set_bot, methods=["POST"]),
]
