"""Stores what models cost, as a history: who sets a price ends the one before it, and no price is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Literal, LiteralString

from psycopg import Rollback
from psycopg.rows import class_row, scalar_row

from shared.money import Price
from shared.store.db.pool import Conn

Source = Literal["manual", "sync"]
TOPIC = "model_prices"
"""Whoever has changed prices tells of it (shared/cache/invalidation.py)."""
_MICROS = tuple(one.name for one in fields(Price))


@dataclass(frozen=True, slots=True)
class Listed:
    """A price as it stands in the history. provider: empty for all; of a price from a list the model's maker.
    company_id: whose it is, None for everybody's. source: `company` for a company's own. valid_until: None: it holds.
    """

    company_id: int | None
    model: str
    provider: str
    source: str
    in_micros: int
    out_micros: int
    cached_in_micros: int | None
    reasoning_micros: int | None
    request_micros: int
    valid_from: datetime
    valid_until: datetime | None


PRICE_OF = """
    /* prices.price_of */
    SELECT in_micros, out_micros, cached_in_micros, reasoning_micros, request_micros
    FROM price_of(%s, %s, %s, %s)
"""


def price_of(conn: Conn, company_id: int, provider: str, model: str, at: datetime | None = None) -> Price | None:
    """Return what a company pays for a model of a provider, now or at a time; None if it has no price. A price of 0 is
    one. In a transaction of the company, or as the owner."""
    cursor = conn.cursor(row_factory=class_row(Price))
    return cursor.execute(PRICE_OF, (company_id, provider, model, at), prepare=True).fetchone()


# ------------------------------------------------------------------ for operators, as the owner
END = """
    /* prices.end */
    UPDATE model_prices m
    SET valid_until = %(now)s
    FROM unnest(
        %(models)s::text[], %(providers)s::text[], %(in_micros)s::bigint[], %(out_micros)s::bigint[],
        %(cached_in_micros)s::bigint[], %(reasoning_micros)s::bigint[], %(request_micros)s::bigint[]
    ) AS s (model, provider, in_micros, out_micros, cached_in_micros, reasoning_micros, request_micros)
    WHERE m.model = s.model
      AND m.provider = s.provider
      AND m.source = %(source)s
      AND m.valid_until IS NULL
      AND (m.in_micros, m.out_micros, m.cached_in_micros, m.reasoning_micros, m.request_micros)
          IS DISTINCT FROM (s.in_micros, s.out_micros, s.cached_in_micros, s.reasoning_micros, s.request_micros)
"""
ADD = """
    /* prices.add */
    INSERT INTO model_prices (
        model, provider, source, valid_from, in_micros, out_micros, cached_in_micros, reasoning_micros, request_micros
    )
    SELECT s.model, s.provider, %(source)s, %(now)s, s.in_micros, s.out_micros, s.cached_in_micros, s.reasoning_micros,
        s.request_micros
    FROM unnest(
        %(models)s::text[], %(providers)s::text[], %(in_micros)s::bigint[], %(out_micros)s::bigint[],
        %(cached_in_micros)s::bigint[], %(reasoning_micros)s::bigint[], %(request_micros)s::bigint[]
    ) AS s (model, provider, in_micros, out_micros, cached_in_micros, reasoning_micros, request_micros)
    WHERE NOT EXISTS (
        SELECT 1
        FROM model_prices m
        WHERE m.model = s.model
          AND m.provider = s.provider
          AND m.source = %(source)s
          AND m.valid_until IS NULL
    )
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A price with the model that it is of. provider: empty for all; in a list the model's maker."""

    model: str
    provider: str
    price: Price


def set_prices(conn: Conn, prices: Sequence[Named], source: Source = "manual") -> int:
    """Set what models cost everybody from now on; returns how many prices are new. One that holds already stays as it
    is. Each model and provider once. For the owner role."""
    names = {"models": [one.model for one in prices], "providers": [one.provider for one in prices], "source": source}
    micros = {name: [getattr(one.price, name) for one in prices] for name in _MICROS}
    with conn.transaction():
        now = _alone(conn)
        conn.execute(END, {**names, **micros, "now": now})
        return conn.execute(ADD, {**names, **micros, "now": now}).rowcount


END_ABSENT = """
    /* prices.end_absent */
    UPDATE model_prices m
    SET valid_until = clock_timestamp()
    WHERE m.source = 'sync'
      AND m.valid_until IS NULL
      AND NOT EXISTS (
          SELECT 1
          FROM unnest(%s::text[], %s::text[]) AS k (provider, model)
          WHERE k.provider = m.provider
            AND k.model = m.model
      )
"""


@dataclass(frozen=True, slots=True)
class Synced:
    """How many prices of a list are new, and how many ended because it does not name their model any more."""

    new: int
    ended: int


def sync(conn: Conn, prices: Sequence[Named], known: Sequence[tuple[str, str]]) -> Synced:
    """Take over a list: its prices hold from now on. known: (maker, model) of all that it names, also those whose
    price cannot be told, which keep the one of before. For the owner role, in a transaction."""
    new = set_prices(conn, prices, "sync")
    makers, models = [maker for maker, _ in known], [model for _, model in known]
    return Synced(new, conn.execute(END_ABSENT, (makers, models)).rowcount)


@dataclass(frozen=True, slots=True)
class Held:
    """A price from a list that holds. in_use: a call of the last days was one of this model, or a route names it."""

    provider: str
    model: str
    in_micros: int
    out_micros: int
    cached_in_micros: int | None
    reasoning_micros: int | None
    request_micros: int
    in_use: bool

    @property
    def price(self) -> Price:
        return Price(*(getattr(self, name) for name in _MICROS))


LISTED = """
    /* prices.listed */
    WITH used AS (
        SELECT DISTINCT provider, model
        FROM usage_models
        WHERE day > (now() AT TIME ZONE 'UTC')::date - %(days)s::int
        UNION
        SELECT p.name, r.model
        FROM model_routes r
        JOIN model_providers p ON p.id = r.provider_id
    )
    SELECT m.provider, m.model, m.in_micros, m.out_micros, m.cached_in_micros, m.reasoning_micros, m.request_micros,
        EXISTS (SELECT 1 FROM used u WHERE price_names(m.provider, m.model, u.provider, u.model)) AS in_use
    FROM model_prices m
    WHERE m.source = 'sync'
      AND m.valid_until IS NULL
"""


def listed(conn: Conn, used_days: int) -> list[Held]:
    """List the prices that hold and come from a list. used_days: how many days count as use. For the owner role."""
    return conn.cursor(row_factory=class_row(Held)).execute(LISTED, {"days": used_days}).fetchall()


END_OF_COMPANY = """
    /* prices.end_of_company */
    UPDATE model_price_overrides
    SET valid_until = %(now)s
    WHERE company_id = %(company)s
      AND model = %(model)s
      AND provider = %(provider)s
      AND valid_until IS NULL
    RETURNING in_micros, out_micros, cached_in_micros, reasoning_micros, request_micros
"""
ADD_OF_COMPANY = """
    /* prices.add_of_company */
    INSERT INTO model_price_overrides (
        company_id, model, provider, valid_from, in_micros, out_micros, cached_in_micros, reasoning_micros,
        request_micros
    )
    VALUES (
        %(company)s, %(model)s, %(provider)s, %(now)s, %(in_micros)s, %(out_micros)s, %(cached_in_micros)s,
        %(reasoning_micros)s, %(request_micros)s
    )
"""


def set_own_price(conn: Conn, company_id: int, named: Named) -> bool:
    """Set what a company pays for a model from now on. Returns False, and writes nothing, if that holds already. For
    the owner role."""
    at = {"company": company_id, "model": named.model, "provider": named.provider}
    with conn.transaction() as set_it:
        at["now"] = _alone(conn)
        held = conn.cursor(row_factory=class_row(Price)).execute(END_OF_COMPANY, at).fetchone()
        if held == named.price:
            raise Rollback(set_it)
        conn.execute(ADD_OF_COMPANY, {**at, **asdict(named.price)})
        return True
    return False


def end_price(conn: Conn, model: str, provider: str = "", company_id: int | None = None) -> bool:
    """Let a price that was set by hand hold no longer; returns False if there is none. For the owner role."""
    if company_id is None:
        cursor = conn.execute(
            """
            /* prices.end_price */
            UPDATE model_prices
            SET valid_until = clock_timestamp()
            WHERE model = %s
              AND provider = %s
              AND source = 'manual'
              AND valid_until IS NULL
            """,
            (model, provider),
        )
        return cursor.rowcount == 1
    with conn.transaction():
        at = {"company": company_id, "model": model, "provider": provider, "now": _alone(conn)}
        return conn.execute(END_OF_COMPANY, at).rowcount == 1


def _alone(conn: Conn) -> datetime:
    """The time, once nobody else sets prices until this transaction ends. Whoever reads them is not held up."""
    conn.execute("/* prices.alone */ LOCK TABLE model_prices IN SHARE ROW EXCLUSIVE MODE")
    found = conn.cursor(row_factory=scalar_row).execute("/* prices.alone */ SELECT clock_timestamp()").fetchone()
    assert isinstance(found, datetime)
    return found


EVERY: LiteralString = """
    /* prices.every */
    SELECT *
    FROM (
        SELECT NULL::bigint AS company_id, model, provider, source, in_micros, out_micros, cached_in_micros,
            reasoning_micros, request_micros, valid_from, valid_until
        FROM model_prices
        UNION ALL
        SELECT company_id, model, provider, 'company', in_micros, out_micros, cached_in_micros, reasoning_micros,
            request_micros, valid_from, valid_until
        FROM model_price_overrides
    ) p
    WHERE (%(past)s OR valid_until IS NULL)
      AND (%(model)s::text IS NULL OR model = %(model)s)
      AND (%(company)s::bigint IS NULL OR company_id IS NULL OR company_id = %(company)s)
    ORDER BY model, provider, source, company_id NULLS FIRST, valid_from DESC
"""


def every(conn: Conn, *, model: str | None = None, company_id: int | None = None, past: bool = False) -> list[Listed]:
    """List the prices that hold, and those of the past if asked to, newest first; of one model, or without other
    companies' own. For the owner role."""
    cursor = conn.cursor(row_factory=class_row(Listed))
    return cursor.execute(EVERY, {"past": past, "model": model, "company": company_id}).fetchall()
