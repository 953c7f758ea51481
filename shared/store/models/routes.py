"""Stores model routes: which models are asked for a purpose, in their order, by company or for the installation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn
from shared.store.models.providers import Kind, State, models_of

STEPS_MAX = 10


@dataclass(frozen=True, slots=True)
class NewStep:
    """max_tokens: of an answer, None: the setting LLM_MAX_TOKENS."""

    provider_id: int
    model: str
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RouteStep:
    """A step of a route with what asking it needs. company_id: whose route it is, None: the installation's.
    owner_id: whose provider it is. kind: what the provider says the model is for, None if it has no such model any
    more."""

    company_id: int | None
    purpose: str
    ordinal: int
    provider_id: int
    provider: str
    owner_id: int | None
    base_url: str
    sealed: bytes | None = field(repr=False)
    paid: bool
    state: State
    model: str
    kind: Kind | None
    max_tokens: int | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class _Row:
    company_id: int | None
    purpose: str
    ordinal: int
    provider_id: int
    provider: str
    owner_id: int | None
    base_url: str
    credentials: bytes | None
    paid: bool
    state: State
    model: str
    models: list[dict[str, Any]]
    max_tokens: int | None
    updated_at: datetime

    def read(self) -> RouteStep:
        kind = next((one.kind for one in models_of(self.models) if one.name == self.model), None)
        return RouteStep(
            self.company_id, self.purpose, self.ordinal, self.provider_id, self.provider, self.owner_id, self.base_url,
            None if self.credentials is None else bytes(self.credentials), self.paid, self.state, self.model, kind,
            self.max_tokens, self.updated_at,
        )  # fmt: skip


def steps(conn: Conn, company_id: int | None, purpose: str | None = None) -> list[RouteStep]:
    """Return the steps of a company's own routes, or without a company of the installation's, by purpose and order."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(
            """
            /* routes.steps */
            SELECT r.company_id, r.purpose, r.ordinal, r.provider_id, p.name AS provider, p.company_id AS owner_id,
                p.base_url, p.credentials, p.paid, p.state, r.model, p.models, r.max_tokens, r.updated_at
            FROM model_routes r
            JOIN model_providers p ON p.id = r.provider_id
            WHERE r.company_id IS NOT DISTINCT FROM %(company)s
              AND r.purpose = coalesce(%(purpose)s, r.purpose)
            ORDER BY r.purpose, r.ordinal
            """,
            {"company": company_id, "purpose": purpose},
        ).fetchall()
    return [row.read() for row in rows]


def every(conn: Conn) -> list[RouteStep]:
    """Return the steps of all routes of everybody. For the owner role."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(
            """
            /* routes.every */
            SELECT r.company_id, r.purpose, r.ordinal, r.provider_id, p.name AS provider, p.company_id AS owner_id,
                p.base_url, p.credentials, p.paid, p.state, r.model, p.models, r.max_tokens, r.updated_at
            FROM model_routes r
            JOIN model_providers p ON p.id = r.provider_id
            ORDER BY r.company_id NULLS FIRST, r.purpose, r.ordinal
            """
        ).fetchall()
    return [row.read() for row in rows]


def routed_companies(conn: Conn) -> list[int]:
    """Return the companies that have routes of their own. As either role."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(
            """
            /* routes.routed_companies */
            SELECT models_routed_companies()
            """
        )
        return [int(str(company)) for company in cursor.fetchall()]


def replace_steps(conn: Conn, company_id: int | None, purpose: str, wanted: Sequence[NewStep]) -> bool:
    """Make these the steps of a route, in this order; without any, the next one in the order of resolution holds.
    Returns False if they were its steps already. In a transaction: whoever else changes the route waits."""
    conn.execute(
        """
        /* routes.lock */
        SELECT pg_advisory_xact_lock(hashtextextended('model_routes ' || %s, coalesce(%s, 0)))
        """,
        (purpose, company_id),
    )
    found = [NewStep(step.provider_id, step.model, step.max_tokens) for step in steps(conn, company_id, purpose)]
    if found == list(wanted):
        return False
    conn.execute(
        """
        /* routes.remove_steps */
        DELETE FROM model_routes
        WHERE company_id IS NOT DISTINCT FROM %s
          AND purpose = %s
        """,
        (company_id, purpose),
    )
    conn.execute(
        """
        /* routes.add_steps */
        INSERT INTO model_routes (company_id, purpose, ordinal, provider_id, model, max_tokens)
        SELECT %s, %s, s.ordinal, s.provider_id, s.model, s.max_tokens
        FROM unnest(%s::bigint[], %s::text[], %s::int[]) WITH ORDINALITY AS s (provider_id, model, max_tokens, ordinal)
        """,
        (company_id, purpose, [step.provider_id for step in wanted], [step.model for step in wanted],
         [step.max_tokens for step in wanted]),
    )  # fmt: skip
    return True


def asking_provider(conn: Conn, provider_id: int) -> list[tuple[int | None, str]]:
    """Return (company, purpose) of the routes that ask a provider, as far as this role sees them."""
    rows = conn.execute(
        """
        /* routes.asking_provider */
        SELECT DISTINCT company_id, purpose
        FROM model_routes
        WHERE provider_id = %s
        ORDER BY 1 NULLS FIRST, 2
        """,
        (provider_id,),
    ).fetchall()
    return [(None if company is None else int(str(company)), str(purpose)) for company, purpose in rows]


def asked_models(conn: Conn, provider_id: int) -> set[str]:
    """Return the models that routes ask a provider for, as far as this role sees them."""
    rows = conn.execute(
        """
        /* routes.asked_models */
        SELECT DISTINCT model
        FROM model_routes
        WHERE provider_id = %s
        """,
        (provider_id,),
    ).fetchall()
    return {str(model) for (model,) in rows}
