"""Pages of a conversation's messages, as the inbox and the widget show them.

The oldest ones of a long, quiet conversation may be in the archive, and are read there. Seqs have no gaps, so a gap
before the first row says that there are archived ones; where there is none, nothing more is asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn
from shared.store.inbox import archived
from shared.store.inbox.platform_order import in_platform_order, sequence_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the inbox shows it. sent_at, sequence: the platform's time and number of it, None if it told none.
    edited_at, deleted_at: what its author did with it since; a deleted one has no words. automatic: why no person wrote
    it for us. delivery: how far ours got (see `statuses.of_messages`). reactions: person → emoji."""

    id: int
    seq: int
    role: str
    text: str | None
    attachments: list[dict[str, Any]] | None
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    delivery: str | None = None
    reactions: dict[str, str] = field(default_factory=dict)
    sent_at: datetime | None = None
    sequence: int | None = None
    automatic: str | None = None


def _as_shown(m: archived.Message) -> Shown:
    return Shown(
        m.id, m.seq, m.role, m.text, m.attachments, m.created_at, m.edited_at, m.deleted_at,
        sent_at=m.sent_at, sequence=sequence_of(m.external_id), automatic=m.automatic,
    )  # fmt: skip


PAGE_CHARS = 500_000
"""Of texts and attachments as JSON: when a page that goes over HTTP has so many, it ends, whatever its limit."""

PAGE = """
    /* message_pages.page */
    SELECT id, seq, role, text, attachments, created_at, edited_at, deleted_at, sent_at, sequence, automatic
    FROM (
        SELECT *, sum(chars) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) - chars AS chars_before
        FROM (
            SELECT id, seq, role, text, attachments, created_at, edited_at, deleted_at, sent_at, automatic,
                CASE WHEN external_id ~ '^[0-9]{1,18}$' THEN external_id::bigint END AS sequence,
                coalesce(length(text), 0) + coalesce(length(attachments::text), 0) AS chars
            FROM messages
            WHERE company_id = %(company)s
              AND conversation_id = %(conversation)s
              AND seq > %(after)s
            ORDER BY seq
            LIMIT %(limit)s
        ) one
    ) counted
    WHERE %(chars)s::bigint IS NULL
       OR chars_before < %(chars)s
"""


def page(
    conn: Conn, company_id: int, conversation_id: int, *, after_seq: int = 0, limit: int = 100,
    chars_max: int | None = None,
) -> list[Shown]:  # fmt: skip
    """Messages behind `after_seq`, at least one where there is any, in the platform's order; the next page is behind
    the highest seq of them. chars_max: with that many the page ends."""
    values = {
        "company": company_id, "conversation": conversation_id, "after": after_seq, "limit": limit, "chars": chars_max,
    }  # fmt: skip
    # sorted here: an ORDER BY outside the window would sort once more what comes sorted out of the index
    rows = conn.cursor(row_factory=class_row(Shown)).execute(PAGE, values)
    found = sorted(rows, key=lambda line: line.seq)
    if not found or found[0].seq == after_seq + 1:
        return in_platform_order(found)
    older = [_as_shown(m) for m in archived.after(conn, company_id, conversation_id, after_seq, limit=limit)]
    return in_platform_order(_within([*older, *found][:limit], chars_max))


@dataclass(frozen=True, slots=True)
class Line:
    """A message as a visitor of the widget sees it. client_id: the visitor's own id of it."""

    seq: int
    role: str
    text: str | None
    client_id: str | None
    created_at: datetime


# The conversation as a sub-select: joined, its one row would not keep the index's order.
OF_CHAT = """
    /* message_pages.of_chat */
    SELECT seq, role, text, external_id AS client_id, created_at
    FROM messages
    WHERE company_id = %s
      AND conversation_id = (
          SELECT id
          FROM conversations
          WHERE company_id = %s
            AND channel_id = %s
            AND chat = %s
      )
      AND seq > %s
    ORDER BY seq
    LIMIT %s
"""


def of_chat(
    conn: Conn, company_id: int, channel_id: int, chat: str, *, after_seq: int = 0, limit: int = 100,
    chars_max: int | None = None,
) -> list[Line]:  # fmt: skip
    """A chat's messages in order; none while it has no conversation. chars_max: as `page` has it."""
    values = (company_id, company_id, channel_id, chat, after_seq, limit)
    found = conn.cursor(row_factory=class_row(Line)).execute(OF_CHAT, values).fetchall()
    if not found or found[0].seq == after_seq + 1:
        return _within(found, chars_max)
    older = archived.after(conn, company_id, _of_chat(conn, company_id, channel_id, chat), after_seq, limit=limit)
    whole = [*(Line(m.seq, m.role, m.text, m.external_id, m.created_at) for m in older), *found][:limit]
    return _within(whole, chars_max)


def _of_chat(conn: Conn, company_id: int, channel_id: int, chat: str) -> int:
    """The conversation of a chat that has messages."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* message_pages.of_chat */
        SELECT id
        FROM conversations
        WHERE company_id = %s
          AND channel_id = %s
          AND chat = %s
        """,
        (company_id, channel_id, chat),
    )
    conversation_id: int | None = cursor.fetchone()
    assert conversation_id is not None
    return conversation_id


M = TypeVar("M", Shown, Line)


def _within(lines: list[M], chars_max: int | None) -> list[M]:
    """As PAGE ends a page, where it or a part of it was read otherwise."""
    chars, kept = 0, []
    for line in lines:
        if chars_max is not None and chars >= chars_max:
            break
        kept.append(line)
        chars += len(line.text or "")
        if isinstance(line, Shown) and line.attachments:
            chars += len(json.dumps(line.attachments))
    return kept
