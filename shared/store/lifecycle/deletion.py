"""Deletes for good, with a receipt that says how much went and never what it was. For the owner role."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row, tuple_row

from shared.store.db.pool import Conn
from shared.store.inbox import media

Counts = dict[str, int]
"""Rows by what they were."""


ADD_RECEIPT = """
    /* deletion.add_receipt */
    INSERT INTO deletion_receipts AS d (company_id, kind, subject, requested_by, counts)
    VALUES (%s, %s, %s, %s, %s::jsonb)
    ON CONFLICT (company_id, kind, subject) DO UPDATE
    SET last_at = clock_timestamp(),
        counts = (
            SELECT jsonb_object_agg(k, n)
            FROM (
                SELECT e.key AS k, sum(e.value::bigint) AS n
                FROM (
                    SELECT *
                    FROM jsonb_each_text(d.counts)
                    UNION ALL
                    SELECT *
                    FROM jsonb_each_text(excluded.counts)
                ) e
                GROUP BY 1
            ) s
        )
"""


def add_receipt(conn: Conn, company_id: int, kind: str, subject: str, by: str, counts: Mapping[str, int]) -> None:
    """Record how many rows were deleted; a second receipt about the same subject adds to the first. Without rows there
    is no receipt."""
    if not any(counts.values()):
        return
    conn.execute(ADD_RECEIPT, (company_id, kind, subject, by, json.dumps(dict(counts))))


@dataclass(frozen=True, slots=True)
class Receipt:
    company_id: int
    kind: str
    subject: str
    requested_by: str
    counts: Counts
    first_at: datetime
    last_at: datetime


def receipts(conn: Conn, company_id: int | None = None, *, limit: int = 100) -> list[Receipt]:
    """List the receipts of one company or of all, newest first."""
    with conn.cursor(row_factory=class_row(Receipt)) as cursor:
        return cursor.execute(
            """
            /* deletion.receipts */
            SELECT company_id, kind, subject, requested_by, counts, first_at, last_at
            FROM deletion_receipts
            WHERE %(company)s::bigint IS NULL
              OR company_id = %(company)s
            ORDER BY last_at DESC
            LIMIT %(limit)s
            """,
            {"company": company_id, "limit": limit},
        ).fetchall()


@dataclass(frozen=True, slots=True)
class Deleted:
    """counts: rows by kind; empty: nothing was left. size: bytes they took. contents: hashes of attachments that nobody
    else has, whose bytes are to go as well."""

    counts: Counts
    size: int
    contents: list[str]


DELETE_ARCHIVED = """
    /* deletion.delete_archived */
    WITH old AS (
        SELECT conversation_id, last_seq
        FROM archive_segments
        WHERE company_id = %(company)s
          AND kind = 'messages'
          AND to_at < %(before)s
        ORDER BY conversation_id, last_seq
        LIMIT %(segments)s
        FOR UPDATE SKIP LOCKED
    ), sizes AS (
        SELECT coalesce(sum(pg_column_size(s.body)), 0)::bigint AS bytes
        FROM archive_segments s
        JOIN old ON s.company_id = %(company)s
          AND s.conversation_id = old.conversation_id
          AND s.last_seq = old.last_seq
    ), gone AS (
        DELETE FROM archive_segments s
        USING old
        WHERE s.company_id = %(company)s
          AND s.conversation_id = old.conversation_id
          AND s.last_seq = old.last_seq
        RETURNING s.kind, s.rows, s.body
    ), keys AS (
        DELETE FROM archived_keys k
        USING (
            SELECT (m->>'channel_id')::bigint AS channel_id, m->>'dedupe_key' AS key
            FROM gone, json_array_elements(gone.body) m
            WHERE gone.kind = 'messages'
              AND m->>'dedupe_key' IS NOT NULL
        ) x
        WHERE k.company_id = %(company)s
          AND k.channel_id = x.channel_id
          AND k.key_hash = dedupe_key_hash(x.key)
        RETURNING 1
    )
    SELECT kind, sum(rows)::bigint, NULL::bigint[]
    FROM gone
    GROUP BY 1
    UNION ALL
    SELECT 'keys', count(*), NULL
    FROM keys
    UNION ALL
    SELECT 'bytes', bytes, NULL
    FROM sizes
    UNION ALL
    SELECT 'media', 0, coalesce(array_agg((m->>'id')::bigint), '{}')
    FROM gone, json_array_elements(gone.body) m
    WHERE gone.kind = 'messages'
      AND m->>'attachments' IS NOT NULL
"""


def delete_archived(conn: Conn, company_id: int, *, before: datetime, segments: int) -> Deleted:
    """Delete a company's oldest archived stretches whose newest message was made before, with all kinds, keys and
    attachments. In the caller's transaction."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        values = {"company": company_id, "before": before, "segments": segments}
        rows = cursor.execute(DELETE_ARCHIVED, values).fetchall()
    counts: Counts = {kind: int(n) for kind, n, _ in rows}
    [attached] = [ids for kind, _, ids in rows if kind == "media"]
    size, counts["media"] = counts.pop("bytes"), media.count(conn, company_id, attached)
    contents = media.forget(conn, company_id, attached)
    return Deleted({kind: n for kind, n in counts.items() if n}, size, contents)


COUNT_ARCHIVED = """
    /* deletion.count_archived */
    SELECT s.kind, sum(s.rows)::bigint, sum(pg_column_size(s.body))::bigint
    FROM archive_segments s
    JOIN archive_segments m ON m.company_id = s.company_id
      AND m.conversation_id = s.conversation_id
      AND m.kind = 'messages'
      AND m.last_seq = s.last_seq
    WHERE s.company_id = %s
      AND m.to_at < %s
    GROUP BY 1
"""


def count_archived(conn: Conn, company_id: int, *, before: datetime) -> tuple[Counts, int]:
    """Count what `delete_archived` would delete of a company: (rows by kind, bytes)."""
    rows = conn.execute(COUNT_ARCHIVED, (company_id, before)).fetchall()
    return {str(kind): int(str(n)) for kind, n, _ in rows}, sum(int(str(size)) for _, _, size in rows)
