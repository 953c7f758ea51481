"""Stores edits, deletions and reactions of messages, including those that arrive before their message."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn, columns

EDITS_KEPT = 20
"""Keys of so many edits are remembered for each message: platforms send again what was not taken, not older things."""

Target = tuple[int, int, str]
"""(company, conversation, the message's id on the platform). The conversations are locked by whoever asks here."""


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a message after its edits, or what is known of it before it arrives. attachments: as stored."""

    text: str | None = None
    attachments: tuple[dict[str, Any], ...] = ()
    edited_at: datetime | None = None
    edits: tuple[str, ...] = ()
    deleted_at: datetime | None = None

    def edited(self, text: str | None, attachments: tuple[dict[str, Any], ...], at: datetime, key: str) -> Content:
        """Apply one more edit. It changes nothing if the message was deleted or edited later, and applying it twice
        changes nothing. An edit without attachments keeps those that exist; one without text or attachments keeps the
        text."""
        if key in self.edits:
            return self
        edits = (*self.edits, key)[-EDITS_KEPT:]
        if self.deleted_at is not None or (self.edited_at is not None and at < self.edited_at):
            return replace(self, edits=edits)
        return Content(
            text=text if text is not None or attachments else self.text,
            attachments=attachments or self.attachments,
            edited_at=at,
            edits=edits,
        )

    def deleted(self, at: datetime) -> Content:
        """Return the content of a deleted message, which keeps nothing of what was said. Deleting it again changes
        nothing."""
        return self if self.deleted_at is not None else Content(None, (), self.edited_at, self.edits, at)

    def joined(self, early: Content) -> Content:
        """Apply what was kept of the same message elsewhere, before it was known that both are one conversation's: what
        is deleted in one of the two is deleted, and the later edit counts."""
        edits = (*early.edits, *self.edits)[-EDITS_KEPT:]
        if self.deleted_at is not None or early.deleted_at is not None:
            return replace(self if self.deleted_at is not None else early, edits=edits)
        if early.edited_at is None or (self.edited_at is not None and early.edited_at < self.edited_at):
            return replace(self, edits=edits)
        return replace(early.over(self.text, self.attachments), edits=edits)

    def over(self, text: str | None, attachments: tuple[dict[str, Any], ...]) -> Content:
        """Apply what was known before the message arrived."""
        if self.deleted_at is not None:
            return self
        if self.edited_at is None:
            return replace(self, text=text, attachments=attachments)
        kept = self.text if self.text is not None or self.attachments else text
        return replace(self, text=kept, attachments=self.attachments or attachments)


@dataclass(frozen=True, slots=True)
class Known:
    """A stored message to which edits or deletions refer."""

    id: int
    seq: int
    role: str
    channel_id: int
    content: Content


def _content(text: Any, attachments: Any, edited_at: Any, edits: Any, deleted_at: Any) -> Content:
    return Content(text, tuple(attachments or ()), edited_at, tuple(edits or ()), deleted_at)


# LIMIT 1: the newest, should a platform have given an id twice.
STORED = """
    /* changes.stored */
    SELECT k.company_id, k.conversation_id, k.external_id, m.id, m.seq, m.role, m.channel_id, m.text, m.attachments,
        m.edited_at, m.edits, m.deleted_at
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, conversation_id, external_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM messages m
        WHERE m.company_id = k.company_id
          AND m.conversation_id = k.conversation_id
          AND m.external_id = k.external_id
        ORDER BY m.id DESC
        LIMIT 1
    ) m
"""


def stored(conn: Conn, targets: Sequence[Target]) -> dict[Target, Known]:
    """Return those of the messages that have arrived."""
    if not targets:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(STORED, columns(targets))
    return {
        (company, conversation, external_id): Known(id_, seq, role, channel, _content(*content))
        for company, conversation, external_id, id_, seq, role, channel, *content in rows
    }


REWRITE = """
    /* changes.rewrite */
    UPDATE messages m
    SET text = n.text,
        attachments = n.attachments::jsonb,
        edited_at = n.edited_at,
        edits = ARRAY(SELECT jsonb_array_elements_text(n.edits::jsonb)),
        deleted_at = n.deleted_at
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[]
    ) AS n (company_id, id, text, attachments, edited_at, edits, deleted_at)
    WHERE m.company_id = n.company_id
      AND m.id = n.id
"""


def rewrite(conn: Conn, contents: Mapping[tuple[int, int], Content]) -> None:
    """Store the messages' new contents: (company, message) → content."""
    if contents:
        conn.execute(REWRITE, columns((*key, *_values(content)) for key, content in contents.items()))


def _values(content: Content) -> tuple[Any, ...]:
    attachments = json.dumps(content.attachments) if content.attachments else None
    return content.text, attachments, content.edited_at, json.dumps(content.edits), content.deleted_at


EARLY = """
    /* changes.early */
    SELECT k.company_id, k.conversation_id, k.external_id, e.text, e.attachments, e.edited_at, e.edits, e.deleted_at
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, conversation_id, external_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM early_changes e
        WHERE e.company_id = k.company_id
          AND e.conversation_id = k.conversation_id
          AND e.external_id = k.external_id
        LIMIT 1
    ) e
"""


def early(conn: Conn, targets: Sequence[Target]) -> dict[Target, Content]:
    """Return what is known of messages that have not arrived."""
    if not targets:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(EARLY, columns(targets))
    return {
        (company, conversation, external_id): _content(*content)
        for company, conversation, external_id, *content in rows
    }


KEEP_EARLY = """
    /* changes.keep_early */
    INSERT INTO early_changes AS e (
        company_id, conversation_id, external_id, text, attachments, edited_at, edits, deleted_at
    )
    SELECT company_id, conversation_id, external_id, text, attachments::jsonb, edited_at,
        ARRAY(SELECT jsonb_array_elements_text(n.edits::jsonb)), deleted_at
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
        %s::timestamptz[]
    ) AS n (company_id, conversation_id, external_id, text, attachments, edited_at, edits, deleted_at)
    ON CONFLICT (company_id, conversation_id, external_id) DO UPDATE
    SET text = excluded.text,
        attachments = excluded.attachments,
        edited_at = excluded.edited_at,
        edits = excluded.edits,
        deleted_at = excluded.deleted_at
"""


def keep_early(conn: Conn, contents: Mapping[Target, Content]) -> None:
    """Store what is known of messages that have not arrived."""
    if contents:
        conn.execute(KEEP_EARLY, columns((*key, *_values(content)) for key, content in contents.items()))


def arrived(conn: Conn, places: Collection[tuple[int, int]]) -> list[Target]:
    """List the messages of these conversations, (company, conversation), that are stored though a change of them is
    still kept as early."""
    if not places:
        return []
    rows = conn.cursor(row_factory=tuple_row).execute(
        """
        /* changes.arrived */
        SELECT e.company_id, e.conversation_id, e.external_id
        FROM unnest(%s::bigint[], %s::bigint[]) AS k (company_id, conversation_id)
        JOIN early_changes e ON e.company_id = k.company_id AND e.conversation_id = k.conversation_id
        WHERE EXISTS (
            SELECT 1
            FROM messages m
            WHERE m.company_id = e.company_id
              AND m.conversation_id = e.conversation_id
              AND m.external_id = e.external_id
        )
        """,
        columns(sorted(places)),
    )
    return [(company, conversation, external_id) for company, conversation, external_id in rows]


def take_early(conn: Conn, targets: Sequence[Target]) -> dict[Target, Content]:
    """Return what `early` does, for messages that arrive now, and delete those rows."""
    found = early(conn, targets)
    if found:
        conn.execute(
            """
            /* changes.take_early */
            DELETE FROM early_changes e
            USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, conversation_id, external_id)
            WHERE e.company_id = k.company_id
              AND e.conversation_id = k.conversation_id
              AND e.external_id = k.external_id
            """,
            columns(found),
        )
    return found


# How many customer messages follow it says which number it has; more than are unread need not be counted.
TAKE_BACK = """
    /* changes.take_back */
    WITH gone AS (
        SELECT c.company_id, c.id, range_agg(int8range(n.number, n.number + 1)) AS numbers,
            unread_of(c.customer_seq, c.read_seq, c.read_beyond) AS unread
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS k (company_id, conversation_id, seq)
        CROSS JOIN LATERAL (
            SELECT *
            FROM conversations c
            WHERE c.company_id = k.company_id
              AND c.id = k.conversation_id
            LIMIT 1
        ) c
        CROSS JOIN LATERAL (
            SELECT count(*) AS count
            FROM (
                SELECT 1
                FROM messages m
                WHERE m.company_id = k.company_id
                  AND m.conversation_id = k.conversation_id
                  AND m.seq > k.seq
                  AND m.role = 'customer'
                ORDER BY m.seq
                LIMIT c.customer_seq - c.read_seq
            ) m
        ) later
        CROSS JOIN LATERAL (SELECT c.customer_seq - later.count) AS n (number)
        WHERE n.number > c.read_seq
        GROUP BY c.company_id, c.id, c.customer_seq, c.read_seq, c.read_beyond
    )
    UPDATE conversations c
    SET read_beyond = longest_ranges(c.read_beyond + g.numbers)
    FROM gone g
    WHERE c.company_id = g.company_id
      AND c.id = g.id
    RETURNING c.company_id, g.unread - (unread_of(c.customer_seq, c.read_seq, c.read_beyond))
"""


def take_back(conn: Conn, gone: Sequence[tuple[int, int, int]]) -> dict[int, int]:
    """Let customers' messages that they took back count as unread no more: (company, conversation, seq), the
    conversations locked. Returns company → how many were unread."""
    if not gone:
        return {}
    counts: dict[int, int] = {}
    for company_id, count in conn.cursor(row_factory=tuple_row).execute(TAKE_BACK, columns(gone)):
        counts[company_id] = counts.get(company_id, 0) + count
    return counts


def purge_early(conn: Conn, company_id: int, before: datetime) -> int:
    """Delete what was kept for messages and sends that never came. Returns how many rows went."""
    changes = conn.execute(
        """
        /* changes.purge_early */
        DELETE FROM early_changes
        WHERE company_id = %s
          AND created_at < %s
        """,
        (company_id, before),
    )
    statuses = conn.execute(
        """
        /* changes.purge_early */
        DELETE FROM early_statuses
        WHERE company_id = %s
          AND created_at < %s
        """,
        (company_id, before),
    )
    return changes.rowcount + statuses.rowcount
