"""The newest messages of conversations, as far as it matters who wrote them and when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import tuple_row

from shared.model import Attachment
from shared.store.db.pool import Conn, columns
from shared.store.inbox.messages import preview

LINES_MAX = 50
"""Of each conversation. More than people write between two answers that somebody could take for one another."""
CHARS_MAX = 1_000

Place = tuple[int, int]
"""(company, conversation)"""


@dataclass(frozen=True, slots=True)
class Line:
    """at: by the platform's clock, by ours where it told none. words: what was said, shortened. automatic: as in
    `NewMessage`. id, seq, stored_at: of one that is stored. echo: it was written elsewhere, and the platform timed
    it."""

    role: str
    at: datetime
    words: str
    automatic: str | None
    id: int = 0
    seq: int = 0
    stored_at: datetime | None = None
    echo: bool = False


def words_of(text: str | None, attachments: Collection[Attachment]) -> str:
    """By which two messages are the same or not."""
    return preview(text, list(attachments)[:1])[:CHARS_MAX]


LINES = """
    /* latest.lines */
    SELECT k.company_id, k.conversation_id, m.role, coalesce(m.sent_at, m.created_at), left(m.text, %s),
        m.attachments -> 0, m.automatic, m.id, m.seq, m.created_at,
        m.role = 'agent' AND m.external_id IS NOT NULL AND m.sent_at IS NOT NULL
    FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, conversation_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM messages m
        WHERE m.company_id = k.company_id
          AND m.conversation_id = k.conversation_id
        ORDER BY m.seq DESC
        LIMIT %s
    ) m
    ORDER BY k.company_id, k.conversation_id, m.seq
"""


def lines(conn: Conn, places: Collection[Place]) -> dict[Place, list[Line]]:
    """Return the newest LINES_MAX messages of each of these conversations, oldest first."""
    found: dict[Place, list[Line]] = {}
    if not places:
        return found
    rows: Any = conn.cursor(row_factory=tuple_row).execute(LINES, (CHARS_MAX, *columns(sorted(places)), LINES_MAX))
    for company, conversation, role, at, text, attachment, automatic, *of_row in rows:
        words = words_of(text, [Attachment.from_json(attachment)] if attachment else [])
        found.setdefault((company, conversation), []).append(Line(role, at, words, automatic, *of_row))
    return found


TAKEN = """
    /* latest.taken */
    SELECT c.company_id, c.id, c.bot_off_at
    FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, conversation_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM conversations c
        WHERE c.company_id = k.company_id
          AND c.id = k.conversation_id
          AND c.status = 'handed_over'
          AND c.bot_off_reason = 'agent'
          AND c.bot_off_at IS NOT NULL
        LIMIT 1
    ) c
"""


def taken(conn: Conn, places: Collection[Place]) -> dict[Place, datetime]:
    """Of these conversations, those that a person of the company has, and when they last took or wrote in it."""
    if not places:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(TAKEN, columns(sorted(places)))
    return {(company, conversation): at for company, conversation, at in rows}


def set_automatic(conn: Conn, messages: Collection[tuple[int, int]], why: str) -> None:
    """Note of stored messages, (company, id), that a machine wrote them."""
    if messages:
        conn.execute(
            """
            /* latest.set_automatic */
            UPDATE messages m
            SET automatic = %s
            FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, id)
            WHERE m.company_id = k.company_id
              AND m.id = k.id
            """,
            (why, *columns(sorted(messages))),
        )
