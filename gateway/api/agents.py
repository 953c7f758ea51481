"""What all requests of agents and companies' programs share: an API key, and the company that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Security
from fastapi.security import SecurityScopes
from starlette.requests import Request

from gateway.http.edge import Edge
from gateway.http.keys import Holder
from gateway.http.limits import address_of
from gateway.http.refused import Refused
from gateway.rest.callers import Caller
from shared.store.db.pool import Conn
from shared.store.inbox import merged

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Agent:
    """Whose key a request carries: an agent's or a program's. scopes: what it may do."""

    request: Request
    edge: Edge
    company_id: int
    scopes: frozenset[str]
    key: Holder

    async def work(self, work: Callable[[Conn, int], T]) -> T:
        """Run `work(conn, company_id)` in a transaction of the agent's company."""

        def run() -> T:
            with self.edge.db.transaction(self.company_id) as conn:
                return work(conn, self.company_id)

        return await self.edge.in_thread(run)

    async def in_conversation(self, conversation_id: int, work: Callable[[Conn, int, int], T | None]) -> T:
        """Run `work(conn, company_id, conversation_id)` as `work` does, with this conversation or the one that it
        became part of. Raises Refused(404) where it returns None."""

        def run(conn: Conn, company_id: int) -> T:
            found = merged.find(conn, company_id, conversation_id, lambda now: work(conn, company_id, now))
            if found is None:
                raise no_such_conversation()
            return found

        return await self.work(run)


async def agent(request: Request) -> Agent:
    """Raises Refused(401, 429)."""
    edge: Edge = request.app.state.edge
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refused(401, "send Authorization: Bearer and an API key")
    address = address_of(request, edge.settings.gateway.forwarded_hops)
    holder = await edge.keys.holder(key.strip(), address)
    return Agent(request, edge, holder.company_id, holder.scopes, holder)


def _lacks_scope(needed: str) -> Refused:
    return Refused(403, f"this API key may not do this: it lacks the scope {needed}")


class _Key(Caller):
    async def __call__(self, request: Request, scopes: SecurityScopes) -> Agent:
        found = await agent(request)
        lacking = [scope for scope in scopes.scopes if scope not in found.scopes]
        if lacking:
            raise _lacks_scope(lacking[0])
        return found


class _KeyOfAny(Caller):
    any_scope = True

    async def __call__(self, request: Request, scopes: SecurityScopes) -> Agent:
        found = await agent(request)
        if not found.scopes.intersection(scopes.scopes):
            raise _lacks_scope(" or ".join(scopes.scopes))
        return found


KEY = _Key("api-key", "A company's API key. Its scopes say what it may do.")
KEY_OF_ANY = _KeyOfAny("api-key", "A company's API key. Its scopes say what it may do.")
Reader = Annotated[Agent, Security(KEY, scopes=["read"])]
Writer = Annotated[Agent, Security(KEY, scopes=["write"])]
Admin = Annotated[Agent, Security(KEY, scopes=["admin"])]
ModelsReader = Annotated[Agent, Security(KEY_OF_ANY, scopes=["admin", "models"])]
"""One of these scopes is enough to see which models there are."""
Anyone = Annotated[Agent, Security(KEY)]
"""Whatever the key's scopes are."""


def no_such_conversation() -> Refused:
    return Refused(404, "this company has no such conversation")
