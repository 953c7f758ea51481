"""The agents' inbox over HTTP: list and read conversations, write, mark as read, take over, hand back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api import media
from gateway.api.agents import Agent, agent, limit, no_such_conversation
from gateway.http.edge import Edge
from gateway.http.json import as_json
from gateway.http.parameters import ID_MAX, Field, Parameters, body_text, query_number, read_time
from gateway.http.refused import Refused
from gateway.http.resource import BODY_MAX_BYTES, Operation, Resource
from shared.live.topics import Chat, Moved, Stored
from shared.store.db.pool import Conn
from shared.store.delivery import statuses
from shared.store.inbox import changes, company_totals, conversation_list, conversations, messages
from shared.store.inbox import media as media_store
from tasks.delivery import tasks
from tasks.inbox import takeover
from tasks.wakeups import wake_up

KEY_MAX = 128

CONVERSATIONS_LIMIT, MESSAGES_LIMIT = limit(50), limit(100)
BEFORE = Field("before", read_time, None)
BEFORE_ID = query_number("before_id", 0, ID_MAX)
AFTER_SEQ = query_number("after_seq", 0, 2**53)
UP_TO = query_number("up_to", ID_MAX, ID_MAX)
TEXT = body_text("text", BODY_MAX_BYTES)


async def list_conversations(agent: Agent, asked: Parameters) -> Response:
    query = asked.query

    def work(conn: Conn, company_id: int) -> dict[str, Any]:
        return {
            "unread": company_totals.unread_total(conn, company_id),
            "conversations": conversation_list.recent(
                conn, company_id, limit=query[CONVERSATIONS_LIMIT], before=query[BEFORE], before_id=query[BEFORE_ID]
            ),
        }

    return as_json(await agent.work(work))


async def list_messages(agent: Agent, asked: Parameters) -> Response:
    query, edge = asked.query, agent.edge

    def work(conn: Conn, company_id: int, conversation_id: int) -> Any:
        found = conversation_list.one(conn, company_id, conversation_id)
        if found is None:
            return None
        page = messages.page(
            conn, company_id, conversation_id, after_seq=query[AFTER_SEQ], limit=query[MESSAGES_LIMIT],
            chars_max=messages.PAGE_CHARS,
        )  # fmt: skip
        fetched = media_store.of_messages(conn, company_id, [m.id for m in page if m.attachments])
        sent = statuses.of_messages(conn, company_id, [m.id for m in page if m.role != "customer"])
        reactions = changes.reactions_of(conn, company_id, [m.id for m in page])
        page = [replace(m, delivery=sent.get(m.id), reactions=reactions.get(m.id, {})) for m in page]
        shown = [_with_media(edge, company_id, message, fetched) for message in page]
        last_seq = max((message.seq for message in page), default=query[AFTER_SEQ])
        return {
            "conversation": conversation_id,
            "messages": shown,
            "last_seq": last_seq,
            "attention": found.attention,
            "attention_since": found.attention_since,
        }

    return as_json(await agent.in_conversation(work))


def _with_media(
    edge: Edge, company_id: int, message: messages.Shown, fetched: Mapping[tuple[int, int], media_store.Shown]
) -> messages.Shown:
    """The message with what became of each of its attachments and, where one is stored, an address that shows it."""
    if not message.attachments:
        return message
    until_s = int(edge.clock.now().timestamp() + edge.settings.media.url_ttl_s)
    shown: list[dict[str, Any]] = []
    for ordinal, attachment in enumerate(message.attachments):
        one = fetched.get((message.id, ordinal))
        more: dict[str, Any] = {"state": one.state if one else "as_told", "reason": one.reason if one else None}
        if one is not None and one.state == "stored":
            path = media.address(edge.settings.system.fernet_keys, company_id, message.id, ordinal, until_s)
            more.update(mime=one.mime, size_bytes=one.size_bytes, media_url=path)
        elif one is not None:
            more.update(attempts=one.attempts, next_attempt_at=one.due_at)
        shown.append({**attachment, **more})
    return replace(message, attachments=shown)


async def mark_read(agent: Agent, asked: Parameters) -> Response:
    """`?up_to=` the listing's customer_seq: a message that came after it was shown stays unread. Without: all."""
    up_to = asked.query[UP_TO]

    def work(conn: Conn, company_id: int, conversation_id: int) -> Any:
        unread = conversations.mark_read(conn, company_id, conversation_id, up_to)
        return None if unread is None else {"unread": unread}

    return as_json(await agent.in_conversation(work))


async def take_over(agent: Agent, asked: Parameters) -> Response:
    said = await _set_bot(agent, enabled=False)
    agent.edge.live.hint([Moved(agent.company_id)])  # an answer in the making ends now
    return said


async def hand_back(agent: Agent, asked: Parameters) -> Response:
    return await _set_bot(agent, enabled=True)


async def close(agent: Agent, asked: Parameters) -> Response:
    """Close the conversation: the bot is on again, and the customer's next message opens it."""
    return await _set_bot(agent, enabled=True, closed=True)


async def _set_bot(agent: Agent, *, enabled: bool, closed: bool = False) -> Response:
    def work(conn: Conn, company_id: int) -> Any:
        answers = takeover.set_bot(conn, company_id, agent.conversation, enabled=enabled, closed=closed)
        if answers is None:
            raise no_such_conversation()
        return {"bot_enabled": answers}

    return as_json(await agent.work(work))


async def write(agent: Agent, asked: Parameters) -> Response:
    """An agent's message: `{"text": "…"}`; an `Idempotency-Key` header makes sending it twice write it once. The same
    key with another text is refused; while the first request is under way the second one waits for its answer."""
    conversation_id, edge = agent.conversation, agent.edge
    text, key = asked.body[TEXT], _idempotency_key(agent.request)
    fingerprint = asked.body.fingerprint()

    def work(conn: Conn, company_id: int) -> tuple[takeover.Written, Chat]:
        written = takeover.write(
            conn, edge.platforms, company_id, conversation_id, text, key=key, fingerprint=fingerprint
        )
        if written is None:
            raise no_such_conversation()
        return written, Chat(company_id, *conversations.place_of(conn, company_id, written.conversation))

    try:
        written, chat = await agent.work(work)
    except takeover.KeyReused:
        raise Refused(422, "this Idempotency-Key came with another body before: take a new key") from None
    if not written.repeated:
        edge.live.hint([Moved(chat.company_id)])
        edge.live.tell([chat], Stored())
        # not in the database's threads: a broker that hangs would hold one of them
        await asyncio.to_thread(wake_up, tasks.send_due)
    return as_json(written)


def _idempotency_key(request: Request) -> str | None:
    """Raises Refused(422)."""
    given = request.headers.getlist("idempotency-key")
    if len(given) > 1:
        raise Refused(422, "Idempotency-Key is given twice")
    if given and not 0 < len(given[0]) <= KEY_MAX:
        raise Refused(422, f"Idempotency-Key should have 1 to {KEY_MAX} characters")
    return given[0] if given else None


_ONE = "/inbox/conversations/{conversation:id}"
ROUTES = [
    Resource("/inbox/conversations", {
        "GET": Operation(list_conversations, agent, query=(CONVERSATIONS_LIMIT, BEFORE, BEFORE_ID)),
    }),
    Resource(f"{_ONE}/messages", {
        "GET": Operation(list_messages, agent, query=(AFTER_SEQ, MESSAGES_LIMIT)),
        "POST": Operation(write, agent, body=(TEXT,)),
    }),
    Resource(f"{_ONE}/read", {"POST": Operation(mark_read, agent, query=(UP_TO,))}),
    Resource(f"{_ONE}/take-over", {"POST": Operation(take_over, agent)}),
    Resource(f"{_ONE}/hand-back", {"POST": Operation(hand_back, agent)}),
    Resource(f"{_ONE}/close", {"POST": Operation(close, agent)}),
]  # fmt: skip
