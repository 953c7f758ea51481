"""Messages: what was said, in order, each once. message_pages shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import scalar_row, tuple_row

from shared.model import Attachment
from shared.store.db.pool import Conn, columns
from shared.store.inbox import archived


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A customer's message, or one that somebody else wrote in our name (role `agent`), with its place in the
    conversation (seq, from 1, without gaps). received_at: of the request; not stored. edited_at, edits, deleted_at: of
    what came before (see `changes`). automatic: why no person wrote it for us."""

    company_id: int
    conversation_id: int
    channel_id: int
    seq: int
    contact_id: int | None
    dedupe_key: str
    external_id: str | None
    reply_to: str | None
    text: str | None
    attachments: tuple[Attachment, ...]
    sent_at: datetime | None
    received_at: datetime
    role: Literal["customer", "agent"] = "customer"
    edited_at: datetime | None = None
    edits: tuple[str, ...] = ()
    deleted_at: datetime | None = None
    automatic: str | None = None


Key = tuple[int, int, str]
"""(company, channel, dedupe key)"""


def preview(text: str | None, attachments: Sequence[Attachment]) -> str:
    """A message in one line: its text, else what was attached in words, else the type and name of that."""
    if text or not attachments:
        return text or ""
    return attachments[0].in_words() or f"[{attachments[0].type}] {attachments[0].name or ''}".rstrip()


# LIMIT 1: one look into the index for each key. As a join the planner reads all of a company's keys.
EXISTING_KEYS = """
    /* messages.existing_keys */
    SELECT k.company_id, k.channel_id, k.dedupe_key
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, channel_id, dedupe_key)
    CROSS JOIN LATERAL (
        SELECT 1
        FROM messages m
        WHERE m.company_id = k.company_id
          AND m.channel_id = k.channel_id
          AND m.dedupe_key = k.dedupe_key
        UNION ALL
        SELECT 1
        FROM archived_keys a
        WHERE a.company_id = k.company_id
          AND a.channel_id = k.channel_id
          AND a.key_hash = dedupe_key_hash(k.dedupe_key)
        LIMIT 1
    ) m
"""


def existing_keys(conn: Conn, keys: Sequence[Key]) -> set[Key]:
    """Which of these are stored already. The conversations must be locked, so that the answer stays true."""
    if not keys:
        return set()
    return set(conn.cursor(row_factory=tuple_row).execute(EXISTING_KEYS, columns(keys)).fetchall())


ADD = """
    /* messages.add */
    INSERT INTO messages (
        company_id, conversation_id, channel_id, seq, role, contact_id, dedupe_key, external_id, reply_to, text,
        attachments, sent_at, edited_at, edits, deleted_at, automatic
    )
    SELECT company_id, conversation_id, channel_id, seq, role, contact_id, dedupe_key, external_id, reply_to, text,
        attachments::jsonb, sent_at, edited_at,
        CASE WHEN edits IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(edits::jsonb)) END, deleted_at,
        automatic
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[],
        %s::text[]
    ) AS n (
        company_id, conversation_id, channel_id, seq, contact_id, dedupe_key, external_id, reply_to, text, attachments,
        sent_at, role, edited_at, edits, deleted_at, automatic
    )
    RETURNING company_id, channel_id, dedupe_key, id
"""


def add(conn: Conn, new: Sequence[NewMessage]) -> dict[Key, int]:
    """Insert messages that came in; returns their ids. A second copy is a UniqueViolation: look first."""
    if not new:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(
        ADD,
        [
            [m.company_id for m in new],
            [m.conversation_id for m in new],
            [m.channel_id for m in new],
            [m.seq for m in new],
            [m.contact_id for m in new],
            [m.dedupe_key for m in new],
            [m.external_id for m in new],
            [m.reply_to for m in new],
            [m.text for m in new],
            [json.dumps([a.as_json() for a in m.attachments]) if m.attachments else None for m in new],
            [m.sent_at for m in new],
            [m.role for m in new],
            [m.edited_at for m in new],
            [json.dumps(m.edits) if m.edits else None for m in new],
            [m.deleted_at for m in new],
            [m.automatic for m in new],
        ],
    )
    return {(company, channel, key): id_ for company, channel, key, id_ in rows}


def ask(conn: Conn, asked: Mapping[tuple[int, int], tuple[str, str | None]]) -> None:
    """Make messages (company, id) that asked nobody ones that ask us: (their key from now on, what they say now)."""
    if asked:
        conn.execute(
            """
            /* messages.ask */
            UPDATE messages m
            SET dedupe_key = n.dedupe_key,
                text = CASE WHEN m.deleted_at IS NULL THEN coalesce(n.text, m.text) END
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS n (company_id, id, dedupe_key, text)
            WHERE m.company_id = n.company_id
              AND m.id = n.id
            """,
            columns((*place, key, text) for place, (key, text) in asked.items()),
        )


def add_own(
    conn: Conn,
    company_id: int,
    conversation_id: int,
    channel_id: int,
    seq: int,
    role: str,
    text: str,
    *,
    dedupe_key: str | None = None,
    request_hash: bytes | None = None,
) -> int:
    """Insert a message of the bot's or of an agent's; returns its id. request_hash: of the request that brought it, by
    which the same key with another body is told."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* messages.add_own */
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text, dedupe_key, request_hash)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING id
        """,
        (company_id, conversation_id, channel_id, seq, role, text, dedupe_key, request_hash),
    )
    message_id: int | None = cursor.fetchone()
    assert message_id is not None
    return message_id


def id_of_key(conn: Conn, company_id: int, channel_id: int, dedupe_key: str) -> int | None:
    """The message that was stored under this key."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* messages.id_of_key */
        SELECT id
        FROM messages
        WHERE company_id = %s
          AND channel_id = %s
          AND dedupe_key = %s
        """,
        (company_id, channel_id, dedupe_key),
    )
    return cursor.fetchone() or archived.id_of_key(conn, company_id, channel_id, dedupe_key)


def request_hash(conn: Conn, company_id: int, message_id: int) -> bytes | None:
    """The hash of the request that brought a message; None where there was none, or the message is archived."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* messages.request_hash */
        SELECT request_hash
        FROM messages
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, message_id),
    )
    return cursor.fetchone()
