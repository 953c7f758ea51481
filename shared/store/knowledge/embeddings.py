"""Stores the vectors of chunks, each under its embedding model, and the queue of documents to embed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row, scalar_row

from shared.errors import Permanent
from shared.model import Passage
from shared.store.db.pool import Conn
from shared.store.db.vectors import halfvec


@dataclass(frozen=True, slots=True)
class Claim:
    """A document that is to be embedded with a model. version: changes with the document's text, so that results for an
    older one are refused. attempts: claims since it last made progress."""

    company_id: int
    document_id: int
    model_id: int
    version: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Unembedded:
    chunk_id: int
    title: str
    text: str


def ensure_model(conn: Conn, model: str, dimension: int) -> int:
    """Return the id of a model, which is added if it is missing; the first of all becomes active. Sets its dimension if
    it has none yet. Raises Permanent('embedding_dimension') if it has another one: its vectors could not be compared.
    """
    try:
        with conn.transaction(), conn.cursor(row_factory=scalar_row) as cursor:
            found = cursor.execute(
                "/* embeddings.ensure_model */ SELECT ensure_embedding_model(%s, %s)", (model, dimension)
            ).fetchone()
    except psycopg.errors.DataException as e:
        raise Permanent("embedding_dimension", f"{model} gives vectors of another dimension than before") from e
    assert isinstance(found, int)
    return found


def find_model(conn: Conn, model: str, dimension: int) -> int | None:
    """Return the id of a model; None if it has no vectors yet, has another dimension, or is being dropped."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* embeddings.find_model */
            SELECT id
            FROM embedding_models
            WHERE name = %s
              AND dimension = %s
              AND state <> 'dropping'
            """,
            (model, dimension),
        ).fetchone()


def claim(conn: Conn, model_ids: Sequence[int], after_company: int, *, lease_s: float) -> Claim | None:
    """Claim the document that is due next for the first of these models that has one; None if none is due.

    Companies take turns: the first company after after_company that has one, otherwise the first of all.
    """
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            /* embeddings.claim */
            SELECT company_id, document_id, model_id, version, attempts
            FROM claim_indexing(%s::bigint[], %s, %s)
            """,
            (list(model_ids), after_company, lease_s),
        ).fetchone()


WITHOUT_VECTOR = """
    /* embeddings.without_vector */
    SELECT c.id AS chunk_id, c.title, c.text
    FROM chunks c
    WHERE c.company_id = %s
      AND c.document_id = %s
      AND NOT EXISTS (
          SELECT 1
          FROM embeddings e
          WHERE e.company_id = c.company_id
            AND e.chunk_id = c.id
            AND e.model_id = %s
      )
    ORDER BY c.ordinal
    LIMIT %s
"""


def without_vector(conn: Conn, claimed: Claim, limit: int) -> list[Unembedded]:
    """Return the document's first chunks that have no vector of the claim's model, at most limit."""
    with conn.cursor(row_factory=class_row(Unembedded)) as cursor:
        return cursor.execute(
            WITHOUT_VECTOR, (claimed.company_id, claimed.document_id, claimed.model_id, limit)
        ).fetchall()


def add(conn: Conn, company_id: int, model_id: int, vectors: Sequence[tuple[int, Sequence[float]]]) -> int:
    """Store (chunk id, vector) pairs. Returns how many were stored.

    Existing vectors stay; those of a chunk that is gone, or of a model that is being dropped, are skipped. Raises
    psycopg's ForeignKeyViolation if a chunk is deleted at the same moment.
    """
    return conn.execute(
        """
        /* embeddings.add */
        INSERT INTO embeddings (company_id, chunk_id, model_id, embedding)
        SELECT c.company_id, c.id, %s, new.vector
        FROM unnest(%s::bigint[], %b::halfvec[]) AS new (chunk_id, vector)
        JOIN chunks c ON c.company_id = %s AND c.id = new.chunk_id
        WHERE EXISTS (SELECT 1 FROM embedding_models m WHERE m.id = %s AND m.state <> 'dropping')
        ON CONFLICT DO NOTHING
        """,
        (
            model_id,
            [chunk_id for chunk_id, _ in vectors],
            [halfvec(conn, vector) for _, vector in vectors],
            company_id,
            model_id,
        ),
    ).rowcount


def finish(conn: Conn, claimed: Claim) -> bool:
    """Record that all chunks have vectors. Returns False if the document has changed since the claim."""
    return _end(conn, claimed, True, 0.0, None)


def go_on(conn: Conn, claimed: Claim) -> bool:
    """Record progress: the rest is due at once, with no failed attempts. Returns False if the document has changed."""
    return _end(conn, claimed, False, 0.0, None)


def postpone(conn: Conn, claimed: Claim, *, delay_s: float, error: str) -> bool:
    """Record a failure: the document is due again in delay_s. Returns False if it has changed since the claim.

    error: an exception's class or meaning, never customers' text.
    """
    return _end(conn, claimed, False, delay_s, error)


END = """
    /* embeddings.end */
    UPDATE indexing
    SET done = %(done)s,
        error = %(error)s,
        attempts = CASE WHEN %(error)s::text IS NULL THEN 0 ELSE attempts END,
        due_at = clock_timestamp() + make_interval(secs => %(delay)s)
    WHERE company_id = %(company)s
      AND document_id = %(document)s
      AND model_id = %(model)s
      AND version = %(version)s
"""


def _end(conn: Conn, claimed: Claim, done: bool, delay_s: float, error: str | None) -> bool:
    return (
        conn.execute(
            END,
            {
                "done": done, "error": error, "delay": delay_s, "company": claimed.company_id,
                "document": claimed.document_id, "model": claimed.model_id, "version": claimed.version,
            },
        ).rowcount
        > 0
    )  # fmt: skip


def nearest(
    conn: Conn, company_id: int, model_id: int, question: Sequence[float], limit: int, *, exact: bool = False
) -> list[Passage]:
    """Return the company's chunks nearest in meaning, nearest first: `limit` of them, or all that have vectors.

    exact: do not use the vector index, however long it takes; audits compare the index with that. score and cosine:
    the similarity, -1 to 1. relevance: always 0, because it depends on the model's baseline, which is not known here.
    Raises psycopg's InsufficientPrivilege if the transaction does not work for the company.
    """
    asked = halfvec(
        conn, question
    )  # before the cursor is made, which knows the types that its connection knows by then
    with conn.cursor(row_factory=class_row(Passage)) as cursor:
        return cursor.execute(
            """
            /* embeddings.nearest */
            SELECT
                chunk_id, document_id, title, ordinal, text, similarity AS score, 0.0::float8 AS relevance,
                similarity AS cosine
            FROM knowledge_nearest(%s, %s, %s::halfvec, %s, %s)
            """,
            (company_id, model_id, asked, limit, exact),
        ).fetchall()


def counts(conn: Conn, company_id: int) -> dict[int, int]:
    """Count the chunks of each document that have vectors of the active model; documents without any are left out."""
    rows = conn.execute(
        """
        /* embeddings.counts */
        SELECT c.document_id, count(*)
        FROM embeddings e
        JOIN embedding_models m ON m.id = e.model_id AND m.state = 'active'
        JOIN chunks c ON c.company_id = e.company_id AND c.id = e.chunk_id
        WHERE e.company_id = %s
        GROUP BY 1
        """,
        (company_id,),
    ).fetchall()
    return {int(str(document_id)): int(str(count)) for document_id, count in rows}


WAITING = """
    /* embeddings.waiting */
    SELECT count(*)
    FROM documents d
    WHERE d.company_id = %s
      AND NOT EXISTS (
          SELECT 1
          FROM indexing i
          JOIN embedding_models m ON m.id = i.model_id AND m.state = 'active'
          WHERE i.company_id = d.company_id
            AND i.document_id = d.id
            AND i.done
      )
"""


def waiting(conn: Conn, company_id: int) -> int:
    """Count the company's documents that have chunks without vectors of the active model; all, if none is active."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(WAITING, (company_id,)).fetchone()
    assert isinstance(found, int)
    return found
