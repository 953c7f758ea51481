"""Conversations that were handed over and in which nobody has written for a while: the bot comes back to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn, set_companies

RETURN_TO_BOT = """
    /* returns.return_to_bot */
    UPDATE conversations
    SET bot_enabled = paused_at IS NULL,
        status = CASE WHEN paused_at IS NULL THEN 'open' ELSE 'paused' END,
        bot_off_reason = CASE WHEN paused_at IS NOT NULL THEN 'stop' END,
        bot_off_at = paused_at,
        return_untold = %s AND paused_at IS NULL,
        bot_step = NULL, bot_step_at = NULL, misses = 0,
        day_answers_until = NULL, silent_until = NULL
    WHERE company_id = %s
      AND id = %s
"""


def return_to_bot(conn: Conn, company_id: int, conversation_id: int, *, untold: bool) -> None:
    """Give back a conversation in which nobody has written for a while; what waits for a person goes on waiting. Where
    the customer has silenced the bot it is paused from now on, and nothing is told. untold: the bot's next reply is to
    say so. It is locked."""
    conn.execute(RETURN_TO_BOT, (untold, company_id, conversation_id))


def last_customer(conn: Conn, company_id: int, conversation_id: int) -> tuple[datetime | None, str | None]:
    """When the customer wrote last, by the platform's clock, and the platform's code of their language."""
    row = (
        conn.cursor(row_factory=tuple_row)
        .execute(
            """
        /* returns.last_customer */
        SELECT last_customer_at, language
        FROM conversations
        WHERE company_id = %s
          AND id = %s
        """,
            (company_id, conversation_id),
        )
        .fetchone()
    )
    return (None, None) if row is None else (row[0], row[1])


def quiet_handovers(conn: Conn, after: tuple[int, int], *, limit: int) -> list[tuple[int, int]]:
    """List handed-over conversations that the bot may come back to, as (company, conversation), the next behind a
    place; works without a company set."""
    cursor = conn.cursor(row_factory=tuple_row)
    return cursor.execute(
        """
        /* returns.quiet_handovers */
        SELECT company_id, id
        FROM quiet_handovers(%s, %s, %s)
        """,
        (*after, limit),
    ).fetchall()


SILENCED = """
    /* returns.silenced */
    SELECT company_id, id
    FROM conversations
    WHERE company_id = ANY(%s)
      AND (company_id, id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
      AND paused_at IS NOT NULL
"""


def silenced(conn: Conn, places: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Which of these conversations the customer has silenced. The transaction works for their companies from here
    on."""
    if not places:
        return set()
    companies = sorted({company for company, _ in places})
    set_companies(conn, companies)
    columns = [company for company, _ in places], [id_ for _, id_ in places]
    return set(conn.cursor(row_factory=tuple_row).execute(SILENCED, (companies, *columns)).fetchall())
