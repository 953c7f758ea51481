"""Makes overdue work of other companies."""

from __future__ import annotations

from typing import Any

import psycopg

_ADD_CHANNELS = """
    /* sandbox.backlog */
    WITH a AS (
        INSERT INTO apps (platform, slug, secrets)
        SELECT 'widget', 'backlog-' || c, ''::bytea
        FROM unnest(%(ids)s::bigint[]) c
        RETURNING id, slug
    )
    INSERT INTO channels (company_id, app_id, platform, external_id, credentials)
    SELECT replace(slug, 'backlog-', '')::bigint, id, 'widget', slug, ''::bytea
    FROM a
"""


def insert_backlog(conn: psycopg.Connection[Any], companies: list[int], chats: int) -> None:
    """So many overdue turns of each. Set by set, one statement a table: channels of nobody, conversations that a person
    has, and their turns."""
    conn.execute(_ADD_CHANNELS, {"ids": companies})
    conn.execute(
        """
        /* sandbox.backlog */
        INSERT INTO conversations (company_id, channel_id, chat, bot_enabled, message_count, customer_seq)
        SELECT h.company_id, h.id, 'chat ' || n, false, 1, 1
        FROM channels h, generate_series(1, %(chats)s) n
        WHERE h.company_id = ANY(%(ids)s)
        """,
        {"ids": companies, "chats": chats},
    )
    conn.execute(
        """
        /* sandbox.backlog */
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, dedupe_key, text)
        SELECT company_id, id, channel_id, 1, 'customer', 'backlog ' || id, 'Hello?'
        FROM conversations
        WHERE company_id = ANY(%(ids)s)
        """,
        {"ids": companies},
    )
    conn.execute(
        """
        /* sandbox.backlog */
        INSERT INTO company_totals (company_id, customer_messages, unread)
        SELECT company_id, count(*), count(*)
        FROM conversations
        WHERE company_id = ANY(%(ids)s)
        GROUP BY 1
        """,
        {"ids": companies},
    )
    conn.execute(
        """
        /* sandbox.backlog */
        INSERT INTO turns (company_id, conversation_id, channel_id, first_seq, last_seq, received_at, due_at)
        SELECT
            company_id, id, channel_id, 1, 1, now() - interval '1 hour', now() - interval '1 hour'
        FROM conversations
        WHERE company_id = ANY(%(ids)s)
        """,
        {"ids": companies},
    )
