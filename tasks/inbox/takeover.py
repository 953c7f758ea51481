"""A person takes a conversation over, writes in it, or gives it back to the bot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.channels.base import Platform
from shared.store.answers import turns
from shared.store.db.pool import Conn
from shared.store.delivery import outbound
from shared.store.inbox import conversations, messages
from shared.store.tenants import channels
from tasks.inbox.metrics import BOT_LEFT, BOT_RETURNED


def set_bot(conn: Conn, company_id: int, conversation_id: int, *, enabled: bool, closed: bool = False) -> bool | None:
    """Whether the bot answers now; None: no such conversation. Taking over cancels what the bot has not answered yet.
    closed: as in conversations.set_bot."""
    locked = conversations.lock(conn, company_id, conversation_id)
    if locked is None:
        return None
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
    """An agent's message. repeated: it had been written under this key before, and was not written again."""

    message_id: int
    repeated: bool


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
    locked = conversations.lock(conn, company_id, conversation_id)
    if locked is None:
        return None
    dedupe_key = f"agent:{conversation_id}:{key}" if key else None
    if dedupe_key is not None:
        known = messages.id_of_key(conn, company_id, locked.channel_id, dedupe_key)
        if known is not None:
            before = messages.request_hash(conn, company_id, known)
            if before is not None and before != fingerprint:
                raise KeyReused
            return Written(known, repeated=True)
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
    return Written(message_id, repeated=False)
