"""Each company's totals: how many messages its customers wrote, and how many of them nobody has read."""

from __future__ import annotations

from psycopg.rows import scalar_row

from shared.store.db.pool import Conn

ADD_TOTALS = """
    /* company_totals.add_totals */
    INSERT INTO company_totals AS t (company_id, customer_messages, unread)
    SELECT *
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (company_id) DO UPDATE
    SET customer_messages = t.customer_messages + excluded.customer_messages,
        unread = t.unread + excluded.unread
"""


def add_totals(conn: Conn, deltas: dict[int, tuple[int, int]]) -> None:
    """Add to companies' totals: company → (customer messages, unread). These rows are the hottest ones, so they are
    touched last, in one order."""
    if not deltas:
        return
    companies = sorted(deltas)
    conn.execute(
        ADD_TOTALS,
        (companies, [deltas[c][0] for c in companies], [deltas[c][1] for c in companies]),
    )


RECONCILE_TOTALS = """
    /* company_totals.reconcile_totals */
    UPDATE company_totals t
    SET customer_messages = s.messages, unread = s.unread
    FROM (
        SELECT coalesce(sum(customer_seq), 0) AS messages,
            coalesce(sum(unread_of(customer_seq, read_seq, read_beyond)), 0) AS unread
        FROM conversations
        WHERE company_id = %s
    ) s
    WHERE t.company_id = %s
      AND (t.customer_messages, t.unread) IS DISTINCT FROM (s.messages, s.unread)
"""


def reconcile_totals(conn: Conn, company_id: int) -> bool:
    """Set a company's totals to the sum over its conversations. Returns True if they had drifted.

    The totals row is locked first: a batch that is being stored adds its share afterwards.
    """
    conn.execute(
        """
        /* company_totals.reconcile_totals */
        INSERT INTO company_totals (company_id)
        VALUES (%s)
        ON CONFLICT DO NOTHING
        """,
        (company_id,),
    )
    conn.execute(
        """
        /* company_totals.reconcile_totals */
        SELECT 1
        FROM company_totals
        WHERE company_id = %s
        FOR UPDATE
        """,
        (company_id,),
    )
    return conn.execute(RECONCILE_TOTALS, (company_id, company_id)).rowcount == 1


DRIFTED_TOTALS = """
    /* company_totals.drifted_totals */
    SELECT p.id
    FROM companies p
    LEFT JOIN company_totals t ON t.company_id = p.id
    LEFT JOIN (
        SELECT company_id, sum(customer_seq) AS messages,
            sum(unread_of(customer_seq, read_seq, read_beyond)) AS unread
        FROM conversations
        GROUP BY 1
    ) s ON s.company_id = p.id
    WHERE (t.customer_messages, t.unread) IS DISTINCT FROM (coalesce(s.messages, 0), coalesce(s.unread, 0))
    ORDER BY 1
"""


def drifted_totals(conn: Conn) -> list[int]:
    """List the companies whose totals differ from their conversations. For the owner role."""
    return conn.cursor(row_factory=scalar_row).execute(DRIFTED_TOTALS).fetchall()


def unread_total(conn: Conn, company_id: int) -> int:
    """Return how many customer messages of a company are unread."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* company_totals.unread_total */
        SELECT unread
        FROM company_totals
        WHERE company_id = %s
        """,
        (company_id,),
    )
    return cursor.fetchone() or 0
