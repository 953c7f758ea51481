"""Stores spaces of vectors, one for each model: makes them, fills them beside the active one, switches to them, drops
them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn
from shared.store.operations.state import COUNTED_MAX

State = Literal["filling", "ready", "active", "dropping"]


@dataclass(frozen=True, slots=True)
class Space:
    """state: filling (not ranked in yet), ready (was full once: ranks when the active one cannot), active (ranks),
    dropping. dimension: None until its first vector came. filled_at: when nothing was left to embed first."""

    id: int
    model: str
    dimension: int | None
    state: State
    created_at: datetime
    changed_at: datetime
    filled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fill:
    """How far a space is, in documents. failing: of those that wait, which have failed the last time. error: the
    commonest of their reasons."""

    documents: int
    done: int
    failing: int
    error: str | None

    @property
    def waiting(self) -> int:
        return self.documents - self.done


@dataclass(frozen=True, slots=True)
class Watched:
    """A space as operators watch it; counts of documents up to COUNTED_MAX. full_once: it had all vectors at some time.
    failing: of those that wait, which have failed the last time. oldest_s: since when the longest waiting is due;
    age_s: since its state changed."""

    model: str
    state: State
    full_once: bool
    waiting: int
    failing: int
    oldest_s: float
    age_s: float


def watched(conn: Conn) -> list[Watched]:
    """List the spaces except those that are being dropped. As either role, without a company set."""
    with conn.cursor(row_factory=class_row(Watched)) as cursor:
        return cursor.execute(
            """
            /* spaces.watched */
            SELECT model, state, full_once, waiting, failing, oldest_s, age_s
            FROM operations_spaces(%s)
            ORDER BY state, model
            """,
            (COUNTED_MAX,),
        ).fetchall()


def every(conn: Conn) -> list[Space]:
    """List the spaces in the order in which they rank: the active one, then the ready ones, the newest first; then the
    others."""
    with conn.cursor(row_factory=class_row(Space)) as cursor:
        return cursor.execute(
            """
            /* spaces.every */
            SELECT id, model, dimension, state, created_at, changed_at, filled_at
            FROM embedding_spaces
            ORDER BY array_position(ARRAY['active', 'ready', 'filling', 'dropping'], state), id DESC
            """
        ).fetchall()


def of_model(conn: Conn, model: str) -> Space | None:
    """Return the space of a model, None if it has none."""
    return next((space for space in every(conn) if space.model == model), None)


def make(conn: Conn, model: str) -> None:
    """Make a space for the model, if it has none; its dimension comes with its first vectors. The first space of all is
    active."""
    conn.execute("/* spaces.make */ SELECT id FROM embedding_space_made(%s)", (model,))


def fill_of(conn: Conn, space_id: int) -> Fill:
    """Say how far a space is filled, over all companies. For the owner role."""
    with conn.cursor(row_factory=class_row(Fill)) as cursor:
        row = cursor.execute(
            """
            /* spaces.fill */
            SELECT
                (SELECT count(*) FROM documents) AS documents,
                count(*) FILTER (WHERE i.done) AS done,
                count(*) FILTER (WHERE NOT i.done AND i.error IS NOT NULL) AS failing,
                mode() WITHIN GROUP (ORDER BY i.error) FILTER (WHERE NOT i.done) AS error
            FROM indexing i
            WHERE i.space_id = %s
            """,
            (space_id,),
        ).fetchone()
    assert row is not None
    return row


BEHIND = """
    /* spaces.behind */
    SELECT count(*)
    FROM indexing i
    JOIN embedding_spaces s ON s.id = i.space_id
    WHERE s.state = 'active'
      AND i.done
      AND NOT EXISTS (
          SELECT 1
          FROM indexing o
          WHERE o.company_id = i.company_id
            AND o.document_id = i.document_id
            AND o.space_id = %s
            AND o.done
      )
"""


def behind(conn: Conn, space_id: int) -> int:
    """Count documents that have all their vectors in the active space and not in this one. For the owner role."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(BEHIND, (space_id,)).fetchone()
    assert isinstance(found, int)
    return found


def switch(conn: Conn, space_id: int) -> None:
    """Make a space the active one; the one before stays, ready. For the owner role; call inside a transaction."""
    conn.execute(
        """
        /* spaces.switch */
        UPDATE embedding_spaces
        SET state = CASE WHEN filled_at IS NULL THEN 'filling' ELSE 'ready' END, changed_at = clock_timestamp()
        WHERE state = 'active'
          AND id <> %s
        """,
        (space_id,),
    )
    conn.execute(
        """
        /* spaces.switch */
        UPDATE embedding_spaces
        SET state = 'active', changed_at = clock_timestamp()
        WHERE id = %s
          AND state <> 'active'
        """,
        (space_id,),
    )


def retire(conn: Conn, space_id: int) -> bool:
    """Stop writing to a space and ranking in it. Returns False if it is the active one."""
    return (
        conn.execute(
            """
            /* spaces.retire */
            UPDATE embedding_spaces
            SET changed_at = CASE WHEN state = 'dropping' THEN changed_at ELSE clock_timestamp() END,
                state = 'dropping'
            WHERE id = %s
              AND state <> 'active'
            """,
            (space_id,),
        ).rowcount
        > 0
    )


CLEAR = """
    /* spaces.clear */
    WITH next AS MATERIALIZED (
        SELECT e.company_id, e.chunk_id
        FROM embeddings e
        WHERE e.space_id = %(space)s
          AND (e.company_id, e.chunk_id) > (%(company)s, %(chunk)s)
        ORDER BY e.company_id, e.chunk_id
        LIMIT %(limit)s
    )
    DELETE FROM embeddings e
    USING next
    WHERE e.company_id = next.company_id
      AND e.chunk_id = next.chunk_id
      AND e.space_id = %(space)s
    RETURNING e.company_id, e.chunk_id
"""


def clear(conn: Conn, space_id: int, *, after: tuple[int, int], limit: int) -> tuple[int, tuple[int, int] | None]:
    """Delete the next vectors of a retired space behind (company, chunk). Returns how many, and where to go on; None:
    that was all."""
    rows = conn.execute(CLEAR, {"space": space_id, "company": after[0], "chunk": after[1], "limit": limit}).fetchall()
    places = [(int(str(company)), int(str(chunk))) for company, chunk in rows]
    return len(places), max(places) if len(places) == limit else None


CLEAR_QUEUE = """
    /* spaces.clear_queue */
    DELETE FROM indexing
    WHERE ctid = ANY (
        ARRAY(
            SELECT ctid
            FROM indexing
            WHERE space_id = %s
            LIMIT %s
        )
    )
"""


def clear_queue(conn: Conn, space_id: int, *, limit: int) -> int:
    """Delete the next rows of what was to be embedded in a retired space. Returns how many."""
    return conn.execute(CLEAR_QUEUE, (space_id, limit)).rowcount


def forget(conn: Conn, space_id: int) -> None:
    """Delete a retired space. Raises psycopg's ForeignKeyViolation while something of it is left."""
    conn.execute("/* spaces.forget */ DELETE FROM embedding_spaces WHERE id = %s AND state = 'dropping'", (space_id,))


_INCOMPLETE = """
    FROM indexing i
    JOIN embedding_spaces s ON s.id = i.space_id AND s.state <> 'dropping'
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
                  AND e.space_id = i.space_id
            )
      )
"""
_MISSING = """
    FROM documents d
    CROSS JOIN embedding_spaces s
    WHERE s.state <> 'dropping'
      AND s.queued_document IS NULL
      AND (%(company)s::bigint IS NULL OR d.company_id = %(company)s)
      AND NOT EXISTS (
          SELECT 1
          FROM indexing i
          WHERE i.company_id = d.company_id
            AND i.document_id = d.id
            AND i.space_id = s.id
      )
"""
QUEUE_MISSING = (
    """
    /* spaces.queue_missing */
    INSERT INTO indexing (company_id, document_id, space_id)
    SELECT d.company_id, d.id, s.id
    """
    + _MISSING
    + "ON CONFLICT DO NOTHING"
)
QUEUE_INCOMPLETE = (
    """
    /* spaces.queue_incomplete */
    UPDATE indexing
    SET done = false, due_at = now(), attempts = 0, error = NULL
    FROM (
        SELECT i.company_id AS company, i.document_id AS document, i.space_id AS space
    """
    + _INCOMPLETE
    + """
    ) w
    WHERE company_id = w.company
      AND document_id = w.document
      AND space_id = w.space
    """
)
COUNT_INCOMPLETE = (
    """
    /* spaces.count_incomplete */
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
    """Queue a company's documents that a space has no entry for. Returns how many."""
    return conn.execute(QUEUE_MISSING, {"company": company_id}).rowcount


def queue_incomplete(conn: Conn, company_id: int) -> int:
    """Queue again a company's documents that are done in a space and have chunks without vectors there. Returns how
    many."""
    return conn.execute(QUEUE_INCOMPLETE, {"company": company_id}).rowcount


def count_incomplete(conn: Conn) -> int:
    """Count what `queue_missing` and `queue_incomplete` would queue in all companies. For the owner role."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(COUNT_INCOMPLETE, {"company": None}).fetchone()
    assert isinstance(found, int)
    return found
