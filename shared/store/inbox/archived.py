"""Reading the archive: messages and receipts of a conversation's beginning that are not in its tables any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple

from psycopg.rows import class_row, scalar_row, tuple_row

from shared.store.db.pool import Conn

SEGMENT_MESSAGES = 200
"""A stretch of a conversation that is compressed as one: of 100, 126 bytes a message instead of 416; of 500, 109, and
reading a page takes 0.7 ms instead of 0.4."""


AS_TABLES: LiteralString = """
    WITH turns AS (
        SELECT x.*
        FROM archive_segments s
        CROSS JOIN LATERAL archive_rows(s.body, s.kind, s.conversation_id, s.moved) AS b (body)
        CROSS JOIN LATERAL json_populate_recordset(NULL::turns, b.body) x
        WHERE s.company_id = %(company)s
          AND s.conversation_id = %(conversation)s
          AND s.kind = 'turns'
    ),
    receipts AS (
        SELECT x.*
        FROM archive_segments s, json_populate_recordset(NULL::receipts, s.body) x
        WHERE s.company_id = %(company)s
          AND s.conversation_id = %(conversation)s
          AND s.kind = 'receipts'
    ),
    messages AS (
        SELECT x.*
        FROM archive_segments s
        CROSS JOIN LATERAL archive_rows(s.body, s.kind, s.conversation_id, s.moved) AS b (body)
        CROSS JOIN LATERAL json_populate_recordset(NULL::messages, b.body) x
        WHERE s.company_id = %(company)s
          AND s.conversation_id = %(conversation)s
          AND s.kind = 'messages'
    ),
    outbound AS (
        SELECT x.*
        FROM archive_segments s
        CROSS JOIN LATERAL archive_rows(s.body, s.kind, s.conversation_id, s.moved) AS b (body)
        CROSS JOIN LATERAL json_populate_recordset(NULL::outbound, b.body) x
        WHERE s.company_id = %(company)s
          AND s.conversation_id = %(conversation)s
          AND s.kind = 'outbound'
    )
"""
"""Before a query: it reads what a conversation has in the archive under its tables' own names. For few rows: there are
no indexes."""


class Message(NamedTuple):
    """A message as far as anybody reads it."""

    id: int
    seq: int
    role: str
    text: str | None
    attachments: list[dict[str, Any]] | None
    external_id: str | None
    created_at: Any
    edited_at: Any = None
    deleted_at: Any = None
    sent_at: Any = None
    automatic: str | None = None


# s.before < reach: only as many segments are opened as it takes, of which one may be needed in part.
AFTER = """
    /* archived.after */
    SELECT m.id, m.seq, m.role, m.text, m.attachments, m.external_id, m.created_at, m.edited_at, m.deleted_at,
        m.sent_at, m.automatic
    FROM (
        SELECT s.body, s.kind, s.conversation_id, s.moved,
            sum(s.rows) OVER (ORDER BY s.last_seq) - s.rows AS before
        FROM archive_segments s
        WHERE s.company_id = %(company)s
          AND s.conversation_id = %(conversation)s
          AND s.kind = 'messages'
          AND s.last_seq > %(seq)s
    ) s
    CROSS JOIN LATERAL json_to_recordset(
        archive_rows(s.body, s.kind, s.conversation_id, s.moved)
    ) AS m (
        id bigint, seq bigint, role text, text text, attachments jsonb, external_id text, created_at timestamptz,
        edited_at timestamptz, deleted_at timestamptz, sent_at timestamptz, automatic text
    )
    WHERE s.before < %(reach)s
      AND m.seq > %(seq)s
    ORDER BY m.seq
    LIMIT %(limit)s
"""


def after(conn: Conn, company_id: int, conversation_id: int, seq: int, *, limit: int) -> list[Message]:
    """List the archived messages behind a seq, oldest first."""
    values = {
        "company": company_id, "conversation": conversation_id, "seq": seq, "limit": limit,
        "reach": limit + SEGMENT_MESSAGES,
    }  # fmt: skip
    return conn.cursor(row_factory=class_row(Message)).execute(AFTER, values).fetchall()


def id_of_key(conn: Conn, company_id: int, channel_id: int, dedupe_key: str) -> int | None:
    """The archived message that was stored under this key."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* archived.id_of_key */
        SELECT message_id
        FROM archived_keys
        WHERE company_id = %s
          AND channel_id = %s
          AND key_hash = dedupe_key_hash(%s)
        """,
        (company_id, channel_id, dedupe_key),
    )
    return cursor.fetchone()


RECEIPTS = """
    /* archived.receipts */
    WITH rows AS MATERIALIZED (
        SELECT s.kind, e.row
        FROM archive_segments s
        CROSS JOIN LATERAL jsonb_array_elements(s.body::jsonb) AS e (row)
        WHERE s.company_id = %s
          AND s.conversation_id = %s
    )
    SELECT jsonb_build_object(
        'turn', t.row->'id',
        'step', r.row->'step',
        'reason', r.row->'reason',
        'passages', r.row->'passages',
        'citations', r.row->'citations',
        'embedding_model', r.row->'embedding_model',
        'attempts', r.row->'attempts',
        'tokens_in', r.row->'tokens_in',
        'tokens_out', r.row->'tokens_out',
        'ms', (r.row->'ms') || jsonb_build_object(
            'send', (
                SELECT round(
                    extract(
                        epoch FROM max((o.row->>'finished_at')::timestamptz) - (r.row->>'created_at')::timestamptz
                    ) * 1000
                )::int
                FROM rows o
                WHERE o.kind = 'outbound'
                  AND o.row->'message_id' = r.row->'message_id'
                  AND o.row->>'state' = 'sent'
            )
        ),
        'answer', m.row->'text',
        'bot', r.row->'bot',
        'state', t.row->'state'
    )
    FROM rows r
    JOIN rows t ON t.kind = 'turns' AND t.row->'id' = r.row->'turn_id'
    LEFT JOIN rows m ON m.kind = 'messages' AND m.row->'id' = r.row->'message_id'
    WHERE r.kind = 'receipts'
"""


def receipts(conn: Conn, company_id: int, conversation_id: int) -> list[dict[str, Any]]:
    """Read the archived receipts of a conversation, in no order, as `receipts.of_conversation` shows them."""
    return conn.cursor(row_factory=scalar_row).execute(RECEIPTS, (company_id, conversation_id)).fetchall()


def place_of_turn(conn: Conn, turn_id: int, company_id: int | None) -> tuple[int, int] | None:
    """Find the (company, conversation) of an archived turn. Reads all turns of the company's archive, or of
    everybody's."""
    cursor = conn.cursor(row_factory=tuple_row)
    cursor.execute(
        """
        /* archived.place_of_turn */
        SELECT company_id, conversation_id
        FROM archive_segments
        WHERE kind = 'turns'
          AND (%(company)s::bigint IS NULL OR company_id = %(company)s)
          AND body::jsonb @> jsonb_build_array(jsonb_build_object('id', %(turn)s::bigint))
        LIMIT 1
        """,
        {"company": company_id, "turn": turn_id},
    )
    return cursor.fetchone()


CONVERSATION_OF_MESSAGE = """
    /* archived.conversation_of_message */
    SELECT conversation_id
    FROM archive_segments
    WHERE company_id = %s
      AND kind = 'messages'
      AND from_at <= %s
      AND to_at >= %s
      AND body::jsonb @> jsonb_build_array(jsonb_build_object('id', %s::bigint))
    LIMIT 1
"""


def conversation_of_message(conn: Conn, company_id: int, message_id: int, near: datetime) -> int | None:
    """Find the conversation of an archived message that was stored within a day of this time."""
    values = (company_id, near + timedelta(days=1), near - timedelta(days=1), message_id)
    return conn.cursor(row_factory=scalar_row).execute(CONVERSATION_OF_MESSAGE, values).fetchone()
