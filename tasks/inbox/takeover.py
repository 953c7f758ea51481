"""A person takes a conversation over, writes in it, or gives it back to the bot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.channels.base import Platform
from shared.store.answers import turns
from shared.store.db.pool import Conn
from shared.store.delivery import outbound
from shared.store.inbox import conversations, merged, messages
from shared.store.inbox.conversations import Locked
from shared.store.tenants import channels
from tasks.inbox.metrics import BOT_LEFT, BOT_RETURNED


def set_bot(conn: Conn, company_id: int, conversation_id: int, *, enabled: bool, closed: bool = False) -> bool | None:
    """Whether the bot answers now; None: no such conversation. Taking over cancels what the bot has not answered yet.
    One that became part of another is that. closed: as in conversations.set_bot."""
    locked = merged.lock(conn, company_id, conversation_id)
    if locked is None:
        return None
    conversation_id = locked.id
    answers = conversations.set_bot(conn, company_id, conversation_id, enabled=enabled, closed=closed)
    if answers and not locked.bot_enabled:
        BOT_RETURNED.inc("closed" if closed else "handed_back")
    if not enabled and locked.bot_enabled:
        BOT_LEFT.inc(conversations.AGENT)
    if not enabled:
        turns.cancel_open(conn, company_id, conversation_id)
    return answers


class KeyReused(Exception):
    """The idempotency key came with another body before."""


@dataclass(frozen=True, slots=True)
class Written:
    """An agent's message. repeated: it had been written under this key before, and was not written again. conversation:
    in which it is, where the one that was named became part of another."""

    message_id: int
    repeated: bool
    conversation: int


def write(
    conn: Conn,
    platforms: Mapping[str, Platform],
    company_id: int,
    conversation_id: int,
    text: str,
    *,
    key: str | None = None,
    fingerprint: bytes | None = None,
) -> Written | None:
    """An agent answers: the person has the conversation from now on, and has read it.

    key: the caller's own, so that a request sent twice writes once. fingerprint: of the request's body; a key that
    comes again with another one raises KeyReused. None: no such conversation. The parts are queued; wake up delivery
    after the commit. A second request under a key waits at the conversation's lock for the first one's end.
    """
    locked = merged.lock(conn, company_id, conversation_id)
    if locked is None:
        return None
    asked, conversation_id = conversation_id, locked.id
    dedupe_key = _key(asked, key) if key else None
    if key:
        known = _written_before(conn, locked, asked, key, fingerprint)
        if known is not None:
            return Written(known, repeated=True, conversation=conversation_id)
    set_bot(conn, company_id, conversation_id, enabled=False)
    seq = locked.message_count + 1
    message_id = messages.add_own(
        conn, company_id, conversation_id, locked.channel_id, seq, "agent", text,
        dedupe_key=dedupe_key, request_hash=fingerprint if key else None,
    )  # fmt: skip
    platform = platforms[channels.platform_of(conn, company_id, locked.channel_id)]
    outbound.add_parts(conn, company_id, conversation_id, locked.channel_id, None, message_id, platform.split(text))
    conversations.advance(conn, [conversations.Head(company_id, conversation_id, seq, 0, message_id, "agent", text)])
    conversations.mark_read(conn, company_id, conversation_id)
    return Written(message_id, repeated=False, conversation=conversation_id)


def _key(conversation_id: int, key: str) -> str:
    return f"agent:{conversation_id}:{key}"


def _written_before(conn: Conn, locked: Locked, asked: int, key: str, fingerprint: bytes | None) -> int | None:
    """Return the message that is stored under this key. The first attempt may have named a conversation that has since
    been merged into this one. A key with another body is another message's."""
    elsewhere = {locked.id, *merged.ids_of(conn, locked.company_id, locked.id)} - {asked}
    for conversation_id in (asked, *sorted(elsewhere)):
        known = messages.id_of_key(conn, locked.company_id, locked.channel_id, _key(conversation_id, key))
        if known is None:
            continue
        before = messages.request_hash(conn, locked.company_id, known)
        if before is None or before == fingerprint:
            return known
        if conversation_id == asked:
            raise KeyReused
    return None
