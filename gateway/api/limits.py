"""A company's rate limits over HTTP: what holds, the company's own, and who was refused most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import redis
from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.agents import Admin, Agent
from gateway.http.refused import Refused
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given
from shared.errors import Transient
from shared.store.db.pool import Conn
from shared.store.tenants import rate_limits
from shared.store.tenants.rate_limits import ABOUT, DEFAULTS, PURPOSES, Bounds, Purpose

ROUTER = APIRouter(prefix="/api/v1/limits", tags=["limits"], route_class=Endpoint)
OPERATORS: frozenset[Purpose] = frozenset(("expensive", "api_user", "api_key", "address", "address_signed_in"))
"""What protects everybody on this installation: a company may lower these, and an operator raises them."""

Count = Annotated[int, Field(ge=1, le=rate_limits.COUNT_MAX)]


@dataclass(frozen=True, slots=True)
class Numbers:
    per_second: int | None
    per_10_seconds: int | None
    per_minute: int | None
    per_hour: int | None
    at_once: int | None


@dataclass(frozen=True, slots=True)
class Shown(Numbers):
    purpose: str
    about: str
    own: bool
    default: Numbers


@dataclass(frozen=True, slots=True)
class Limits:
    limits: list[Shown]


@dataclass(frozen=True, slots=True)
class RefusedAsker:
    purpose: str
    asker: str
    who: str
    refused: int


@dataclass(frozen=True, slots=True)
class RefusedAskers:
    refused: list[RefusedAsker]


class Most(Given):
    limit: int = Field(20, ge=1, le=200)
    """How many at most."""


class Change(Given):
    per_second: Count | None = None
    """In any second; null: no such limit. What is left out stays."""
    per_10_seconds: Count | None = None
    """In any ten seconds."""
    per_minute: Count | None = None
    """In any minute."""
    per_hour: Count | None = None
    """In any hour."""
    at_once: Annotated[int, Field(ge=1, le=rate_limits.AT_ONCE_MAX)] | None = None
    """At the same time."""


@ROUTER.get("", summary="List rate limits")
async def list_(agent: Admin) -> Limits:
    """What holds for the company, by purpose; `own` says that it has a row of its own in place of the default."""
    return Limits(await agent.work(lambda conn, company_id: list(_every(conn, company_id).values())))


@ROUTER.get("/refused", summary="List who was refused most")
async def refused(agent: Admin, query: Annotated[Most, Query()]) -> RefusedAskers:
    """The company's contacts, agents, keys and visitors' addresses that limits refused in the last day, those with the
    most refusals first. `who` is an id, of an address a hash."""
    edge = agent.edge
    try:
        found = await edge.in_thread(lambda: edge.refusals.most(limit=query.limit, company_id=agent.company_id))
    except redis.RedisError as e:
        raise Transient("Redis is away", retry_after_s=1) from e
    return RefusedAskers([RefusedAsker(row.purpose, row.asker, row.who, row.refused) for row in found])


@ROUTER.get("/{limit}", summary="Show a rate limit")
async def show(agent: Admin, limit: str) -> Shown:
    """One purpose."""
    purpose = _purpose(limit)
    return await agent.work(lambda conn, company_id: _every(conn, company_id)[purpose])


@ROUTER.patch("/{limit}", summary="Change a rate limit")
async def change(agent: Admin, limit: str, given: Change) -> Shown:
    """The company's own numbers, from the next request on. Those that protect everybody cannot be raised above the
    default here."""
    purpose, counts = _purpose(limit), given.given()

    def work(conn: Conn, company_id: int) -> Shown:
        every = _every(conn, company_id)
        wanted = rate_limits.changed(_bounds(every[purpose]), counts)
        try:
            rate_limits.checked(purpose, wanted)
        except ValueError as e:
            raise Refused(422, str(e)) from None
        _check_raised(purpose, wanted, counts, every[purpose].default)
        rate_limits.set_bounds(conn, purpose, company_id, wanted)
        return _every(conn, company_id)[purpose]

    found = await agent.work(work)
    await _tell(agent)
    return found


@ROUTER.delete("/{limit}", summary="Follow the default of a rate limit again")
async def reset(agent: Admin, limit: str) -> Shown:
    """Twice is once."""
    purpose = _purpose(limit)

    def work(conn: Conn, company_id: int) -> Shown:
        rate_limits.reset(conn, purpose, company_id)
        return _every(conn, company_id)[purpose]

    found = await agent.work(work)
    await _tell(agent)
    return found


def _check_raised(purpose: Purpose, wanted: Bounds, counts: Mapping[str, Any], default: Numbers) -> None:
    """Raises Refused(403)."""
    if purpose not in OPERATORS:
        return
    for name in counts:
        most, count = getattr(default, name), getattr(wanted, name)
        if most is not None and (count is None or count > most):
            raise Refused(403, f"{purpose} protects everybody here: an operator raises {name} above {most:,}")


def _purpose(word: str) -> Purpose:
    found = next((one for one in PURPOSES if one == word), None)
    if found is None:
        raise Refused(404, f"nothing is limited by this name: there are {', '.join(PURPOSES)}")
    return found


def _every(conn: Conn, company_id: int) -> dict[Purpose, Shown]:
    rows = rate_limits.everything(conn, company_id)
    default = {**DEFAULTS, **{row.purpose: row.bounds for row in rows if row.company_id is None}}
    own = {row.purpose: row.bounds for row in rows if row.company_id is not None}
    return {
        purpose: Shown(
            **asdict(own.get(purpose, default[purpose])), purpose=purpose, about=ABOUT[purpose], own=purpose in own,
            default=Numbers(**asdict(default[purpose])),
        )
        for purpose in PURPOSES
    }  # fmt: skip


def _bounds(shown: Shown) -> Bounds:
    return Bounds(*(getattr(shown, name) for name in rate_limits.FIELDS))


async def _tell(agent: Agent) -> None:
    await agent.edge.in_thread(lambda: agent.edge.invalidations.tell(rate_limits.topic(agent.company_id)))
