"""Chats that a platform moved: what was said under the old id and under the new one is one conversation.

News of it may come before, between or after the messages, from two sides (the old chat says where it went, the new one
where it comes from), and twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import tuple_row

from shared.errors import DatabaseUnavailable
from shared.store.db.pool import Conn, columns
from shared.store.inbox import conversations, merging
from shared.store.inbox.conversations import ChatKey, Locked
from shared.store.inbox.joined_rows import Rows, take


@dataclass(frozen=True, slots=True)
class MovedChat:
    """changed: whether it was news. conversation: the one that goes on under the new id, if there is one. merged: what
    was under both ids is one conversation now. recalled: turns (id, epoch) whose answers in the making are cancelled,
    because they go on in the other conversation."""

    changed: bool
    conversation: int | None = None
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
    there = ChatKey(key.company_id, key.channel_id, new_chat)
    if for_good:  # news of several moves may come in any order
        there = follow(conn, [there]).get(there, there)
    if new_chat == key.chat or there == key:
        return MovedChat(False)
    new_chat = there.chat
    locked = conversations.ensure_locked(conn, {}, [key, there])
    if for_good and follow(conn, [there]):
        raise DatabaseUnavailable("a conversation moved meanwhile", retry_after_s=0.1)
    news = for_good and _remember(conn, key, new_chat)
    old, new = locked.get(key), locked.get(there)
    if old is None:
        return MovedChat(news)
    if new is None:
        _rename(conn, old, key, new_chat)
        return MovedChat(True, old.id)
    first, second = sorted((old, new), key=lambda one: one.id)  # what began first
    recalled = merging.merge(conn, first, second)
    _rename(conn, first, key, new_chat)
    return MovedChat(True, first.id, True, recalled)


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
    take(conn, REACTIONS_OF_CHAT, key.company_id, key.chat, new_chat, channel=key.channel_id)


REACTIONS_OF_CHAT = Rows(
    "message_reactions", "chat",
    "n.channel_id = t.channel_id AND n.target = t.target AND n.sender = t.sender AND n.name = t.name",
    within="t.channel_id = %(channel)s", better="t.at > n.at",
)  # fmt: skip
