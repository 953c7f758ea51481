"""Chats that a platform moved: what was said under the old id and under the new one is one conversation.

News of it may come before, between or after the messages, from two sides (the old chat says where it went, the new one
where it comes from), and twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn, columns
from shared.store.inbox import conversations
from shared.store.inbox.conversations import ChatKey, Locked


@dataclass(frozen=True, slots=True)
class MovedChat:
    """changed: whether it was news. merged: what was under both ids is one conversation now. recalled: turns
    (id, epoch) whose answers in the making are cancelled, because they go on in the other conversation."""

    changed: bool
    merged: bool = False
    recalled: tuple[tuple[int, int], ...] = ()


FOLLOW = """
    /* moving.follow */
    SELECT k.chat, m.company_id, m.channel_id, m.moved_to
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, channel_id, chat)
    CROSS JOIN LATERAL (
        SELECT *
        FROM moved_chats m
        WHERE m.company_id = k.company_id
          AND m.channel_id = k.channel_id
          AND m.chat = k.chat
        LIMIT 1
    ) m
"""


def follow(conn: Conn, keys: Sequence[ChatKey]) -> dict[ChatKey, ChatKey]:
    """Where those of the chats went that were moved for good."""
    if not keys:
        return {}
    values = columns((k.company_id, k.channel_id, k.chat) for k in keys)
    rows = conn.cursor(row_factory=tuple_row).execute(FOLLOW, values)
    return {ChatKey(company, channel, chat): ChatKey(company, channel, to) for chat, company, channel, to in rows}


def move_chat(conn: Conn, key: ChatKey, new_chat: str, *, for_good: bool = False) -> MovedChat:
    """Let a chat's conversation go on under its new id; if that has one, too, the two become one.

    for_good: the platform never gives the old id to anybody else, so that what still comes under it follows. Locks both
    conversations. Doing it once more changes nothing.
    """
    if new_chat == key.chat:
        return MovedChat(False)
    there = ChatKey(key.company_id, key.channel_id, new_chat)
    locked = conversations.ensure_locked(conn, {}, [key, there])
    news = for_good and _remember(conn, key, new_chat)
    old, new = locked.get(key), locked.get(there)
    if old is None:
        return MovedChat(news)
    if new is None:
        _rename(conn, old, key, new_chat)
        return MovedChat(True)
    # what began first comes first; the archive knows places by their numbers, so what it has stays where it is
    first, second = sorted((old, new), key=lambda one: (not _archived(conn, one), one.id))
    if _archived(conn, second):
        # the archive knows places by their numbers, which cannot change: both stay, and what we send follows
        _send_to(conn, old, new_chat)
        return MovedChat(True)
    recalled = _merge(conn, first, second)
    _rename(conn, first, key, new_chat)
    return MovedChat(True, True, recalled)


def _remember(conn: Conn, key: ChatKey, new_chat: str) -> bool:
    """Whether it was not known."""
    conn.execute(
        """
        /* moving.remember */
        UPDATE moved_chats
        SET moved_to = %s
        WHERE company_id = %s
          AND channel_id = %s
          AND moved_to = %s
          AND chat <> %s
        """,
        (new_chat, key.company_id, key.channel_id, key.chat, new_chat),
    )
    cursor = conn.execute(
        """
        /* moving.remember */
        INSERT INTO moved_chats AS m (company_id, channel_id, chat, moved_to)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (company_id, channel_id, chat) DO UPDATE
        SET moved_to = excluded.moved_to
        WHERE m.moved_to <> excluded.moved_to
        """,
        (key.company_id, key.channel_id, key.chat, new_chat),
    )
    return cursor.rowcount == 1


def _archived(conn: Conn, one: Locked) -> bool:
    found = conn.execute(
        """
        /* moving.archived */
        SELECT 1
        FROM conversations
        WHERE company_id = %s
          AND id = %s
          AND archived_seq > 0
        """,
        (one.company_id, one.id),
    ).fetchone()
    return found is not None


def _send_to(conn: Conn, one: Locked, new_chat: str) -> None:
    conn.execute(
        """
        /* moving.send_to */
        UPDATE conversations
        SET migrated_to = %s
        WHERE company_id = %s
          AND id = %s
        """,
        (new_chat, one.company_id, one.id),
    )


def _rename(conn: Conn, one: Locked, key: ChatKey, new_chat: str) -> None:
    """Its new id, also where people's reactions name the old one."""
    conn.execute(
        """
        /* moving.rename */
        UPDATE conversations
        SET chat = %(new)s, migrated_to = %(new)s
        WHERE company_id = %(company)s
          AND id = %(id)s
        """,
        {"new": new_chat, "company": one.company_id, "id": one.id},
    )
    conn.execute(
        """
        /* moving.rename_reactions */
        UPDATE message_reactions r
        SET chat = %(new)s
        WHERE r.company_id = %(company)s
          AND r.channel_id = %(channel)s
          AND r.chat = %(old)s
          AND NOT EXISTS (
              SELECT 1
              FROM message_reactions n
              WHERE n.company_id = r.company_id
                AND n.channel_id = r.channel_id
                AND n.target = r.target
                AND n.chat = %(new)s
                AND n.sender = r.sender
                AND n.name = r.name
          )
        """,
        {"new": new_chat, "old": key.chat, "company": key.company_id, "channel": key.channel_id},
    )


# ------------------------------------------------------------------ two conversations become one


def _merge(conn: Conn, first: Locked, second: Locked) -> tuple[tuple[int, int], ...]:
    """All that belongs to `second` comes behind what `first` has, and its row goes. Nothing of it is archived."""
    values = {
        "company": first.company_id, "first": first.id, "second": second.id, "channel": first.channel_id,
        "count": first.message_count,
    }  # fmt: skip
    recalled = conn.cursor(row_factory=tuple_row).execute(MOVE_TURNS, values).fetchall()
    for statement in _MOVES:
        conn.execute(statement, values)
    return tuple(recalled)


# What is open of `second` is asked with what waits in `first`, or behind what is being answered there: a conversation
# has one waiting turn, and claims take the lowest id first.
MOVE_TURNS = """
    /* moving.move_turns */
    WITH moved AS (
        UPDATE turns t
        SET conversation_id = %(first)s,
            first_seq = t.first_seq + %(count)s,
            last_seq = t.last_seq + %(count)s,
            epoch = t.epoch + (t.state IN ('waiting', 'answering'))::int,
            finished_at = CASE WHEN t.state IN ('waiting', 'answering') THEN now() ELSE t.finished_at END,
            state = CASE WHEN t.state IN ('waiting', 'answering') THEN 'cancelled' ELSE t.state END
        FROM turns was
        WHERE t.company_id = %(company)s
          AND t.conversation_id = %(second)s
          AND was.company_id = t.company_id
          AND was.id = t.id
        RETURNING t.id, t.epoch, t.first_seq, t.last_seq, t.received_at, t.first_at, t.request_id, was.due_at,
            was.state AS state_before
    ),
    open AS (
        SELECT min(first_seq) AS first_seq, max(last_seq) AS last_seq, max(received_at) AS received_at,
            min(first_at) AS first_at, max(request_id) AS request_id,
            min(CASE state_before WHEN 'waiting' THEN due_at ELSE now() END) AS due_at
        FROM moved
        WHERE state_before IN ('waiting', 'answering')
        HAVING count(*) > 0
    ),
    joined AS (
        UPDATE turns t
        SET epoch = t.epoch + 1,
            last_seq = o.last_seq,
            received_at = greatest(t.received_at, o.received_at),
            request_id = coalesce(o.request_id, t.request_id),
            due_at = least(t.due_at, o.due_at)
        FROM open o
        WHERE t.company_id = %(company)s
          AND t.conversation_id = %(first)s
          AND t.state = 'waiting'
        RETURNING t.id
    ),
    opened AS (
        INSERT INTO turns (
            company_id, conversation_id, channel_id, first_seq, last_seq, received_at, first_at, request_id, due_at
        )
        SELECT %(company)s, %(first)s, %(channel)s, o.first_seq, o.last_seq, o.received_at, o.first_at, o.request_id,
            o.due_at
        FROM open o
        WHERE NOT EXISTS (
            SELECT 1
            FROM joined
        )
    )
    SELECT id, epoch
    FROM moved
    WHERE state_before = 'answering'
"""
MOVE_MESSAGES = """
    /* moving.move_messages */
    UPDATE messages
    SET conversation_id = %(first)s, seq = seq + %(count)s
    WHERE company_id = %(company)s
      AND conversation_id = %(second)s
"""
MOVE_PARTS = """
    /* moving.move_parts */
    UPDATE outbound
    SET conversation_id = %(first)s
    WHERE company_id = %(company)s
      AND conversation_id = %(second)s
"""
MOVE_EARLY_CHANGES = """
    /* moving.move_early_changes */
    UPDATE early_changes e
    SET conversation_id = %(first)s
    WHERE e.company_id = %(company)s
      AND e.conversation_id = %(second)s
      AND NOT EXISTS (
          SELECT 1
          FROM early_changes n
          WHERE n.company_id = e.company_id
            AND n.conversation_id = %(first)s
            AND n.external_id = e.external_id
      )
"""
MOVE_FILTER = """
    /* moving.move_filter */
    UPDATE chat_filters f
    SET conversation_id = %(first)s
    WHERE f.company_id = %(company)s
      AND f.conversation_id = %(second)s
      AND NOT EXISTS (
          SELECT 1
          FROM chat_filters n
          WHERE n.company_id = f.company_id
            AND n.conversation_id = %(first)s
      )
"""
# What was read of `second` stays read, though something before it is not. A person who has one of the two has both.
MERGE_HEADS = """
    /* moving.merge_heads */
    UPDATE conversations f
    SET message_count = f.message_count + s.message_count,
        customer_seq = f.customer_seq + s.customer_seq,
        read_seq = CASE
            WHEN f.read_seq = f.customer_seq THEN f.customer_seq + s.read_seq
            ELSE f.read_seq
        END,
        read_ahead = f.read_ahead
            || CASE
                WHEN f.read_seq = f.customer_seq THEN '{}'
                ELSE ARRAY(SELECT generate_series(f.customer_seq + 1, f.customer_seq + s.read_seq))
            END
            || ARRAY(SELECT f.customer_seq + n FROM unnest(s.read_ahead) AS n),
        last_message_id = CASE WHEN s.newer THEN s.last_message_id ELSE f.last_message_id END,
        last_message_at = CASE WHEN s.newer THEN s.last_message_at ELSE f.last_message_at END,
        last_message_role = CASE WHEN s.newer THEN s.last_message_role ELSE f.last_message_role END,
        last_message_preview = CASE WHEN s.newer THEN s.last_message_preview ELSE f.last_message_preview END,
        delivery_problem = CASE WHEN s.newer THEN s.delivery_problem ELSE f.delivery_problem END,
        bot_step = CASE WHEN s.newer THEN s.bot_step ELSE f.bot_step END,
        bot_step_at = CASE WHEN s.newer THEN s.bot_step_at ELSE f.bot_step_at END,
        language = CASE WHEN s.newer THEN coalesce(s.language, f.language) ELSE f.language END,
        last_customer_message = CASE
            WHEN s.last_customer_at >= f.last_customer_at OR f.last_customer_at IS NULL
                THEN coalesce(s.last_customer_message, f.last_customer_message)
            ELSE f.last_customer_message
        END,
        last_customer_at = greatest(f.last_customer_at, s.last_customer_at),
        contact_id = coalesce(f.contact_id, s.contact_id),
        created_at = least(f.created_at, s.created_at),
        status = CASE
            WHEN 'handed_over' IN (f.status, s.status) THEN 'handed_over'
            WHEN f.paused_at IS NOT NULL OR s.paused_at IS NOT NULL THEN 'paused'
            WHEN (f.bot_enabled AND NOT s.bot_enabled) OR f.status = 'closed' THEN s.status
            ELSE f.status
        END,
        bot_off_reason = CASE
            WHEN f.bot_enabled OR (s.status = 'handed_over' AND f.status <> 'handed_over') THEN s.bot_off_reason
            ELSE f.bot_off_reason
        END,
        bot_off_at = greatest(f.bot_off_at, s.bot_off_at),
        return_after_s = CASE WHEN f.status = 'handed_over' THEN f.return_after_s ELSE s.return_after_s END,
        opens_at = greatest(f.opens_at, s.opens_at),
        paused_at = greatest(f.paused_at, s.paused_at),
        return_untold = f.return_untold OR s.return_untold,
        bot_enabled = f.bot_enabled AND s.bot_enabled,
        attention = CASE WHEN f.attention IS NULL THEN s.attention ELSE f.attention END,
        attention_since = CASE WHEN f.attention IS NULL THEN s.attention_since ELSE f.attention_since END,
        misses = greatest(f.misses, s.misses),
        answers_until = greatest(f.answers_until, s.answers_until),
        day_answers_until = greatest(f.day_answers_until, s.day_answers_until),
        silent_until = greatest(f.silent_until, s.silent_until),
        referral = CASE WHEN s.referral_at > f.referral_at OR f.referral_at IS NULL THEN s.referral ELSE f.referral END,
        referral_at = greatest(f.referral_at, s.referral_at)
    FROM (
        SELECT c.*, c.last_message_at IS NOT NULL
            AND c.last_message_at >= coalesce(k.last_message_at, '-infinity') AS newer
        FROM conversations c
        JOIN conversations k ON k.company_id = c.company_id AND k.id = %(first)s
        WHERE c.company_id = %(company)s
          AND c.id = %(second)s
    ) s
    WHERE f.company_id = %(company)s
      AND f.id = %(first)s
"""
DELETE_SECOND = """
    /* moving.delete_second */
    DELETE FROM conversations
    WHERE company_id = %(company)s
      AND id = %(second)s
"""
_MOVES = (MOVE_MESSAGES, MOVE_PARTS, MOVE_EARLY_CHANGES, MOVE_FILTER, MERGE_HEADS, DELETE_SECOND)
