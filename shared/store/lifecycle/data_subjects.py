"""Finds a data subject's data: everything that is kept of one contact. For the owner role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Contact:
    company_id: int
    id: int
    channel_id: int
    platform: str
    external_id: str
    name: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A conversation that they began or wrote in. alone: nobody but them and us wrote in it."""

    conversation_id: int
    alone: bool


FIND = """
    /* data_subjects.find */
    SELECT c.company_id, c.id, c.channel_id, h.platform, c.external_id, c.name, c.created_at
    FROM contacts c
    JOIN channels h ON h.company_id = c.company_id AND h.id = c.channel_id
    WHERE c.company_id = %s
      AND (
          c.external_id = %s
          OR c.name ILIKE '%%' || %s || '%%'
          OR EXISTS (
              SELECT 1
              FROM contact_identities i
              WHERE i.company_id = c.company_id
                AND i.contact_id = c.id
                AND %s IN (i.identity, i.external_id)
          )
      )
    ORDER BY c.id
    LIMIT %s
"""


def find(conn: Conn, company_id: int, words: str, *, limit: int = 50) -> list[Contact]:
    """Find contacts with this platform id, any of several, or with these words in their name."""
    with conn.cursor(row_factory=class_row(Contact)) as cursor:
        return cursor.execute(FIND, (company_id, words, words, words, limit)).fetchall()


ONE = """
    /* data_subjects.one */
    SELECT c.company_id, c.id, c.channel_id, h.platform, c.external_id, c.name, c.created_at
    FROM contacts c
    JOIN channels h ON h.company_id = c.company_id AND h.id = c.channel_id
    WHERE c.company_id = %s
      AND c.id = %s
"""


def one(conn: Conn, company_id: int, contact_id: int) -> Contact | None:
    """Return a contact, None if there is none."""
    with conn.cursor(row_factory=class_row(Contact)) as cursor:
        return cursor.execute(ONE, (company_id, contact_id)).fetchone()


PARTS = """
    /* data_subjects.parts */
    WITH mine AS (
        SELECT id
        FROM conversations
        WHERE company_id = %(company)s
          AND contact_id = %(contact)s
        UNION
        SELECT conversation_id
        FROM messages
        WHERE company_id = %(company)s
          AND contact_id = %(contact)s
        UNION
        SELECT conversation_id
        FROM archive_segments
        WHERE company_id = %(company)s
          AND kind = 'messages'
          AND archive_rows(body, kind, conversation_id, moved)::jsonb
              @> jsonb_build_array(jsonb_build_object('contact_id', %(contact)s::bigint))
    )
    SELECT
        id AS conversation_id,
        NOT EXISTS (
            SELECT 1
            FROM messages m
            WHERE m.company_id = %(company)s
              AND m.conversation_id = mine.id
              AND m.contact_id <> %(contact)s
        ) AND NOT EXISTS (
            SELECT 1
            FROM archive_segments s
            CROSS JOIN LATERAL json_to_recordset(
                archive_rows(s.body, s.kind, s.conversation_id, s.moved)
            ) AS m (contact_id bigint)
            WHERE s.company_id = %(company)s
              AND s.conversation_id = mine.id
              AND s.kind = 'messages'
              AND m.contact_id <> %(contact)s
        ) AS alone
    FROM mine
    ORDER BY id
"""


def parts(conn: Conn, contact: Contact) -> list[Part]:
    """List every conversation that they began or wrote in, also archived ones."""
    with conn.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(PARTS, {"company": contact.company_id, "contact": contact.id}).fetchall()


SAID = """
    /* data_subjects.said */
    SELECT row
    FROM (
        SELECT to_jsonb(m) AS row
        FROM messages m
        WHERE m.company_id = %(company)s
          AND m.conversation_id = %(conversation)s
        UNION ALL
        SELECT e.row
        FROM archive_segments s
        CROSS JOIN LATERAL jsonb_array_elements(
            archive_rows(s.body, s.kind, s.conversation_id, s.moved)::jsonb
        ) AS e (row)
        WHERE s.company_id = %(company)s
          AND s.conversation_id = %(conversation)s
          AND s.kind = 'messages'
    ) every
    WHERE %(alone)s
      OR (row->>'contact_id')::bigint = %(contact)s
    ORDER BY (row->>'seq')::bigint
"""


def said(conn: Conn, contact: Contact, part: Part) -> list[dict[str, Any]]:
    """Return messages of a conversation in order, as stored: all of them if they wrote alone with us, otherwise only
    theirs."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            SAID,
            {
                "company": contact.company_id,
                "conversation": part.conversation_id,
                "alone": part.alone,
                "contact": contact.id,
            },
        ).fetchall()


ATTACHMENTS = """
    /* data_subjects.attachments */
    SELECT jsonb_build_object(
        'message', d.message_id,
        'ordinal', d.ordinal,
        'sha256', encode(d.sha256, 'hex'),
        'name', coalesce(m.attachments -> d.ordinal ->> 'name', d.name),
        'mime', d.mime,
        'size_bytes', d.size_bytes
    )
    FROM media d
    LEFT JOIN messages m ON m.company_id = d.company_id AND m.id = d.message_id
    WHERE d.company_id = %s
      AND d.message_id = ANY (%s)
      AND d.state = 'stored'
    ORDER BY d.message_id, d.ordinal
"""


def attachments(conn: Conn, contact: Contact, message_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return their stored attachments: message, ordinal, sha256, name, mime, size_bytes."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(ATTACHMENTS, (contact.company_id, list(message_ids))).fetchall()


def reactions(conn: Conn, contact: Contact) -> list[dict[str, Any]]:
    """Return their reactions: chat, message (its id on the platform), emoji (null: taken back), at."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* data_subjects.reactions */
            SELECT jsonb_build_object('chat', chat, 'message', target, 'emoji', emoji, 'at', at)
            FROM message_reactions
            WHERE company_id = %s
              AND channel_id = %s
              AND sender = %s
            ORDER BY at
            """,
            (contact.company_id, contact.channel_id, contact.external_id),
        ).fetchall()


def costs(conn: Conn, contact: Contact) -> list[dict[str, Any]]:
    """Return what models cost for them lately: day (UTC), cost_micros."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* data_subjects.costs */
            SELECT jsonb_build_object('day', day, 'cost_micros', cost_micros)
            FROM contact_days
            WHERE company_id = %s
              AND contact_id = %s
            ORDER BY day
            """,
            (contact.company_id, contact.id),
        ).fetchall()


def answer_times(conn: Conn, contact: Contact) -> dict[str, Any] | None:
    """Return when they last had answers, as the limit of an hour counts them, and when they were told of it; None: they
    never had one."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* data_subjects.answer_times */
            SELECT jsonb_build_object('answered_at', answered_at, 'told_at', told_at)
            FROM contact_answers
            WHERE company_id = %s
              AND contact_id = %s
            """,
            (contact.company_id, contact.id),
        ).fetchone()


MODEL_CALLS = """
    /* data_subjects.model_calls */
    SELECT jsonb_build_object(
        'day', day,
        'purpose', purpose,
        'model', model,
        'calls', count(*),
        'tokens_in', sum(tokens_in),
        'tokens_out', sum(tokens_out),
        'cost_micros', sum(cost_micros)
    )
    FROM llm_calls
    WHERE company_id = %s
      AND contact_id = %s
    GROUP BY day, purpose, model
    ORDER BY day, purpose, model
"""


def model_calls(conn: Conn, contact: Contact) -> list[dict[str, Any]]:
    """Return what models were called for on their behalf: by day (UTC), purpose and model, as long as it is kept."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(MODEL_CALLS, (contact.company_id, contact.id)).fetchall()
