"""The inbox's list: conversations as agents see them, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the inbox. customer_seq: customer messages so far; an agent who has seen this line has seen so many.
    delivery_problem: a static word for why a message did not reach the customer, None once they wrote again;
    `window_closed`: the platform takes nothing until they do. referral: where they last came from, its beginning.
    attention, attention_since: why and since when a person should look at it, None once one wrote, took it over or gave
    it back. bot_off_reason, bot_off_at: why and since when it is not the bot's. returns_at: when the bot answers again
    if nobody writes until then; None: not by itself, or it does already."""

    id: int
    channel_id: int
    chat: str
    contact: str | None
    status: str
    bot_enabled: bool
    unread: int
    message_count: int
    last_message_at: datetime | None
    last_message_role: str | None
    last_message_preview: str | None
    customer_seq: int
    delivery_problem: str | None
    referral: str | None
    attention: str | None = None
    attention_since: datetime | None = None
    bot_off_reason: str | None = None
    bot_off_at: datetime | None = None
    returns_at: datetime | None = None


ONE = """
    /* conversation_list.one */
    SELECT c.id, c.channel_id, c.chat, left(p.name, 128) AS contact, c.status, c.bot_enabled,
        unread_of(c.customer_seq, c.read_seq, c.read_beyond) AS unread, c.message_count, c.last_message_at,
        c.last_message_role,
        left(c.last_message_preview, 120) AS last_message_preview, c.customer_seq, c.delivery_problem,
        left(c.referral, 200) AS referral, c.attention, c.attention_since, c.bot_off_reason, c.bot_off_at,
        CASE
            WHEN c.status = 'handed_over' AND c.bot_off_reason IS DISTINCT FROM 'another_app'
                AND c.bot_off_at IS NOT NULL AND c.paused_at IS NULL
            THEN greatest(c.last_message_at, c.bot_off_at, c.opens_at) + make_interval(secs => c.return_after_s)
        END AS returns_at
    FROM conversations c
    LEFT JOIN contacts p ON p.company_id = c.company_id AND p.id = c.contact_id
    WHERE c.company_id = %s
      AND c.id = %s
"""


def one(conn: Conn, company_id: int, conversation_id: int) -> Listed | None:
    """One line of the inbox; None: there is no such conversation."""
    return conn.cursor(row_factory=class_row(Listed)).execute(ONE, (company_id, conversation_id)).fetchone()


RECENT = """
    /* conversation_list.recent */
    SELECT c.id, c.channel_id, c.chat, left(p.name, 128) AS contact, c.status, c.bot_enabled,
        unread_of(c.customer_seq, c.read_seq, c.read_beyond) AS unread, c.message_count, c.last_message_at,
        c.last_message_role,
        left(c.last_message_preview, 120) AS last_message_preview, c.customer_seq, c.delivery_problem,
        left(c.referral, 200) AS referral, c.attention, c.attention_since, c.bot_off_reason, c.bot_off_at,
        CASE
            WHEN c.status = 'handed_over' AND c.bot_off_reason IS DISTINCT FROM 'another_app'
                AND c.bot_off_at IS NOT NULL AND c.paused_at IS NULL
            THEN greatest(c.last_message_at, c.bot_off_at, c.opens_at) + make_interval(secs => c.return_after_s)
        END AS returns_at
    FROM conversations c
    LEFT JOIN contacts p ON p.company_id = c.company_id AND p.id = c.contact_id
    WHERE c.company_id = %s
      AND (c.last_message_at, c.id) < (coalesce(%s::timestamptz, 'infinity'), coalesce(%s::bigint, 0))
    ORDER BY c.last_message_at DESC, c.id DESC
    LIMIT %s
"""


def recent(
    conn: Conn, company_id: int, *, limit: int = 50, before: datetime | None = None, before_id: int | None = None
) -> list[Listed]:
    """List the newest conversations of a company: one index scan, whatever its size.

    before, before_id: for the next page, both of the last conversation listed. What is stored in one batch has
    one time, so that the time alone would leave conversations out.
    """
    cursor = conn.cursor(row_factory=class_row(Listed))
    return cursor.execute(RECENT, (company_id, before, before_id, limit)).fetchall()
