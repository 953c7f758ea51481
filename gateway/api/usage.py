"""What models were used for and what it cost, over HTTP."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Security
from pydantic import Field

from gateway.api.agents import KEY_OF_ANY, Agent
from gateway.rest import cursors
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Page
from shared.store.db.pool import Conn
from shared.store.models import usage_totals as store

DAYS_MAX = 800

ROUTER = APIRouter(prefix="/api/v1/usage", tags=["usage"], route_class=Endpoint)
Viewer = Annotated[Agent, Security(KEY_OF_ANY, scopes=["admin", "read"])]


@dataclass(frozen=True, slots=True)
class Line:
    """key: a contact's id, provider/model, a purpose or a day, as `by` asks for. cost_micros: millionths of the prices'
    currency, without the calls that have no price."""

    key: str
    calls: int
    failed: int
    unpriced: int
    tokens_in: int
    cached_in: int
    tokens_out: int
    reasoning_out: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Usage:
    usage: list[Line]
    next_cursor: str | None


class Asked(Page):
    by: Literal["contact", "model", "purpose", "day"] = "purpose"
    """What is summed up."""
    days: int = Field(30, ge=1, le=DAYS_MAX)
    """The last days (UTC), today among them; contacts are known for as long as calls are kept."""
    cursor: str | None = Field(None, max_length=2_000)


@ROUTER.get("", summary="Show what models were used for")
async def show(agent: Viewer, query: Annotated[Asked, Query()]) -> Usage:
    """The company's calls of models in the order of their keys, failed ones among them; calls that were never sent
    count nothing."""
    after = cursors.after_text(query.cursor)
    until = agent.edge.clock.now().date()
    since = until - timedelta(days=query.days - 1)

    def work(conn: Conn, company_id: int) -> Usage:
        found = store.used(conn, query.by, since, until, company_id=company_id, limit=query.limit, after=after)
        return Usage([_line(one, query.by) for one in found], cursors.next_cursor(found, query.limit, "key"))

    return await agent.work(work)


def _line(used: store.Used, by: store.By) -> Line:
    key = used.key.partition("/")[2] if by == "contact" else used.key  # COMPANY/ID among all companies
    return Line(**{**asdict(used), "key": key})
