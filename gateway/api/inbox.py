"""The agents' inbox over HTTP: list and read conversations, write, mark as read, take over, hand back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import Field

from gateway.api import media
from gateway.api.agents import Agent, Reader, Writer, no_such_conversation
from gateway.http.edge import Edge
from gateway.http.parameters import ID_MAX
from gateway.http.refused import Refused
from gateway.http.resource import BODY_MAX_BYTES
from gateway.rest import cursors
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id, Page, text
from shared.live.topics import Chat, Moved, Stored
from shared.store.db.pool import Conn
from shared.store.delivery import statuses
from shared.store.inbox import company_totals, conversation_list, conversations, message_pages, reactions
from shared.store.inbox import media as media_store
from shared.store.inbox.message_pages import Shown as Message
from tasks.delivery import tasks
from tasks.inbox import takeover
from tasks.wakeups import wake_up

KEY_MAX = 128
SEQ_MAX = 2**53

ROUTER = APIRouter(prefix="/api/v1/conversations", tags=["conversations"], route_class=Endpoint)

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=KEY_MAX, description="Makes it safe to send the request again: once is enough."),
]


class Newest(Page):
    limit: int = Field(50, ge=1, le=200)
    """How many at most."""


@dataclass(frozen=True, slots=True)
class Conversations:
    unread: int
    conversations: list[conversation_list.Listed]
    next_cursor: str | None


class Behind(Page):
    after_seq: int | None = Field(None, ge=0, le=SEQ_MAX)
    """Only messages with a greater `seq`; not together with `cursor`."""


@dataclass(frozen=True, slots=True)
class Messages:
    conversation: int
    messages: list[Message]
    last_seq: int
    attention: str | None
    attention_since: datetime | None
    next_cursor: str | None


class Seen(Given):
    up_to: int = Field(ID_MAX, ge=0, le=ID_MAX)
    """The listing's `customer_seq`: what came after it was shown stays unread. Without it all is read."""


@dataclass(frozen=True, slots=True)
class Unread:
    unread: int


@dataclass(frozen=True, slots=True)
class Bot:
    bot_enabled: bool


class Words(Given):
    text: text(BODY_MAX_BYTES)  # type: ignore[valid-type]
    """As the customer will read it; a text longer than the platform takes is sent in several parts."""


@ROUTER.get("", summary="List conversations")
async def list_conversations(agent: Reader, query: Annotated[Newest, Query()]) -> Conversations:
    """The company's conversations, the one with the newest message first. `unread` counts the whole company's."""
    after = cursors.after_time(query.cursor)
    before, before_id = after or (None, None)

    def work(conn: Conn, company_id: int) -> Conversations:
        unread = company_totals.unread_total(conn, company_id)
        found = conversation_list.recent(conn, company_id, limit=query.limit, before=before, before_id=before_id)
        return Conversations(unread, found, cursors.next_cursor(found, query.limit, "last_message_at", "id"))

    return await agent.work(work)


@ROUTER.get("/{conversation:id}/messages", summary="List a conversation's messages")
async def list_messages(agent: Reader, conversation: Id, query: Annotated[Behind, Query()]) -> Messages:
    """Oldest first, those in the archive included. A page ends early where its texts are long. `last_seq` is the next
    page's `after_seq`, also for what will come."""
    if query.cursor is not None and query.after_seq is not None:
        raise Refused(422, "give either cursor or after_seq")
    after_seq, edge = query.after_seq or cursors.after_id(query.cursor), agent.edge

    def work(conn: Conn, company_id: int, conversation_id: int) -> Messages | None:
        found = conversation_list.one(conn, company_id, conversation_id)
        if found is None:
            return None
        page = message_pages.page(
            conn,
            company_id,
            conversation_id,
            after_seq=after_seq,
            limit=query.limit,
            chars_max=message_pages.PAGE_CHARS,
        )
        fetched = media_store.of_messages(conn, company_id, [m.id for m in page if m.attachments])
        sent = statuses.of_messages(conn, company_id, [m.id for m in page if m.role != "customer"])
        reacted = reactions.of_messages(conn, company_id, [m.id for m in page])
        page = [replace(m, delivery=sent.get(m.id), reactions=reacted.get(m.id, {})) for m in page]
        last_seq = max((message.seq for message in page), default=after_seq)
        return Messages(
            conversation=conversation_id,
            messages=[_with_media(edge, company_id, message, fetched) for message in page],
            last_seq=last_seq,
            attention=found.attention,
            attention_since=found.attention_since,
            next_cursor=cursors.cursor_of(last_seq) if page else None,
        )

    return await agent.in_conversation(conversation, work)


def _with_media(
    edge: Edge, company_id: int, message: Message, fetched: Mapping[tuple[int, int], media_store.Shown]
) -> Message:
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


@ROUTER.post("/{conversation:id}/read", summary="Mark as read")
async def mark_read(agent: Writer, conversation: Id, query: Annotated[Seen, Query()]) -> Unread:
    """Answers how many messages of the customer are left unread. It never goes backwards."""

    def work(conn: Conn, company_id: int, conversation_id: int) -> Unread | None:
        unread = conversations.mark_read(conn, company_id, conversation_id, query.up_to)
        return None if unread is None else Unread(unread)

    return await agent.in_conversation(conversation, work)


@ROUTER.post("/{conversation:id}/take-over", summary="Take over from the bot")
async def take_over(agent: Writer, conversation: Id) -> Bot:
    """Turns the bot off in this conversation; an answer that is being written is dropped."""
    said = await _set_bot(agent, conversation, enabled=False)
    agent.edge.live.hint([Moved(agent.company_id)])  # an answer in the making ends now
    return said


@ROUTER.post("/{conversation:id}/hand-back", summary="Hand back to the bot")
async def hand_back(agent: Writer, conversation: Id) -> Bot:
    """The bot answers again, from the customer's next message on, unless the customer has silenced it."""
    return await _set_bot(agent, conversation, enabled=True)


@ROUTER.post("/{conversation:id}/close", summary="Close a conversation")
async def close(agent: Writer, conversation: Id) -> Bot:
    """The bot is on again, and the customer's next message opens it."""
    return await _set_bot(agent, conversation, enabled=True, closed=True)


async def _set_bot(agent: Agent, conversation_id: int, *, enabled: bool, closed: bool = False) -> Bot:
    def work(conn: Conn, company_id: int) -> Bot:
        answers = takeover.set_bot(conn, company_id, conversation_id, enabled=enabled, closed=closed)
        if answers is None:
            raise no_such_conversation()
        return Bot(answers)

    return await agent.work(work)


@ROUTER.post("/{conversation:id}/messages", summary="Write to the customer")
async def write(
    agent: Writer, conversation: Id, given: Words, idempotency_key: IdempotencyKey = None
) -> takeover.Written:
    """As a person: it also takes the conversation over and marks it as read. The same Idempotency-Key with the same
    body writes once and answers `repeated`; with another body it is refused. While the first request is under way the
    second one waits for its answer."""
    edge = agent.edge

    def work(conn: Conn, company_id: int) -> tuple[takeover.Written, Chat]:
        written = takeover.write(
            conn, edge.platforms, company_id, conversation, given.text, key=idempotency_key,
            fingerprint=given.fingerprint(),
        )  # fmt: skip
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
    return written
