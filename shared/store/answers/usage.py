"""Stores what models cost: calls, each company's daily usage and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row, scalar_row

from shared.model import ModelAttempt
from shared.store.db.pool import Conn

NOT_MADE = ("breaker_open", "saturated")
"""Outcomes of attempts in which nothing was sent to the provider."""


ADD_CALLS = """
    /* usage.add_calls */
    WITH added AS (
        INSERT INTO llm_calls (
            company_id, turn_id, epoch, attempt, day, provider, model, step, outcome, duration_ms, tokens_in,
            tokens_out, estimated, cost_micros
        )
        SELECT %(company)s, %(turn)s, %(epoch)s, a.n, (now() AT TIME ZONE 'UTC')::date, a.provider, a.model, a.step,
            a.outcome, a.duration_ms, a.tokens_in, a.tokens_out, a.estimated,
            coalesce(
                model_cost(
                    a.tokens_in, a.cached_in, a.tokens_out, a.reasoning_out, p.in_micros, p.out_micros,
                    p.cached_in_micros, p.reasoning_micros, p.request_micros
                ),
                CASE WHEN NOT a.paid THEN 0 END
            )
        FROM unnest(
            %(providers)s::text[], %(models)s::text[], %(steps)s::text[], %(outcomes)s::text[], %(durations)s::int[],
            %(tokens_in)s::int[], %(tokens_out)s::int[], %(estimated)s::boolean[], %(cached_in)s::int[],
            %(reasoning_out)s::int[], %(paid)s::boolean[]
        ) WITH ORDINALITY AS a (
            provider, model, step, outcome, duration_ms, tokens_in, tokens_out, estimated, cached_in, reasoning_out,
            paid, n
        )
        LEFT JOIN LATERAL price_of(%(company)s, a.provider, a.model, NULL) p ON true
        RETURNING cost_micros
    )
    SELECT CASE WHEN count(*) = count(cost_micros) THEN sum(cost_micros)::bigint END
    FROM added
"""


def add_calls(conn: Conn, company_id: int, turn_id: int, epoch: int, attempts: Sequence[ModelAttempt]) -> int | None:
    """Record the attempts. Returns their cost in millionths, None if they include tokens of a model without a price."""
    if not attempts:
        return 0
    values = {"company": company_id, "turn": turn_id, "epoch": epoch, **columns(attempts)}
    return conn.cursor(row_factory=scalar_row).execute(ADD_CALLS, values).fetchone()


def columns(attempts: Sequence[ModelAttempt]) -> dict[str, list[object]]:
    """Return the attempts by column."""
    return {
        "providers": [a.provider for a in attempts],
        "models": [a.model for a in attempts],
        "steps": [a.step for a in attempts],
        "outcomes": [a.outcome for a in attempts],
        "durations": [a.duration_ms for a in attempts],
        "tokens_in": [a.tokens_in for a in attempts],
        "tokens_out": [a.tokens_out for a in attempts],
        "estimated": [a.estimated for a in attempts],
        "cached_in": [a.cached_in for a in attempts],
        "reasoning_out": [a.reasoning_out for a in attempts],
        "paid": [a.paid for a in attempts],
    }


def calls_made(attempts: Sequence[ModelAttempt]) -> int:
    """Count the attempts that were sent to a provider."""
    return sum(a.outcome not in NOT_MADE for a in attempts)


COUNT_DAY = """
    /* usage.count_day */
    INSERT INTO usage_daily AS u (company_id, day, calls, tokens_in, tokens_out, cost_micros)
    VALUES (%s, (now() AT TIME ZONE 'UTC')::date, %s, %s, %s, %s)
    ON CONFLICT (company_id, day) DO UPDATE
    SET calls = u.calls + excluded.calls,
        tokens_in = u.tokens_in + excluded.tokens_in,
        tokens_out = u.tokens_out + excluded.tokens_out,
        cost_micros = u.cost_micros + excluded.cost_micros
"""


def count_day(conn: Conn, company_id: int, attempts: Sequence[ModelAttempt], cost_micros: int | None) -> None:
    """Add the attempts to the company's day. Last in the transaction: others wait for this row."""
    calls = calls_made(attempts)
    if not calls:
        return
    conn.execute(
        COUNT_DAY,
        (company_id, calls, sum(a.tokens_in for a in attempts), sum(a.tokens_out for a in attempts), cost_micros or 0),
        prepare=True,
    )


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
