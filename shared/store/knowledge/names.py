"""Under which names a document is known.

Its own is documents.source. What came under another name with the same text is an import of that document; when one of
the names gets another text or goes, the document stays with those that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Twin:
    id: int
    source: str


LOCK_TEXT = """
    /* names.lock_text */
    SELECT pg_advisory_xact_lock(hashtextextended(md5(%s), %s))
"""

SAME_TEXT = """
    /* names.same_text */
    SELECT id, source
    FROM documents
    WHERE company_id = %(company)s
      AND md5(text) = md5(%(text)s)
      AND text = %(text)s
      AND kind = 'text'
      AND source <> %(source)s
      AND collection_id = %(collection)s
      AND language = %(language)s
      AND category IS NOT DISTINCT FROM %(category)s
      AND dated_at IS NOT DISTINCT FROM %(dated_at)s
    ORDER BY id
    LIMIT 1
"""


def same_text(
    conn: Conn, company_id: int, source: str, text: str, described: tuple[int, str, str | None, datetime | None]
) -> Twin | None:
    """The document that has this text under another source and is described alike (collection, language, category,
    date). Until the transaction ends nobody else looks for the text: two that bring it at once store it once."""
    conn.execute(LOCK_TEXT, (text, company_id))
    collection, language, category, dated_at = described
    with conn.cursor(row_factory=class_row(Twin)) as cursor:
        return cursor.execute(
            SAME_TEXT,
            {
                "company": company_id, "text": text, "source": source, "collection": collection, "language": language,
                "category": category, "dated_at": dated_at,
            },
        ).fetchone()  # fmt: skip


HAND_OVER = """
    /* names.hand_over */
    UPDATE documents d
    SET source = heir.source
    FROM (
        SELECT DISTINCT ON (own.id) own.id, i.source
        FROM documents own
        JOIN imports i ON i.company_id = own.company_id
          AND i.document_id = own.id
          AND i.source <> ALL (%(names)s)
        WHERE own.company_id = %(company)s
          AND own.source = ANY (%(names)s)
          AND own.text IS DISTINCT FROM %(text)s
          AND NOT EXISTS (
              SELECT 1
              FROM documents other
              WHERE other.company_id = own.company_id
                AND other.source = i.source
          )
        ORDER BY own.id, i.source
    ) AS heir
    WHERE d.company_id = %(company)s
      AND d.id = heir.id
"""


def part(conn: Conn, company_id: int, source: str, text: str) -> None:
    """Before another text comes under a source: leave the document of the old one to the other names that it has."""
    conn.execute(HAND_OVER, {"company": company_id, "names": [source], "text": text})


DELETE_NAMED = """
    /* names.release */
    DELETE FROM documents
    WHERE company_id = %s
      AND source = ANY (%s)
"""


def release(conn: Conn, company_id: int, names: Sequence[str]) -> int:
    """Take names from documents; those that have no other name left are deleted. Returns how many were."""
    conn.execute(HAND_OVER, {"company": company_id, "names": list(names), "text": None})
    return conn.execute(DELETE_NAMED, (company_id, list(names))).rowcount


IS_KNOWN = """
    /* names.is_known */
    SELECT EXISTS (
        SELECT 1
        FROM documents
        WHERE company_id = %(company)s
          AND source = %(name)s
    ) OR EXISTS (
        SELECT 1
        FROM imports i
        JOIN documents d ON d.company_id = i.company_id
          AND d.id = i.document_id
        WHERE i.company_id = %(company)s
          AND i.source = %(name)s
    )
"""


def is_known(conn: Conn, company_id: int, name: str) -> bool:
    """Say whether the company has a document of this name."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(IS_KNOWN, {"company": company_id, "name": name}).fetchone())


# ------------------------------------------------------------------ folders
FOLDERS = """
    /* names.folders */
    SELECT source, site
    FROM imports
    WHERE company_id = %s
      AND kind = 'file'
      AND site IS NOT NULL
"""


def folders(conn: Conn, company_id: int) -> dict[str, str]:
    """By the name of each file that was added from a folder: the folder."""
    return {str(source): str(folder) for source, folder in conn.execute(FOLDERS, (company_id,)).fetchall()}


FORGET = """
    /* names.forget */
    DELETE FROM imports
    WHERE company_id = %s
      AND kind = 'file'
      AND source = ANY (%s)
"""


def forget(conn: Conn, company_id: int, names: Collection[str]) -> int:
    """Let go of files that have left their folder. Returns how many documents were deleted."""
    deleted = release(conn, company_id, list(names))
    conn.execute(FORGET, (company_id, list(names)))
    return deleted
