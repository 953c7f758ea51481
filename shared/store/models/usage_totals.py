"""Reads what models were used for and what it cost, by company, contact, model, purpose and day. For the owner role, or
in a transaction of one company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal

from psycopg import sql
from psycopg.rows import class_row, scalar_row

from shared.money import Price
from shared.store.db.pool import Conn

By = Literal["company", "contact", "model", "purpose", "day"]
KEYS: Mapping[By, str] = MappingProxyType({
    "company": "company_id::text",
    "contact": "company_id || '/' || contact_id",
    "model": "provider || '/' || model",
    "purpose": "purpose",
    "day": "day::text",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Used:
    """What was used under one key: a company's id, a contact's place, provider/model, a purpose or a day. calls: that
    were made; failed ones among them; unpriced: of how many the cost is not known, which cost_micros leaves out."""

    key: str
    calls: int
    failed: int
    unpriced: int
    tokens_in: int
    cached_in: int
    tokens_out: int
    reasoning_out: int
    cost_micros: int


OF_SUMS = """
    /* usage_totals.used */
    SELECT {key} AS key, sum(calls)::bigint AS calls, sum(failed)::bigint AS failed, sum(unpriced)::bigint AS unpriced,
        sum(tokens_in)::bigint AS tokens_in, sum(cached_in)::bigint AS cached_in,
        sum(tokens_out)::bigint AS tokens_out, sum(reasoning_out)::bigint AS reasoning_out,
        sum(cost_micros)::bigint AS cost_micros
    FROM usage_models
    WHERE day BETWEEN %(since)s AND %(until)s
      AND (%(company)s::bigint IS NULL OR company_id = %(company)s)
    GROUP BY 1
    HAVING {key} > %(after)s
    ORDER BY {order}
    LIMIT %(limit)s
"""
OF_CALLS = """
    /* usage_totals.used_by_contact */
    SELECT {key} AS key, count(*) AS calls, count(*) FILTER (WHERE outcome <> 'ok') AS failed,
        count(*) FILTER (WHERE cost_micros IS NULL) AS unpriced, sum(tokens_in)::bigint AS tokens_in,
        sum(cached_in)::bigint AS cached_in, sum(tokens_out)::bigint AS tokens_out,
        sum(reasoning_out)::bigint AS reasoning_out, coalesce(sum(cost_micros), 0)::bigint AS cost_micros
    FROM llm_calls
    WHERE day BETWEEN %(since)s AND %(until)s
      AND (%(company)s::bigint IS NULL OR company_id = %(company)s)
      AND contact_id IS NOT NULL
      AND model_call_made(outcome)
    GROUP BY company_id, contact_id
    HAVING {key} > %(after)s
    ORDER BY {order}
    LIMIT %(limit)s
"""


def used(
    conn: Conn, by: By, since: date, until: date, *, company_id: int | None = None, limit: int = 1_000,
    after: str | None = None,
) -> list[Used]:  # fmt: skip
    """Sum up what was used from one day to another (UTC, both among them), the dearest first, days in their order; of
    contacts only as long as calls are kept. after: in the order of the keys instead, behind this one."""
    in_order = by == "day" or after is not None
    query = sql.SQL(OF_CALLS if by == "contact" else OF_SUMS).format(
        key=sql.SQL(KEYS[by]),
        order=sql.SQL("1" if in_order else "9 DESC, 2 DESC, 1"),
    )
    at = {"since": since, "until": until, "company": company_id, "limit": limit, "after": after or ""}
    return conn.cursor(row_factory=class_row(Used)).execute(query, at).fetchall()


@dataclass(frozen=True, slots=True)
class Month:
    """What models cost in the last 30 days for one purpose. contacts: for how many one was called, for any purpose."""

    purpose: str
    cost_micros: int
    contacts: int


def month(conn: Conn) -> list[Month]:
    """Return the last 30 days of all companies by purpose. As either role, without a company set."""
    return conn.cursor(row_factory=class_row(Month)).execute(
        """
        /* usage_totals.month */
        SELECT purpose, cost_micros::bigint AS cost_micros, contacts
        FROM operations_usage()
        ORDER BY purpose
        """
    ).fetchall()  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repriced:
    """What calls of a model cost, and what they would cost. unpriced: how many cost an unknown sum; other_unpriced: how
    many would."""

    model: str
    calls: int
    cost_micros: int
    unpriced: int
    other_micros: int
    other_unpriced: int


REPRICE = """
    /* usage_totals.reprice */
    SELECT c.provider || '/' || c.model AS model, count(*) AS calls, coalesce(sum(c.cost_micros), 0)::bigint
        AS cost_micros, count(*) FILTER (WHERE c.cost_micros IS NULL) AS unpriced,
        coalesce(sum(o.micros), 0)::bigint AS other_micros, count(*) FILTER (WHERE o.micros IS NULL) AS other_unpriced
    FROM llm_calls c
    LEFT JOIN LATERAL (
        SELECT s.*
        FROM unnest(
            %(models)s::text[], %(makers)s::text[], %(in_micros)s::bigint[], %(out_micros)s::bigint[],
            %(cached_in_micros)s::bigint[], %(reasoning_micros)s::bigint[], %(request_micros)s::bigint[]
        ) AS s (model, maker, in_micros, out_micros, cached_in_micros, reasoning_micros, request_micros)
        WHERE price_names(s.maker, s.model, c.provider, c.model)
        ORDER BY length(s.maker) DESC
        LIMIT 1
    ) s ON true
    LEFT JOIN LATERAL price_of(c.company_id, c.provider, c.model, NULL) n ON s.model IS NULL
    CROSS JOIN LATERAL (
        SELECT coalesce(
            model_cost(
                c.tokens_in, c.cached_in, c.tokens_out, c.reasoning_out,
                CASE WHEN s.model IS NULL THEN n.in_micros ELSE s.in_micros END,
                CASE WHEN s.model IS NULL THEN n.out_micros ELSE s.out_micros END,
                CASE WHEN s.model IS NULL THEN n.cached_in_micros ELSE s.cached_in_micros END,
                CASE WHEN s.model IS NULL THEN n.reasoning_micros ELSE s.reasoning_micros END,
                CASE WHEN s.model IS NULL THEN n.request_micros ELSE s.request_micros END
            ),
            CASE WHEN c.cost_micros = 0 THEN 0 END
        ) AS micros
    ) o
    WHERE c.day > %(today)s::date - %(days)s::int
      AND (%(company)s::bigint IS NULL OR c.company_id = %(company)s)
      AND c.tokens_in + c.tokens_out > 0
    GROUP BY 1
    ORDER BY 5 DESC, 1
"""


def reprice(
    conn: Conn, today: date, days: int, other: Mapping[tuple[str, str], Price], *, company_id: int | None = None
) -> list[Repriced]:
    """Say what the calls of the last days cost and what they would have cost at other prices, by (maker, model), and at
    those that hold now for models that `other` does not name. What cost nothing and has no price stays free. Changes
    nothing."""
    micros = ("in_micros", "out_micros", "cached_in_micros", "reasoning_micros", "request_micros")
    columns: dict[str, Sequence[object]] = {name: [getattr(one, name) for one in other.values()] for name in micros}
    at = {
        "today": today, "days": days, "company": company_id, "models": [model for _, model in other],
        "makers": [maker for maker, _ in other], **columns,
    }  # fmt: skip
    return conn.cursor(row_factory=class_row(Repriced)).execute(REPRICE, at).fetchall()


KEPT_SINCE = """
    /* usage_totals.kept_since */
    SELECT min(day)
    FROM usage_models
"""


def kept_since(conn: Conn) -> date | None:
    """Return the first day that is known, None if nothing was used yet."""
    return conn.cursor(row_factory=scalar_row).execute(KEPT_SINCE).fetchone()
