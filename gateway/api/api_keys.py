"""API keys over HTTP: a company's program makes and revokes keys, none with more rights than its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.agents import Admin, Agent, Anyone
from gateway.http.keys import no_longer
from gateway.http.refused import Refused
from gateway.rest import cursors
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id, Page, Time, text
from shared.store.db.pool import Conn
from shared.store.tenants import api_keys
from shared.store.tenants.api_keys import KeyLine, Scope
from shared.store.tenants.companies import NameTaken

T = TypeVar("T")

ROUTER = APIRouter(prefix="/api/v1/keys", tags=["API keys"], route_class=Endpoint)

IN_USE: dict[int | str, dict[str, Any]] = {409: {"description": "Another key has the name, or there are too many."}}


@dataclass(frozen=True, slots=True)
class Shown:
    id: int
    name: str
    prefix: str
    scopes: list[str]
    agent_id: int | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Made(Shown):
    api_key: str


@dataclass(frozen=True, slots=True)
class ApiKeys:
    api_keys: list[Shown]
    next_cursor: str | None


class Listing(Page):
    revoked: bool = False
    """Revoked keys, too."""


class NewKey(Given):
    name: text(100)  # type: ignore[valid-type]
    """By which people know it; no other program's key of the company has it."""
    scopes: list[Scope] = Field(min_length=1, max_length=10, examples=[["read"]])
    """What it may do. Each must be one of the caller's own."""
    expires_at: Time | None = None
    """When it stops working; never if left out. Not after the caller's own key, where that expires."""


class Revocation(Given):
    with_made: bool = False
    """Also the keys that it made, and those that they made: for one that was stolen."""


@ROUTER.get("", summary="List API keys")
async def list_(agent: Admin, query: Annotated[Listing, Query()]) -> ApiKeys:
    """The company's keys by id, agents' among them; none is shown itself. `last_used_at` is true to the minute."""
    after_id = cursors.after_id(query.cursor)

    def work(conn: Conn, company_id: int) -> ApiKeys:
        found = api_keys.listing(conn, company_id, after_id=after_id, revoked=query.revoked, limit=query.limit)
        return ApiKeys([_shown(one) for one in found], cursors.next_cursor(found, query.limit, "id"))

    return await agent.work(work)


@ROUTER.post("", summary="Make an API key", status_code=201, responses=IN_USE)
async def add(agent: Admin, given: NewKey) -> Made:
    """`api_key` is shown in this answer and never again. A key's name, scopes and end never change."""
    if lacking := sorted(set(given.scopes) - agent.scopes):
        raise Refused(403, f"this API key cannot give the scope {lacking[0]}, which it does not have itself")
    _check_end(agent, given.expires_at)
    key = api_keys.new_key()

    def work(conn: Conn, company_id: int) -> KeyLine:
        try:
            made = api_keys.add(
                conn, company_id, given.name, key, given.scopes,
                created_by=f"key {agent.key.key_id}", expires_at=given.expires_at,
            )  # fmt: skip
        except NameTaken as e:
            raise Refused(409, str(e)) from None
        except api_keys.TooMany as e:
            raise Refused(409, str(e)) from None
        except ValueError as e:
            raise Refused(422, str(e)) from None
        return _one(conn, company_id, made)

    return Made(**asdict(_shown(await _as_holder(agent, work))), api_key=key)


@ROUTER.get("/current", summary="Show the key of this request")
async def current(agent: Anyone) -> Shown:
    """What the key that the request carries may do, and until when. Needs no scope."""
    return await agent.work(lambda conn, company_id: _shown(_one(conn, company_id, agent.key.key_id)))


@ROUTER.get("/{key:id}", summary="Show an API key")
async def show(agent: Admin, key: Id) -> Shown:
    """One of the company's keys, also a revoked one."""
    return await agent.work(lambda conn, company_id: _shown(_one(conn, company_id, key)))


@ROUTER.delete("/{key:id}", summary="Revoke an API key")
async def revoke(agent: Admin, key: Id, query: Annotated[Revocation, Query()]) -> Shown:
    """No gateway takes it from the next request on. A key may revoke itself. Twice is once."""

    def work(conn: Conn, company_id: int) -> Shown:
        _one(conn, company_id, key)
        api_keys.revoke(conn, company_id, key, with_made=query.with_made)
        return _shown(_one(conn, company_id, key))

    return await _as_holder(agent, work)


async def _as_holder(agent: Agent, work: Callable[[Conn, int], T]) -> T:
    """Run `work` while the caller's key works and cannot be revoked: a request whose body came slowly must not make a
    key after its own was revoked."""

    def held(conn: Conn, company_id: int) -> T:
        if not api_keys.hold(conn, company_id, agent.key.key_id):
            raise no_longer()
        return work(conn, company_id)

    return await agent.work(held)


def _check_end(agent: Agent, wanted: datetime | None) -> None:
    """Raises Refused(403, 422)."""
    own = agent.key.expires_at
    if own is not None and (wanted is None or wanted > own):
        raise Refused(403, f"this API key cannot make one that outlives it: give expires_at, at most {own.isoformat()}")
    if wanted is not None and wanted <= agent.edge.clock.now():
        raise Refused(422, "expires_at should be a time to come")


def _one(conn: Conn, company_id: int, key_id: int) -> KeyLine:
    found = api_keys.one(conn, company_id, key_id)
    if found is None:
        raise Refused(404, "this company has no such API key")
    return found


def _shown(one: KeyLine) -> Shown:
    return Shown(**{name: value for name, value in asdict(one).items() if name not in ("company_id", "company")})
