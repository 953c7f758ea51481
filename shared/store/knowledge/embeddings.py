"""Stores vectors of chunks, each in the space of its model, and what is still to be embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import psycopg
from psycopg.rows import class_row, scalar_row

from shared.errors import Permanent
from shared.model import Passage
from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Claim:
    """A document to be embedded in a space. version: fences it; attempts: how often it was claimed without getting
    further."""

    company_id: int
    document_id: int
    space_id: int
    version: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Unembedded:
    chunk_id: int
    title: str
    text: str


def ensure_space(conn: Conn, model: str, dimension: int) -> int:
    """The space of a model, made if it is new; the first of all is active. Raises
    Permanent('embedding_dimension') if the model had another dimension: vectors of the two cannot be compared."""
    try:
        with conn.transaction(), conn.cursor(row_factory=scalar_row) as cursor:
            found = cursor.execute(
                "/* embeddings.space */ SELECT embedding_space(%s, %s)", (model, dimension)
            ).fetchone()
    except psycopg.errors.DataException as e:
        raise Permanent("embedding_dimension", f"{model} gives vectors of another dimension than before") from e
    assert isinstance(found, int)
    return found


def find_space(conn: Conn, model: str, dimension: int) -> int | None:
    """The space of a model; None if nothing was embedded in it yet, in another dimension, or it is on its way out."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* embeddings.find_space */
            SELECT id
            FROM embedding_spaces
            WHERE model = %s
              AND dimension = %s
              AND state <> 'dropping'
            """,
            (model, dimension),
        ).fetchone()


def claim(conn: Conn, space_ids: Sequence[int], after_company: int, *, lease_s: float) -> Claim | None:
    """The document that is due next, in the first of these spaces that has one; of the first company behind
    after_company, else of the first of all."""
    with conn.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(
            """
            /* embeddings.claim */
            SELECT company_id, document_id, space_id, version, attempts
            FROM claim_indexing(%s::bigint[], %s, %s)
            """,
            (list(space_ids), after_company, lease_s),
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
            AND e.space_id = %s
      )
    ORDER BY c.ordinal
    LIMIT %s
"""


def without_vector(conn: Conn, claimed: Claim, limit: int) -> list[Unembedded]:
    """The document's first chunks that have no vector in the space."""
    with conn.cursor(row_factory=class_row(Unembedded)) as cursor:
        return cursor.execute(
            WITHOUT_VECTOR, (claimed.company_id, claimed.document_id, claimed.space_id, limit)
        ).fetchall()


def add(conn: Conn, company_id: int, space_id: int, vectors: Sequence[tuple[int, Sequence[float]]]) -> int:
    """Store (chunk id, vector) pairs; what is there stays, what lost its chunk or its space is left out. Returns how
    many.

    Raises psycopg's ForeignKeyViolation for a chunk that somebody deletes at the same moment."""
    return conn.execute(
        """
        /* embeddings.add */
        INSERT INTO embeddings (company_id, chunk_id, space_id, embedding)
        SELECT c.company_id, c.id, %s, new.vector::halfvec
        FROM unnest(%s::bigint[], %s::text[]) AS new (chunk_id, vector)
        JOIN chunks c ON c.company_id = %s AND c.id = new.chunk_id
        WHERE EXISTS (SELECT 1 FROM embedding_spaces s WHERE s.id = %s AND s.state <> 'dropping')
        ON CONFLICT DO NOTHING
        """,
        (
            space_id,
            [chunk_id for chunk_id, _ in vectors],
            [written(vector) for _, vector in vectors],
            company_id,
            space_id,
        ),
    ).rowcount


def finish(conn: Conn, claimed: Claim) -> bool:
    """All chunks have vectors. False if the document has changed meanwhile."""
    return _end(conn, claimed, True, 0.0, None)


def go_on(conn: Conn, claimed: Claim) -> bool:
    """Part of the document is done: it is due again at once, and has not failed."""
    return _end(conn, claimed, False, 0.0, None)


def postpone(conn: Conn, claimed: Claim, *, delay_s: float, error: str) -> bool:
    """It failed: due again in delay_s, and the row says why. error: a class or meaning, never text."""
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
      AND space_id = %(space)s
      AND version = %(version)s
"""


def _end(conn: Conn, claimed: Claim, done: bool, delay_s: float, error: str | None) -> bool:
    return (
        conn.execute(
            END,
            {
                "done": done, "error": error, "delay": delay_s, "company": claimed.company_id,
                "document": claimed.document_id, "space": claimed.space_id, "version": claimed.version,
            },
        ).rowcount
        > 0
    )  # fmt: skip


def nearest(
    conn: Conn, company_id: int, space_id: int, question: Sequence[float], limit: int, *, exact: bool = False
) -> list[Passage]:
    """The company's chunks nearest in meaning, nearest first: `limit` of them, or all that have vectors.

    exact: never by the index, whatever it costs: what the index is held against.

    score and cosine: the similarity, -1 to 1. relevance: 0, because what a similarity is worth is not known here.
    Raises psycopg's InsufficientPrivilege if the transaction does not work for the company.
    """
    with conn.cursor(row_factory=class_row(Passage)) as cursor:
        return cursor.execute(
            """
            /* embeddings.nearest */
            SELECT
                chunk_id, document_id, title, ordinal, text, similarity AS score, 0.0::float8 AS relevance,
                similarity AS cosine
            FROM knowledge_nearest(%s, %s, %s::halfvec, %s, %s)
            """,
            (company_id, space_id, written(question), limit, exact),
        ).fetchall()


def counts(conn: Conn, company_id: int) -> dict[int, int]:
    """How many chunks of each document have vectors in the active space; documents without any are left out."""
    rows = conn.execute(
        """
        /* embeddings.counts */
        SELECT c.document_id, count(*)
        FROM embeddings e
        JOIN embedding_spaces s ON s.id = e.space_id AND s.state = 'active'
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
          JOIN embedding_spaces s ON s.id = i.space_id AND s.state = 'active'
          WHERE i.company_id = d.company_id
            AND i.document_id = d.id
            AND i.done
      )
"""


def waiting(conn: Conn, company_id: int) -> int:
    """How many of the company's documents have chunks without vectors in the active space, or none is active yet."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(WAITING, (company_id,)).fetchone()
    assert isinstance(found, int)
    return found


def written(vector: Sequence[float]) -> str:
    """As pgvector reads it; half precision has four digits."""
    return _form(len(vector)) % tuple(vector)


@cache
def _form(dimension: int) -> str:
    """Of all values at once: half the time of one behind the other."""
    return "[" + ",".join(["%.6g"] * dimension) + "]"
