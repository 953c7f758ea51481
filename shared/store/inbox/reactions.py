"""Reactions to messages: each person's newest, by the platform's name of the message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn, columns


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction to a message. emoji: None if it was removed. name: which of a person's several it is, where the
    platform tells each by itself; empty where emoji is all that they show."""

    company_id: int
    channel_id: int
    chat: str
    target: str
    sender: str
    emoji: str | None
    at: datetime
    name: str = ""


PUT = """
    /* reactions.put */
    INSERT INTO message_reactions AS r (company_id, channel_id, chat, target, sender, emoji, at, name)
    SELECT *
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[]
    )
    ON CONFLICT (company_id, channel_id, target, chat, sender, name) DO UPDATE
    SET emoji = excluded.emoji, at = excluded.at
    WHERE r.at <= excluded.at
      AND (r.at, r.emoji) IS DISTINCT FROM (excluded.at, excluded.emoji)
"""


def put(conn: Conn, reactions: Sequence[Reaction]) -> int:
    """Store reactions, of which each person's newest (of a name) to each message counts. Returns how many rows
    changed."""
    newest: dict[tuple[int, int, str, str, str, str], Reaction] = {}
    for one in reactions:
        key = (one.company_id, one.channel_id, one.target, one.chat, one.sender, one.name)
        if key not in newest or newest[key].at <= one.at:
            newest[key] = one
    if not newest:
        return 0
    rows = [newest[key] for key in sorted(newest)]  # two writers never wait in a circle
    cursor = conn.execute(
        PUT,
        columns((r.company_id, r.channel_id, r.chat, r.target, r.sender, r.emoji, r.at, r.name) for r in rows),
    )
    return cursor.rowcount


SHOWN_MAX = 20
"""Of each message: a channel may have thousands of people in it."""


# starts_with: some platforms say in which room it was, and not in which thread of it.
OF_MESSAGES = """
    /* reactions.of_messages */
    SELECT id, sender, emoji
    FROM (
        SELECT m.id, r.sender, left(r.emoji, 64) AS emoji, r.at,
            row_number() OVER (PARTITION BY m.id ORDER BY r.at DESC, r.sender, r.name) AS place
        FROM messages m
        JOIN conversations c ON c.company_id = m.company_id AND c.id = m.conversation_id
        CROSS JOIN LATERAL (
            SELECT m.external_id AS target
            UNION
            SELECT o.platform_message_id
            FROM outbound o
            WHERE o.company_id = m.company_id
              AND o.message_id = m.id
        ) t
        JOIN message_reactions r
            ON r.company_id = m.company_id
            AND r.channel_id = m.channel_id
            AND r.target = t.target
            AND (r.chat IN (c.chat, c.migrated_to) OR starts_with(c.chat, r.chat || ':'))
        WHERE m.company_id = %s
          AND m.id = ANY (%s::bigint[])
          AND r.emoji IS NOT NULL
    ) newest
    WHERE place <= %s
    ORDER BY at
"""


def of_messages(conn: Conn, company_id: int, message_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return message → person → emoji (several with spaces between, the newest last), the newest SHOWN_MAX of
    each message that has any."""
    if not message_ids:
        return {}
    values = (company_id, list(message_ids), SHOWN_MAX)
    found: dict[int, dict[str, str]] = {}
    for message_id, sender, emoji in conn.cursor(row_factory=tuple_row).execute(OF_MESSAGES, values):
        of_message = found.setdefault(message_id, {})
        of_message[sender] = f"{of_message[sender]} {emoji}" if sender in of_message else emoji
    return found
