"""Reading the archive: what messages and receipts ask when a conversation's beginning is not in its tables."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from shared.store.pool import Conn

SEGMENT_MESSAGES = 200
"""A stretch of a conversation that is compressed as one: of 100, 126 bytes a message instead of 416; of 500, 109, and
reading a page takes 0.7 ms instead of 0.4."""


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


def after(conn: Conn, company_id: int, conversation_id: int, seq: int, *, limit: int) -> list[Message]:
    """The archived messages behind a seq, oldest first."""
    # Only as many segments are opened as it takes: one of them may be needed in part.
    rows = conn.execute(
        "/* archived.after */ SELECT m.id, m.seq, m.role, m.text, m.attachments, m.external_id, m.created_at,"
        " m.edited_at, m.deleted_at"
        " FROM (SELECT s.body, sum(s.rows) OVER (ORDER BY s.last_seq) - s.rows AS before"
        "   FROM archive_segments s WHERE s.company_id = %(company)s AND s.conversation_id = %(conversation)s"
        "   AND s.kind = 'messages' AND s.last_seq > %(seq)s) s"
        " CROSS JOIN LATERAL json_to_recordset(s.body) AS m (id bigint, seq bigint, role text, text text,"
        "   attachments jsonb, external_id text, created_at timestamptz, edited_at timestamptz,"
        "   deleted_at timestamptz)"
        " WHERE s.before < %(reach)s AND m.seq > %(seq)s ORDER BY m.seq LIMIT %(limit)s",
        {
            "company": company_id, "conversation": conversation_id, "seq": seq, "limit": limit,
            "reach": limit + SEGMENT_MESSAGES,
        },
    ).fetchall()  # fmt: skip
    return [Message(*row) for row in rows]  # type: ignore[arg-type]


def id_of_key(conn: Conn, company_id: int, channel_id: int, dedupe_key: str) -> int | None:
    """The archived message that was stored under this key."""
    row = conn.execute(
        "/* archived.id_of_key */ SELECT message_id FROM archived_keys WHERE company_id = %s AND channel_id = %s"
        " AND key_hash = dedupe_key_hash(%s)",
        (company_id, channel_id, dedupe_key),
    ).fetchone()
    return int(str(row[0])) if row else None


def receipts(conn: Conn, company_id: int, conversation_id: int) -> list[dict[str, Any]]:
    """Archived receipts of a conversation, in no order, as `receipts.of_conversation` shows them."""
    rows = conn.execute(
        "/* archived.receipts */ WITH rows AS MATERIALIZED ("
        "   SELECT s.kind, e.row FROM archive_segments s"
        "   CROSS JOIN LATERAL jsonb_array_elements(s.body::jsonb) AS e (row)"
        "   WHERE s.company_id = %s AND s.conversation_id = %s)"
        " SELECT jsonb_build_object('turn', t.row->'id', 'step', r.row->'step', 'reason', r.row->'reason',"
        "   'passages', r.row->'passages', 'citations', r.row->'citations', 'attempts', r.row->'attempts',"
        "   'tokens_in', r.row->'tokens_in', 'tokens_out', r.row->'tokens_out',"
        "   'ms', (r.row->'ms') || jsonb_build_object('send', (SELECT round(extract(epoch FROM"
        "     max((o.row->>'finished_at')::timestamptz) - (r.row->>'created_at')::timestamptz) * 1000)::int"
        "     FROM rows o WHERE o.kind = 'outbound' AND o.row->'message_id' = r.row->'message_id'"
        "       AND o.row->>'state' = 'sent')),"
        "   'answer', m.row->'text', 'state', t.row->'state')::text"
        " FROM rows r JOIN rows t ON t.kind = 'turns' AND t.row->'id' = r.row->'turn_id'"
        " JOIN rows m ON m.kind = 'messages' AND m.row->'id' = r.row->'message_id'"
        " WHERE r.kind = 'receipts'",
        (company_id, conversation_id),
    ).fetchall()
    return [json.loads(str(row[0])) for row in rows]
