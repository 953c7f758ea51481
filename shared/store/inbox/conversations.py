"""Conversations: where somebody writes, whether the bot answers there, and how much of it nobody has read."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, kwargs_row, scalar_row, tuple_row

from shared.errors import DatabaseUnavailable
from shared.store.db.pool import Conn
from shared.store.inbox import company_totals

PREVIEW_CHARS = 120


@dataclass(frozen=True, slots=True)
class ChatKey:
    company_id: int
    channel_id: int
    chat: str


@dataclass(frozen=True, slots=True)
class Locked:
    """A conversation's row, locked until the transaction ends. paused: the customer has silenced the bot, whoever has
    it now. due_back: it was handed over, and nobody has written for as long as was settled then."""

    company_id: int
    id: int
    channel_id: int
    message_count: int
    bot_enabled: bool
    customer_seq: int
    read_seq: int
    unread: int
    status: str = "open"
    paused: bool = False
    due_back: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """What a conversation's newest messages do to its row. message_count: the last one's seq.
    customer_added: how many of them a customer wrote; customer_at, customer_message: time and id of the newest of
    those on the platform, None where it is unknown or none is new. contact_id: whose conversation it is, if that was
    unknown. read_to: an agent has seen so many customer messages. read_ahead: numbers of those behind that which were
    taken back before they came. language: the platform's code of who wrote last, None where it tells none."""

    company_id: int
    id: int
    message_count: int
    customer_added: int
    last_message_id: int
    last_role: str
    last_text: str
    customer_at: datetime | None = None
    customer_message: str | None = None
    contact_id: int | None = None
    read_to: int | None = None
    language: str | None = None
    read_ahead: tuple[int, ...] = ()


# FOR UPDATE in a lateral: one look into the index for each key, locked in the keys' order. As a join the planner reads
# all of a company's conversations.
LOCK_CHATS = """
    /* conversations.ensure_locked */
    SELECT k.chat, c.company_id, c.id, c.channel_id, c.message_count, c.bot_enabled, c.customer_seq, c.read_seq,
        unread_of(c.customer_seq, c.read_seq, c.read_beyond) AS unread, c.status, c.paused_at IS NOT NULL AS paused,
        CASE
            WHEN c.status = 'handed_over' AND c.bot_off_reason IS DISTINCT FROM 'another_app' THEN coalesce(
                greatest(c.last_message_at, c.bot_off_at, c.opens_at) + make_interval(secs => c.return_after_s)
                    <= now() AND c.bot_off_at IS NOT NULL,
                false
            )
            ELSE false
        END AS due_back
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, channel_id, chat)
    CROSS JOIN LATERAL (
        SELECT *
        FROM conversations c
        WHERE c.company_id = k.company_id
          AND c.channel_id = k.channel_id
          AND c.chat = k.chat
        FOR UPDATE
    ) c
"""


def ensure_locked(
    conn: Conn, contacts: dict[ChatKey, int | None], existing: Collection[ChatKey] = ()
) -> dict[ChatKey, Locked]:
    """Lock the conversations of these chats, made where needed, and those of `existing` that there are, in one order.

    contacts: chat → the contact who writes in it (kept for a conversation that is made now). Raises
    DatabaseUnavailable when one of them moved meanwhile; the whole transaction is to be tried again.
    """
    keys = sorted({*contacts, *existing}, key=lambda k: (k.company_id, k.channel_id, k.chat))
    if not keys:
        return {}
    made = [k for k in keys if k in contacts]
    values = [[k.company_id for k in keys], [k.channel_id for k in keys], [k.chat for k in keys]]
    conn.execute(
        """
        /* conversations.ensure_locked */
        INSERT INTO conversations (company_id, channel_id, chat, contact_id)
        SELECT *
        FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[])
        ON CONFLICT (company_id, channel_id, chat) DO NOTHING
        """,
        [
            [k.company_id for k in made],
            [k.channel_id for k in made],
            [k.chat for k in made],
            [contacts[k] for k in made],
        ],
    )
    found = dict(conn.cursor(row_factory=kwargs_row(_locked_chat)).execute(LOCK_CHATS, values).fetchall())
    if any(key not in found for key in made):
        # A chat that the platform moved between the two statements: once more from the start finds or makes it.
        raise DatabaseUnavailable("a conversation moved meanwhile", retry_after_s=0.1)
    return found


def _locked_chat(*, chat: str, **values: Any) -> tuple[ChatKey, Locked]:
    locked = Locked(**values)
    return ChatKey(locked.company_id, locked.channel_id, chat), locked


# AND c.id = ANY: with the ids alone the planner goes to these rows instead of reading the company's.
# A message that was written before the customer's newest and comes late moves nothing back: the newest stays the one
# that is answered to and, where nobody else has spoken since, shown.
ADVANCE = """
    /* conversations.advance */
    UPDATE conversations c
    SET message_count = h.message_count,
        customer_seq = c.customer_seq + h.customer_added,
        last_message_id = CASE
            WHEN c.last_message_role = 'customer' AND c.last_customer_at > h.customer_at
                AND h.message_count - c.message_count = h.customer_added THEN c.last_message_id
            ELSE h.last_message_id
        END,
        last_message_at = now(),
        last_message_role = h.last_role,
        last_message_preview = CASE
            WHEN c.last_message_role = 'customer' AND c.last_customer_at > h.customer_at
                AND h.message_count - c.message_count = h.customer_added THEN c.last_message_preview
            ELSE h.preview
        END,
        last_customer_at = greatest(c.last_customer_at, h.customer_at),
        last_customer_message = CASE WHEN c.last_customer_at > h.customer_at THEN c.last_customer_message
            ELSE coalesce(h.customer_message, c.last_customer_message) END,
        contact_id = coalesce(c.contact_id, h.contact_id),
        read_seq = greatest(c.read_seq, h.read_to),
        read_beyond = CASE WHEN h.read_ahead = '[]' THEN c.read_beyond
            ELSE longest_ranges(c.read_beyond + (
                SELECT range_agg(int8range(n::bigint, n::bigint + 1))
                FROM jsonb_array_elements_text(h.read_ahead::jsonb) AS n
            )) END,
        delivery_problem = CASE WHEN h.customer_added = 0 THEN c.delivery_problem END,
        status = CASE
            WHEN c.status = 'closed' THEN CASE WHEN c.paused_at IS NULL THEN 'open' ELSE 'paused' END
            ELSE c.status
        END,
        language = coalesce(h.language, c.language)
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
        %s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[]
    ) AS h (
        company_id, id, message_count, customer_added, last_message_id, last_role, preview, customer_at,
        customer_message, contact_id, read_to, language, read_ahead
    )
    WHERE c.company_id = h.company_id
      AND c.id = h.id
      AND c.id = ANY (%s::bigint[])
    RETURNING c.company_id, c.id, unread_of(c.customer_seq, c.read_seq, c.read_beyond)
"""


def advance(conn: Conn, heads: Sequence[Head]) -> dict[tuple[int, int], int]:
    """Move locked conversations to their newest messages; (company, conversation) → what is unread then."""
    if not heads:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(
        ADVANCE,
        [
            [h.company_id for h in heads],
            [h.id for h in heads],
            [h.message_count for h in heads],
            [h.customer_added for h in heads],
            [h.last_message_id for h in heads],
            [h.last_role for h in heads],
            [h.last_text[:PREVIEW_CHARS] for h in heads],
            [h.customer_at for h in heads],
            [h.customer_message for h in heads],
            [h.contact_id for h in heads],
            [h.read_to for h in heads],
            [h.language for h in heads],
            [json.dumps(h.read_ahead) for h in heads],
            [h.id for h in heads],
        ],
    )
    return {(company, conversation): unread for company, conversation, unread in rows}


LOCK = """
    /* conversations.lock */
    SELECT c.company_id, c.id, c.channel_id, c.message_count, c.bot_enabled, c.customer_seq, c.read_seq,
        unread_of(c.customer_seq, c.read_seq, c.read_beyond) AS unread, c.status, c.paused_at IS NOT NULL AS paused,
        CASE
            WHEN c.status = 'handed_over' AND c.bot_off_reason IS DISTINCT FROM 'another_app' THEN coalesce(
                greatest(c.last_message_at, c.bot_off_at, c.opens_at) + make_interval(secs => c.return_after_s)
                    <= now() AND c.bot_off_at IS NOT NULL,
                false
            )
            ELSE false
        END AS due_back
    FROM conversations c
    WHERE c.company_id = %s
      AND c.id = %s
    FOR UPDATE
"""


def lock(conn: Conn, company_id: int, conversation_id: int) -> Locked | None:
    """Lock one conversation. Whoever changes its turns or appends to it comes through here first."""
    cursor = conn.cursor(row_factory=class_row(Locked))
    cursor.execute(LOCK, (company_id, conversation_id), prepare=True)
    return cursor.fetchone()


def chat_of(conn: Conn, company_id: int, conversation_id: int) -> str | None:
    """The conversation's id on the platform, as its customers' messages name it."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* conversations.chat_of */
        SELECT chat
        FROM conversations
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, conversation_id),
    )
    return cursor.fetchone()


def place_of(conn: Conn, company_id: int, conversation_id: int) -> tuple[int, str]:
    """Channel and chat as sends address it. Raises LookupError."""
    cursor = conn.cursor(row_factory=tuple_row)
    cursor.execute(
        """
        /* conversations.place_of */
        SELECT channel_id, coalesce(migrated_to, chat)
        FROM conversations
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, conversation_id),
    )
    row = cursor.fetchone()
    if row is None:
        raise LookupError(f"conversation {conversation_id} does not exist")
    channel_id, chat = row
    return channel_id, chat


SET_BOT = """
    /* conversations.set_bot */
    UPDATE conversations
    SET bot_enabled = %(enabled)s AND paused_at IS NULL,
        status = CASE WHEN %(status)s = 'open' AND paused_at IS NOT NULL THEN 'paused' ELSE %(status)s END,
        bot_off_reason = CASE
            WHEN %(enabled)s THEN CASE WHEN paused_at IS NOT NULL THEN 'stop' END
            WHEN status = 'handed_over' THEN coalesce(bot_off_reason, %(reason)s)
            ELSE %(reason)s
        END,
        bot_off_at = CASE WHEN %(enabled)s THEN paused_at ELSE now() END,
        return_after_s = CASE
            WHEN status = 'handed_over' AND bot_off_at IS NOT NULL THEN return_after_s
            ELSE (
                SELECT a.return_after_s
                FROM channels h
                JOIN assistants a ON a.company_id = h.company_id AND a.id = h.assistant_id
                WHERE h.company_id = conversations.company_id
                  AND h.id = conversations.channel_id
            )
        END,
        opens_at = CASE WHEN status = 'handed_over' THEN opens_at END,
        return_untold = false,
        attention = NULL, attention_since = NULL, bot_step = NULL, bot_step_at = NULL, misses = 0,
        day_answers_until = NULL, silent_until = NULL
    WHERE company_id = %(company)s
      AND id = %(id)s
    RETURNING bot_enabled
"""
AGENT, ANOTHER_APP = "agent", "another_app"
"""Why a conversation is not the bot's: a person of the company took it; another application on the page has it. Others
are the reason of the answer that gave it away."""


def set_bot(conn: Conn, company_id: int, conversation_id: int, *, enabled: bool, closed: bool = False) -> bool | None:
    """Give a conversation to a person (False) or back to the bot (True). Either way a person has looked at it. closed:
    they are done with it; the customer's next message opens it again. Returns whether the bot answers now: not where
    the customer has silenced it. None: it does not exist."""
    status = ("closed" if closed else "open") if enabled else "handed_over"
    values = {"enabled": enabled, "status": status, "reason": AGENT, "company": company_id, "id": conversation_id}
    return conn.cursor(row_factory=scalar_row).execute(SET_BOT, values).fetchone()


MARK_READ = """
    /* conversations.mark_read */
    WITH before AS (
        SELECT unread_of(customer_seq, read_seq, read_beyond) AS unread
        FROM conversations
        WHERE company_id = %(company)s
          AND id = %(id)s
        FOR UPDATE
    ),
    after AS (
        UPDATE conversations c
        SET read_seq = greatest(c.read_seq, least(coalesce(%(up_to)s::bigint, c.customer_seq), c.customer_seq))
        FROM before
        WHERE c.company_id = %(company)s
          AND c.id = %(id)s
        RETURNING unread_of(c.customer_seq, c.read_seq, c.read_beyond) AS unread
    )
    SELECT after.unread, before.unread - after.unread
    FROM after, before
"""


def mark_read(conn: Conn, company_id: int, conversation_id: int, up_to: int | None = None) -> int | None:
    """Mark customer messages up to this customer_seq (None: all) as read; returns how many are left unread, None if
    there is no such conversation.

    Only ever forward, and never past what has arrived, so that a message that comes in meanwhile stays unread.
    """
    cursor = conn.cursor(row_factory=tuple_row)
    row = cursor.execute(MARK_READ, {"company": company_id, "id": conversation_id, "up_to": up_to}).fetchone()
    if row is None:
        return None
    unread: int
    unread, newly_read = row
    if newly_read:
        company_totals.add_totals(conn, {company_id: (0, -newly_read)})
    return unread
