"""Stores the identifiers of chunks: keys by which a code, a number or a version is found in every spelling."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.rows import scalar_row, tuple_row

from shared.store.db.pool import Conn

ADD = """
    /* identified.add */
    INSERT INTO chunk_identifiers (company_id, key, chunk_id)
    SELECT c.company_id, held.key, c.id
    FROM unnest(%s::int[], %s::text[]) AS held (ordinal, key)
    JOIN chunks c ON c.company_id = %s
      AND c.document_id = %s
      AND c.ordinal = held.ordinal
    ON CONFLICT DO NOTHING
"""


def add(conn: Conn, company_id: int, document_id: int, keys: Sequence[Sequence[str]]) -> None:
    """Store the keys of a document's chunks, in the chunks' order, and note that its content has them."""
    pairs = [(ordinal, key) for ordinal, held in enumerate(keys) for key in held]
    if pairs:
        conn.execute(ADD, ([ordinal for ordinal, _ in pairs], [key for _, key in pairs], company_id, document_id))
    conn.execute(
        """
        /* identified.done */
        UPDATE documents
        SET identified = content_hash
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, document_id),
    )


def is_complete(conn: Conn, company_id: int) -> bool:
    """Whether all of a company's documents have their identifiers: else one that is not found may be there."""
    row = conn.execute(
        """
        /* identified.is_complete */
        SELECT NOT EXISTS (
            SELECT 1
            FROM documents
            WHERE company_id = %s
              AND identified IS DISTINCT FROM content_hash
        )
        """,
        (company_id,),
    ).fetchone()
    return row is not None and bool(row[0])


def companies_due(conn: Conn, after_company: int, limit: int) -> list[int]:
    """Return the companies behind this one that have documents whose identifiers are not stored."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            "/* identified.companies_due */ SELECT unidentified_companies(%s, %s)", (after_company, limit)
        ).fetchall()


def take_due(conn: Conn, company_id: int) -> tuple[int, list[str]] | None:
    """Lock the next document whose identifiers are not stored, unless somebody is at it, and return its id and its
    chunks' titles and texts in order, each title above its text. Earlier keys of its chunks are removed."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        document_id = cursor.execute(
            """
            /* identified.next_due */
            SELECT id
            FROM documents
            WHERE company_id = %s
              AND identified IS DISTINCT FROM content_hash
            ORDER BY id
            LIMIT 1
            FOR NO KEY UPDATE SKIP LOCKED
            """,
            (company_id,),
        ).fetchone()
    if document_id is None:
        return None
    conn.execute(
        """
        /* identified.drop */
        DELETE FROM chunk_identifiers i
        USING chunks c
        WHERE c.company_id = %(company)s
          AND c.document_id = %(document)s
          AND i.company_id = c.company_id
          AND i.chunk_id = c.id
        """,
        {"company": company_id, "document": document_id},
    )
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            """
            /* identified.texts */
            SELECT title || E'\\n' || text
            FROM chunks
            WHERE company_id = %s
              AND document_id = %s
            ORDER BY ordinal
            """,
            (company_id, document_id),
        ).fetchall()
    return int(str(document_id)), [str(row[0]) for row in rows]


def count_due(conn: Conn) -> int:
    """Count the documents whose identifiers are not stored, of all companies. For the owner role."""
    row = conn.execute(
        """
        /* identified.count_due */
        SELECT count(*)
        FROM documents
        WHERE identified IS DISTINCT FROM content_hash
        """
    ).fetchone()
    return 0 if row is None else int(str(row[0]))
