"""Stores the recall audits of vector indexes, and the hnsw.ef_search that follows from them."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn
from shared.store.knowledge.vector_indexes import INDEXED_FROM

EXACT_UP_TO = INDEXED_FROM - 1
"""Chunks: companies with no more than this are searched exactly."""

RECALL_MIN = 0.95
"""Recall below this is reported, and ef_search of the company's index is doubled, up to EF_MAX."""
EF_MAX = 800


@dataclass(frozen=True, slots=True)
class Lowest:
    """Summary of all companies' last audits. low: how many are below RECALL_MIN. lowest, company_id: the worst one;
    None if there was no audit."""

    audited: int
    low: int
    lowest: float | None
    company_id: int | None


def by_index(conn: Conn, company_id: int) -> bool:
    """Whether the company is large enough to be searched by a vector index."""
    row = conn.execute(
        """
        /* index_audit.by_index */
        SELECT coalesce(sum(chunks), 0) > %s
        FROM knowledge_stats
        WHERE company_id = %s
        """,
        (EXACT_UP_TO, company_id),
    ).fetchone()
    return row is not None and bool(row[0])


RECENT_QUESTIONS = """
    /* index_audit.recent_questions */
    SELECT m.text
    FROM turns t
    JOIN LATERAL (
        SELECT text
        FROM messages m
        WHERE m.company_id = t.company_id
          AND m.conversation_id = t.conversation_id
          AND m.seq = t.last_seq
    ) m ON true
    WHERE t.company_id = %s
      AND m.text <> ''
    ORDER BY t.id DESC
    LIMIT %s
"""


def recent_questions(conn: Conn, company_id: int, limit: int) -> list[str]:
    """Return the last messages of the company's newest turns, newest first."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(RECENT_QUESTIONS, (company_id, limit)).fetchall()


def record(conn: Conn, company_id: int, *, recall: float, questions: int, ef_search: int) -> None:
    conn.execute(
        """
        /* index_audit.record */
        INSERT INTO recall_audits (company_id, ef_search, recall, questions)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (company_id) DO UPDATE
        SET ef_search = EXCLUDED.ef_search,
            recall = EXCLUDED.recall,
            questions = EXCLUDED.questions,
            measured_at = now()
        """,
        (company_id, ef_search, recall, questions),
    )


LIST_OF = """
    /* index_audit.list_of */
    SELECT knowledge_list(
        %(company)s,
        %(model)s,
        (
            SELECT coalesce(sum(chunks), 0)::bigint
            FROM knowledge_stats
            WHERE company_id = %(company)s
        )
    )
"""


def list_of(conn: Conn, company_id: int, model_id: int) -> int:
    """Return the hnsw.ef_search with which the company's index of this model is searched."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(LIST_OF, {"company": company_id, "model": model_id}).fetchone()
    assert isinstance(found, int)
    return found


def lowest(conn: Conn) -> Lowest:
    """Summarise the last audits of all companies. Works for both roles, without a company set."""
    with conn.cursor(row_factory=class_row(Lowest)) as cursor:
        found = cursor.execute(
            "/* index_audit.lowest */ SELECT audited, low, lowest, company_id FROM operations_recall(%s)", (RECALL_MIN,)
        ).fetchone()
    assert found is not None
    return found
