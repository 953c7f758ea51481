"""Stores each company's budget of tokens a day."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Budgets:
    """Counts of companies with a token budget: near its end today, and beyond it."""

    bound: int
    near: int
    beyond: int


def budgets_today(conn: Conn, near_share: float) -> Budgets:
    """Return how many companies have a budget, and how many of them are near its end today. As either role, without a
    company set."""
    cursor = conn.cursor(row_factory=class_row(Budgets))
    cursor.execute(
        """
        /* usage.budgets_today */
        SELECT bound, near, beyond
        FROM operations_budgets(%s)
        """,
        (near_share,),
    )
    found = cursor.fetchone()
    assert found is not None
    return found


def set_budget(conn: Conn, company_id: int, tokens: int | None) -> None:
    """Set a company's tokens a day (UTC); None: as many as it takes. For the owner role."""
    conn.execute(
        """
        /* usage.set_budget */
        UPDATE companies
        SET daily_token_budget = %s
        WHERE id = %s
        """,
        (tokens, company_id),
    )
