"""Bringing messages back from the archive, with all that belongs to them. For the owner role.

In the caller's transactions, a conversation's newest stretch first: so wherever it ends, every row is in exactly one
place, and what is archived is a conversation's beginning still.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row, scalar_row

from shared import faults
from shared.store.db.pool import Conn
from shared.store.lifecycle.archive import KINDS


@dataclass(frozen=True, slots=True)
class ArchivedConversation:
    """A conversation whose archived messages are to come back from first_seq on."""

    company_id: int
    conversation_id: int
    first_seq: int


PLACES = """
    /* archive_restore.places */
    SELECT company_id, conversation_id, min(first_seq) AS first_seq
    FROM archive_segments
    WHERE kind = 'messages'
      AND (%(run)s::bigint IS NULL OR run_id = %(run)s)
      AND (%(company)s::bigint IS NULL OR company_id = %(company)s)
      AND (%(conversation)s::bigint IS NULL OR conversation_id = %(conversation)s)
    GROUP BY 1, 2
    ORDER BY 1, 2
    LIMIT %(limit)s
"""


def places(
    conn: Conn, *, run_id: int | None = None, company_id: int | None = None, conversation_id: int | None = None,
    limit: int = 100,
) -> list[ArchivedConversation]:  # fmt: skip
    """List conversations with segments of this run, company or conversation; None means any. With a run's segments come
    those after them, because what is archived is always the beginning of a conversation."""
    with conn.cursor(row_factory=class_row(ArchivedConversation)) as cursor:
        return cursor.execute(
            PLACES, {"run": run_id, "company": company_id, "conversation": conversation_id, "limit": limit}
        ).fetchall()


def restore_newest(conn: Conn, place: ArchivedConversation) -> int:
    """Bring the newest archived stretch of a conversation back; returns its messages, 0 when none is left from
    first_seq on. In the caller's transaction."""
    at = (place.company_id, place.conversation_id)
    conn.execute(
        """
        /* archive_restore.restore */
        SELECT 1
        FROM conversations
        WHERE company_id = %s
          AND id = %s
        FOR UPDATE
        """,
        at,
    )
    newest = conn.execute(
        """
        /* archive_restore.restore */
        SELECT last_seq, first_seq, run_id
        FROM archive_segments
        WHERE company_id = %s
          AND conversation_id = %s
          AND kind = 'messages'
          AND first_seq >= %s
        ORDER BY last_seq DESC
        LIMIT 1
        """,
        (*at, place.first_seq),
    ).fetchone()
    if newest is None:
        return 0
    last_seq, first_seq, run_id = (int(str(n)) for n in newest)
    back = 0
    for kind in reversed(KINDS):
        rows = _restore_kind(conn, kind.name, (*at, kind.name, last_seq))
        back = rows if kind.name == "messages" else back
        faults.reach(f"archive.restore_{kind.name}")
    conn.execute(
        """
        /* archive_restore.restore */
        UPDATE conversations
        SET archived_seq = %s
        WHERE company_id = %s
          AND id = %s
        """,
        (first_seq - 1, *at),
    )
    conn.execute(
        """
        /* archive_restore.restore */
        UPDATE archive_runs
        SET restored = restored + %s
        WHERE id = %s
        """,
        (back, run_id),
    )
    return back


COLUMNS = """
    /* archive_restore.restore */
    SELECT a.attname::text
    FROM pg_attribute a
    WHERE a.attrelid = {}::regclass
      AND a.attnum > 0
      AND NOT a.attisdropped
      AND EXISTS (
          SELECT 1
          FROM archive_segments
          WHERE company_id = %s
            AND conversation_id = %s
            AND kind = %s
            AND last_seq = %s
            AND (body->0)::jsonb ? a.attname
      )
    ORDER BY a.attnum
"""
RESTORE = """
    /* archive_restore.restore */
    WITH gone AS (
        DELETE FROM archive_segments
        WHERE company_id = %s
          AND conversation_id = %s
          AND kind = %s
          AND last_seq = %s
        RETURNING archive_rows(body, kind, conversation_id, moved) AS body
    )
    INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {columns}
    FROM gone, json_populate_recordset(NULL::{table}, gone.body)
"""
FORGET_KEYS = """
    /* archive_restore.restore */
    DELETE FROM archived_keys k
    USING (
        SELECT m.channel_id, m.dedupe_key
        FROM archive_segments s, json_populate_recordset(NULL::messages, s.body) m
        WHERE s.company_id = %s
          AND s.conversation_id = %s
          AND s.kind = %s
          AND s.last_seq = %s
          AND m.dedupe_key IS NOT NULL
    ) gone
    WHERE k.company_id = %s
      AND k.channel_id = gone.channel_id
      AND k.key_hash = dedupe_key_hash(gone.dedupe_key)
"""


def _restore_kind(conn: Conn, table: str, segment: tuple[int, int, str, int]) -> int:
    """Put a segment's rows back into their table; returns how many. Columns that the table has got since take their
    defaults, columns that it has lost are left out."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        names = cursor.execute(sql.SQL(COLUMNS).format(sql.Literal(table)), segment).fetchall()
    if not names:
        return 0
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    if table == "messages":
        conn.execute(FORGET_KEYS, (*segment, segment[0]))
    query = sql.SQL(RESTORE).format(table=sql.Identifier(table), columns=columns)
    return conn.execute(query, segment).rowcount
