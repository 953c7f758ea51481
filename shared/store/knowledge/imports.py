"""Stores imports: what is to become a document, queued, done, or failed with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn

Kind = Literal["file", "page", "site"]
REASON_CHARS = 500

STATES = ("queued", "done", "failed")
"""failed: it cannot be read, and its reason says why."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed import. version: its fencing token. attempts: number of claims, this one included."""

    company_id: int
    import_id: int
    version: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Import:
    """What a claim refers to.

    described: title, collection, language, category and dated_at, as far as given. body: a file's content. seen: the
    validators of the page from which the document was made; None if there is no document, or a different one is wanted.
    """

    source: str
    name: str
    kind: Kind
    media_type: str | None
    described: dict[str, Any]
    body: bytes | None
    seen: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    id: int
    source: str
    kind: Kind
    state: str
    reason: str | None
    document_id: int | None
    attempts: int
    updated_at: datetime


def queue_file(
    conn: Conn, company_id: int, *, source: str, name: str, media_type: str | None, body: bytes,
    described: Mapping[str, Any],
) -> int:  # fmt: skip
    """Queue a file; it replaces an earlier one under the same source. Returns the import's id."""
    return _queue(conn, company_id, source, name, "file", media_type, described, body)


def queue_site(conn: Conn, company_id: int, address: str, described: Mapping[str, Any]) -> int:
    """Queue the sitemap of a website. Returns the import's id."""
    return _queue(conn, company_id, address, address, "site", None, described, None)


def _queue(
    conn: Conn, company_id: int, source: str, name: str, kind: Kind, media_type: str | None,
    described: Mapping[str, Any], body: bytes | None,
) -> int:  # fmt: skip
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            """
            /* imports.queue */
            INSERT INTO imports (company_id, source, name, kind, media_type, described, body)
            VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s)
            ON CONFLICT (company_id, source) DO UPDATE
            SET name = EXCLUDED.name, kind = EXCLUDED.kind, media_type = EXCLUDED.media_type,
                described = EXCLUDED.described, body = EXCLUDED.body, state = 'queued', reason = NULL,
                attempts = 0, version = imports.version + 1, due_at = now(), updated_at = now(), site = NULL
            RETURNING id
            """,
            (company_id, source, name, kind, media_type, json.dumps(dict(described)), body),
        ).fetchone()
    assert isinstance(found, int)
    return found


def claim_several(
    conn: Conn, after_company: int, *, limit: int, lease_s: float, held: Sequence[int], company_max: int
) -> list[Claim]:
    """Claim due imports, up to limit, in turn between companies, starting after after_company.

    held: the companies of the imports that this process is working on. No company gets more than company_max, including
    those.
    """
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            /* imports.claim */
            SELECT company_id, import_id, version, attempts
            FROM claim_imports(%s, %s, %s, %s::bigint[], %s)
            """,
            (after_company, limit, lease_s, list(held), company_max),
        ).fetchall()


LOAD = """
    /* imports.load */
    SELECT
        source,
        name,
        kind,
        media_type,
        described,
        body,
        CASE
            WHEN EXISTS (
                SELECT 1
                FROM documents d
                WHERE d.company_id = imports.company_id
                  AND d.id = imports.document_id
            ) THEN seen
        END AS seen
    FROM imports
    WHERE company_id = %s
      AND id = %s
      AND version = %s
      AND state = 'queued'
"""


def load(conn: Conn, claimed: Claim) -> Import | None:
    """Return what a claim refers to; None if another worker has claimed it or it was queued again."""
    with conn.cursor(row_factory=class_row(Import)) as cursor:
        return cursor.execute(LOAD, (claimed.company_id, claimed.import_id, claimed.version)).fetchone()


def finish(conn: Conn, claimed: Claim, document_id: int | None, seen: Mapping[str, Any] | None = None) -> bool:
    """Mark an import as done. seen: validators that tell next time whether the page has changed. Returns False if it
    was queued again since the claim."""
    return (
        conn.execute(
            """
            /* imports.finish */
            UPDATE imports
            SET state = 'done', reason = NULL, body = NULL, document_id = %s, seen = %s::jsonb,
                updated_at = now()
            WHERE company_id = %s
              AND id = %s
              AND version = %s
              AND state = 'queued'
            """,
            (
                document_id, None if seen is None else json.dumps(dict(seen)), claimed.company_id, claimed.import_id,
                claimed.version,
            ),
        ).rowcount
        > 0
    )  # fmt: skip


def unchanged(conn: Conn, claimed: Claim) -> None:
    """Mark an import as done: its document is the same as before."""
    conn.execute(
        """
        /* imports.unchanged */
        UPDATE imports
        SET state = 'done', reason = NULL, updated_at = now()
        WHERE company_id = %s
          AND id = %s
          AND version = %s
          AND state = 'queued'
        """,
        (claimed.company_id, claimed.import_id, claimed.version),
    )


POSTPONE = """
    /* imports.postpone */
    UPDATE imports
    SET due_at = clock_timestamp() + make_interval(secs => %s),
        reason = %s,
        attempts = attempts - %s,
        updated_at = now()
    WHERE company_id = %s
      AND id = %s
      AND version = %s
      AND state = 'queued'
"""


def postpone(conn: Conn, claimed: Claim, *, delay_s: float, reason: str, tried: bool = True) -> None:
    """Retry a failed import in delay_s. tried: whether this counts as an attempt."""
    conn.execute(
        POSTPONE,
        (delay_s, reason[:REASON_CHARS], 0 if tried else 1, claimed.company_id, claimed.import_id, claimed.version),
    )


def fail(conn: Conn, claimed: Claim, reason: str) -> None:
    """Mark an import as failed. Its file is kept, so that it can be retried once the reason is gone."""
    conn.execute(
        """
        /* imports.fail */
        UPDATE imports
        SET state = 'failed', reason = %s, updated_at = now()
        WHERE company_id = %s
          AND id = %s
          AND version = %s
          AND state = 'queued'
        """,
        (reason[:REASON_CHARS], claimed.company_id, claimed.import_id, claimed.version),
    )


def note(
    conn: Conn, company_id: int, *, source: str, name: str, folder: str | None, document_id: int | None,
    reason: str | None,
) -> None:  # fmt: skip
    """Record the outcome of a file that was read immediately: a document, or the reason why not. folder: that the file
    is from."""
    conn.execute(
        """
        /* imports.note */
        INSERT INTO imports (company_id, source, name, kind, site, state, reason, document_id, attempts)
        VALUES (%s, %s, %s, 'file', %s, %s, %s, %s, 1)
        ON CONFLICT (company_id, source) DO UPDATE
        SET name = EXCLUDED.name, state = EXCLUDED.state, body = NULL, reason = EXCLUDED.reason,
            document_id = coalesce(EXCLUDED.document_id, imports.document_id), kind = EXCLUDED.kind,
            site = EXCLUDED.site, updated_at = now()
        """,
        (
            company_id,
            source,
            name,
            folder,
            "done" if reason is None else "failed",
            reason and reason[:REASON_CHARS],
            document_id,
        ),
    )


RETRY_FAILED = """
    /* imports.retry_failed */
    UPDATE imports
    SET state = 'queued',
        attempts = 0,
        version = version + 1,
        due_at = now(),
        updated_at = now()
    WHERE company_id = %s
      AND state = 'failed'
      AND (body IS NOT NULL OR kind <> 'file')
"""


def retry_failed(conn: Conn, company_id: int) -> int:
    """Queue failed imports again, as far as their files are still there. Returns how many."""
    return conn.execute(RETRY_FAILED, (company_id,)).rowcount


_CLEAR_FAILED = """
    /* imports.clear_failed */
    DELETE FROM imports
    WHERE company_id = %(company)s
      AND state = 'failed'
      AND (%(reason)s::text IS NULL OR position(lower(%(reason)s) IN lower(coalesce(reason, ''))) > 0)
    RETURNING id, source, reason
"""
_FIND_FAILED = """
    /* imports.find_failed */
    SELECT id, source, reason
    FROM imports
    WHERE company_id = %(company)s
      AND state = 'failed'
      AND (%(reason)s::text IS NULL OR position(lower(%(reason)s) IN lower(coalesce(reason, ''))) > 0)
"""


def clear_failed(
    conn: Conn, company_id: int, reason: str | None = None, *, dry_run: bool = False
) -> list[tuple[int, str, str | None]]:
    """Delete failed imports with their files; documents stay.

    reason: only those whose reason contains this text. Returns (id, source, reason) of each. dry_run: only list them.
    """
    statement = _FIND_FAILED if dry_run else _CLEAR_FAILED
    rows = conn.execute(statement, {"company": company_id, "reason": reason}).fetchall()
    return sorted((int(str(id_)), str(source), None if why is None else str(why)) for id_, source, why in rows)


def counts(conn: Conn, company_id: int) -> dict[str, int]:
    """Count the company's imports in each state."""
    rows = conn.execute(
        """
        /* imports.counts */
        SELECT state, count(*)
        FROM imports
        WHERE company_id = %s
        GROUP BY 1
        """,
        (company_id,),
    ).fetchall()
    return {str(state): int(str(count)) for state, count in rows}


LISTED = """
    /* imports.listed */
    SELECT
        id, left(source, 2000) AS source, kind, state, left(reason, 500) AS reason, document_id, attempts,
        updated_at
    FROM imports
    WHERE company_id = %s
      AND state = %s
      AND id > %s
    ORDER BY id
    LIMIT %s
"""


def listed(conn: Conn, company_id: int, state: str, *, after_id: int = 0, limit: int = 100) -> list[Listed]:
    """List the company's imports in a state, in the order of their ids."""
    with conn.cursor(row_factory=class_row(Listed)) as cursor:
        return cursor.execute(LISTED, (company_id, state, after_id, limit)).fetchall()
