"""Stores embedding models: adds them, follows how they are filled, switches between them, and drops them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn
from shared.store.operations.state import COUNTED_MAX

State = Literal["filling", "ready", "active", "dropping"]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """An embedding model with its vectors of all companies' chunks.

    state: filling (not searched yet), ready (has been filled, searched when the active one's embedder is away), active
    (searched), dropping. dimension: None until its first vector is stored. filled_at: when all documents had vectors
    for the first time.
    """

    id: int
    name: str
    dimension: int | None
    state: State
    created_at: datetime
    changed_at: datetime
    filled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a model is filled, in documents. failing: how many of the waiting ones failed at their last attempt.
    error: the most frequent reason."""

    documents: int
    done: int
    failing: int
    error: str | None

    @property
    def waiting(self) -> int:
        return self.documents - self.done


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """A model's backlog; documents are counted up to COUNTED_MAX.

    full_once: all documents had vectors at some time. failing: how many of the waiting ones failed at their last
    attempt. oldest_s: seconds since the oldest of them was due. age_s: seconds since the state changed.
    """

    name: str
    state: State
    full_once: bool
    waiting: int
    failing: int
    oldest_s: float
    age_s: float


def health(conn: Conn) -> list[ModelHealth]:
    """Return the backlog of each model that is not being dropped. Works for both roles, without a company set."""
    with conn.cursor(row_factory=class_row(ModelHealth)) as cursor:
        return cursor.execute(
            """
            /* embedding_models.health */
            SELECT name, state, full_once, waiting, failing, oldest_s, age_s
            FROM operations_embedding_models(%s)
            ORDER BY state, name
            """,
            (COUNTED_MAX,),
        ).fetchall()


def every(conn: Conn) -> list[EmbeddingModel]:
    """List the models in the order in which searches prefer them: the active one, the ready ones with the newest
    first, then the others."""
    with conn.cursor(row_factory=class_row(EmbeddingModel)) as cursor:
        return cursor.execute(
            """
            /* embedding_models.every */
            SELECT id, name, dimension, state, created_at, changed_at, filled_at
            FROM embedding_models
            ORDER BY array_position(ARRAY['active', 'ready', 'filling', 'dropping'], state), id DESC
            """
        ).fetchall()


def named(conn: Conn, name: str) -> EmbeddingModel | None:
    """Return the model of this name, None if there is none."""
    return next((model for model in every(conn) if model.name == name), None)


def add(conn: Conn, name: str) -> None:
    """Add a model if it is missing. Its first vectors set its dimension. The first model of all becomes active."""
    conn.execute("/* embedding_models.add */ SELECT id FROM add_embedding_model(%s)", (name,))


def progress_of(conn: Conn, model_id: int) -> Progress:
    """Return how far a model is filled, over all companies. For the owner role."""
    with conn.cursor(row_factory=class_row(Progress)) as cursor:
        row = cursor.execute(
            """
            /* embedding_models.progress */
            SELECT
                (SELECT count(*) FROM documents) AS documents,
                count(*) FILTER (WHERE i.done) AS done,
                count(*) FILTER (WHERE NOT i.done AND i.error IS NOT NULL) AS failing,
                mode() WITHIN GROUP (ORDER BY i.error) FILTER (WHERE NOT i.done) AS error
            FROM indexing i
            WHERE i.model_id = %s
            """,
            (model_id,),
        ).fetchone()
    assert row is not None
    return row


BEHIND = """
    /* embedding_models.behind */
    SELECT count(*)
    FROM indexing i
    JOIN embedding_models m ON m.id = i.model_id
    WHERE m.state = 'active'
      AND i.done
      AND NOT EXISTS (
          SELECT 1
          FROM indexing o
          WHERE o.company_id = i.company_id
            AND o.document_id = i.document_id
            AND o.model_id = %s
            AND o.done
      )
"""


def behind(conn: Conn, model_id: int) -> int:
    """Count documents that have all vectors of the active model but not of this one. For the owner role."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(BEHIND, (model_id,)).fetchone()
    assert isinstance(found, int)
    return found


def switch(conn: Conn, model_id: int) -> None:
    """Make a model the active one; the previous one stays ready. For the owner role; call inside a transaction."""
    conn.execute(
        """
        /* embedding_models.switch */
        UPDATE embedding_models
        SET state = CASE WHEN filled_at IS NULL THEN 'filling' ELSE 'ready' END, changed_at = clock_timestamp()
        WHERE state = 'active'
          AND id <> %s
        """,
        (model_id,),
    )
    conn.execute(
        """
        /* embedding_models.switch */
        UPDATE embedding_models
        SET state = 'active', changed_at = clock_timestamp()
        WHERE id = %s
          AND state <> 'active'
        """,
        (model_id,),
    )


def retire(conn: Conn, model_id: int) -> bool:
    """Stop searching a model and storing vectors of it. Returns False, and does nothing, if it is the active one."""
    return (
        conn.execute(
            """
            /* embedding_models.retire */
            UPDATE embedding_models
            SET changed_at = CASE WHEN state = 'dropping' THEN changed_at ELSE clock_timestamp() END,
                state = 'dropping'
            WHERE id = %s
              AND state <> 'active'
            """,
            (model_id,),
        ).rowcount
        > 0
    )


CLEAR = """
    /* embedding_models.clear */
    WITH next AS MATERIALIZED (
        SELECT e.company_id, e.chunk_id
        FROM embeddings e
        WHERE e.model_id = %(model)s
          AND (e.company_id, e.chunk_id) > (%(company)s, %(chunk)s)
        ORDER BY e.company_id, e.chunk_id
        LIMIT %(limit)s
    )
    DELETE FROM embeddings e
    USING next
    WHERE e.company_id = next.company_id
      AND e.chunk_id = next.chunk_id
      AND e.model_id = %(model)s
    RETURNING e.company_id, e.chunk_id
"""


def clear(conn: Conn, model_id: int, *, after: tuple[int, int], limit: int) -> tuple[int, tuple[int, int] | None]:
    """Delete up to limit vectors of a retired model, from the first (company, chunk) after `after`.

    Returns how many, and where to continue; None if there are no more.
    """
    rows = conn.execute(CLEAR, {"model": model_id, "company": after[0], "chunk": after[1], "limit": limit}).fetchall()
    places = [(int(str(company)), int(str(chunk))) for company, chunk in rows]
    return len(places), max(places) if len(places) == limit else None


CLEAR_QUEUE = """
    /* embedding_models.clear_queue */
    DELETE FROM indexing
    WHERE ctid = ANY (
        ARRAY(
            SELECT ctid
            FROM indexing
            WHERE model_id = %s
            LIMIT %s
        )
    )
"""


def clear_queue(conn: Conn, model_id: int, *, limit: int) -> int:
    """Delete up to limit rows of a retired model's indexing queue. Returns how many."""
    return conn.execute(CLEAR_QUEUE, (model_id, limit)).rowcount


def delete(conn: Conn, model_id: int) -> None:
    """Delete a retired model. Raises psycopg's ForeignKeyViolation while vectors or queue rows of it remain."""
    conn.execute(
        "/* embedding_models.delete */ DELETE FROM embedding_models WHERE id = %s AND state = 'dropping'", (model_id,)
    )


_INCOMPLETE = """
    FROM indexing i
    JOIN embedding_models m ON m.id = i.model_id AND m.state <> 'dropping'
    WHERE i.done
      AND (%(company)s::bigint IS NULL OR i.company_id = %(company)s)
      AND EXISTS (
          SELECT 1
          FROM chunks c
          WHERE c.company_id = i.company_id
            AND c.document_id = i.document_id
            AND NOT EXISTS (
                SELECT 1
                FROM embeddings e
                WHERE e.company_id = c.company_id
                  AND e.chunk_id = c.id
                  AND e.model_id = i.model_id
            )
      )
"""
_MISSING = """
    FROM documents d
    CROSS JOIN embedding_models m
    WHERE m.state <> 'dropping'
      AND m.queued_document IS NULL
      AND (%(company)s::bigint IS NULL OR d.company_id = %(company)s)
      AND NOT EXISTS (
          SELECT 1
          FROM indexing i
          WHERE i.company_id = d.company_id
            AND i.document_id = d.id
            AND i.model_id = m.id
      )
"""
QUEUE_MISSING = (
    """
    /* embedding_models.queue_missing */
    INSERT INTO indexing (company_id, document_id, model_id)
    SELECT d.company_id, d.id, m.id
    """
    + _MISSING
    + "ON CONFLICT DO NOTHING"
)
QUEUE_INCOMPLETE = (
    """
    /* embedding_models.queue_incomplete */
    UPDATE indexing
    SET done = false, due_at = now(), attempts = 0, error = NULL
    FROM (
        SELECT i.company_id AS company, i.document_id AS document, i.model_id AS model
    """
    + _INCOMPLETE
    + """
    ) w
    WHERE company_id = w.company
      AND document_id = w.document
      AND model_id = w.model
    """
)
COUNT_INCOMPLETE = (
    """
    /* embedding_models.count_incomplete */
    SELECT (
        SELECT count(*)
    """
    + _INCOMPLETE
    + """
    ) + (
        SELECT count(*)
    """
    + _MISSING
    + ")"
)


def queue_missing(conn: Conn, company_id: int) -> int:
    """Queue a company's documents that have no queue row for some model. Returns how many rows were added."""
    return conn.execute(QUEUE_MISSING, {"company": company_id}).rowcount


def queue_incomplete(conn: Conn, company_id: int) -> int:
    """Queue again a company's documents that count as done for a model although chunks lack its vectors. Returns how
    many."""
    return conn.execute(QUEUE_INCOMPLETE, {"company": company_id}).rowcount


def count_incomplete(conn: Conn) -> int:
    """Count what `queue_missing` and `queue_incomplete` would queue in all companies. For the owner role."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(COUNT_INCOMPLETE, {"company": None}).fetchone()
    assert isinstance(found, int)
    return found
