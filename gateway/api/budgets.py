"""A company's budgets over HTTP: what is spent, what is reserved, and limits of single contacts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Security
from pydantic import Field

from gateway.api.agents import KEY_OF_ANY, Admin, Agent
from gateway.http.refused import Refused
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id
from shared.store.db.pool import Conn
from shared.store.models import budgets as store
from shared.store.models.budgets import Limit

ROUTER = APIRouter(prefix="/api/v1/budgets", tags=["budgets"], route_class=Endpoint)
Viewer = Annotated[Agent, Security(KEY_OF_ANY, scopes=["admin", "read"])]
LIMIT_MICROS_MAX = 10**15


@dataclass(frozen=True, slots=True)
class Budget:
    """Of the last 30 days (UTC), in millionths of the prices' currency. limit_micros: null: no limit; own: it was set
    for this one. reserved_micros: for calls under way. reset_at: what was spent before counts no more. frees_at: when
    something of it is free again; null: it is not used up, or never."""

    limit_micros: int | None
    own: bool
    spent_micros: int
    reserved_micros: int
    reset_at: datetime | None
    frees_at: datetime | None


class Change(Given):
    limit_micros: int = Field(ge=0, le=LIMIT_MICROS_MAX)
    """What calls of models for the contact may cost in 30 days, in millionths of the prices' currency."""


@ROUTER.get("", summary="Show the company's budget")
async def company(agent: Viewer) -> Budget:
    """What all calls of models for the company may cost together. An operator sets it."""
    return await agent.work(lambda conn, company_id: _shown(store.state(conn, company_id)))


@ROUTER.get("/contacts/{contact:id}", summary="Show a contact's budget")
async def contact(agent: Viewer, contact: Id) -> Budget:
    """What calls of models for one contact may cost."""
    return await agent.work(lambda conn, company_id: _of_contact(agent, conn, company_id, contact))


@ROUTER.put("/contacts/{contact:id}", summary="Set a contact's budget")
async def change(agent: Admin, contact: Id, given: Change) -> Budget:
    """From the next call of a model on. Above what each contact of the company has only an operator sets it (403)."""

    def work(conn: Conn, company_id: int) -> Budget:
        _of_contact(agent, conn, company_id, contact)
        most = store.limit_of_each(conn, company_id, contact_limit_micros=_default(agent))
        if most is not None and given.limit_micros > most:
            raise Refused(403, f"each contact has {most} millionths: an operator sets more for one")
        store.set_limit(conn, Limit(company_id, "contact", contact, given.limit_micros))
        return _of_contact(agent, conn, company_id, contact)

    return await agent.work(work)


@ROUTER.delete("/contacts/{contact:id}", summary="Give a contact the budget of each contact again")
async def reset(agent: Admin, contact: Id) -> Budget:
    """Twice is once. What is spent stays."""

    def work(conn: Conn, company_id: int) -> Budget:
        _of_contact(agent, conn, company_id, contact)
        store.unset_limit(conn, company_id, "contact", contact)
        return _of_contact(agent, conn, company_id, contact)

    return await agent.work(work)


def _of_contact(agent: Agent, conn: Conn, company_id: int, contact_id: int) -> Budget:
    """Raises Refused(404)."""
    if not store.has_contact(conn, company_id, contact_id):
        raise Refused(404, "this company has no such contact")
    return _shown(store.state(conn, company_id, contact_id, contact_limit_micros=_default(agent)))


def _default(agent: Agent) -> int:
    return agent.edge.settings.llm.contact_budget_micros


def _shown(one: store.Budget) -> Budget:
    return Budget(
        one.limit_micros, one.own, one.spent_micros, one.reserved_micros, one.reset_at, one.frees_at
    )  # fmt: skip
