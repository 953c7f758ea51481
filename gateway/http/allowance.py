"""What a caller of /api/v1 may still ask: counted once a request, as soon as the caller is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.requests import Request

from gateway.http.keys import Holder
from gateway.http.limits import Ask, Limits, address_of
from gateway.http.rate_headers import fields, too_many

BY_ADDRESS = ("answers", "messages", "conversations")
"""Words of a path by which an address is counted as well, each by itself; of several the first of these counts."""
SIGNED_IN = frozenset(("read", "write", "admin"))


class Allowance(Protocol):
    async def take(self, request: Request, caller: Any) -> Mapping[str, str]:
        """Count a request; the headers that tell what is left go with its answer. Raises Refused(429) with them."""


class Counted:
    """By the table of rate limits (shared/store/tenants/rate_limits.py). forwarded_hops: as address_of takes it."""

    def __init__(self, limits: Limits, forwarded_hops: int) -> None:
        self._limits, self._hops = limits, forwarded_hops

    async def take(self, request: Request, caller: Any) -> Mapping[str, str]:
        """caller: has a `key` that says who holds it; who has none is no caller of a company's, and is not counted."""
        holder = getattr(caller, "key", None)
        if not isinstance(holder, Holder):
            return {}
        decision = await self._limits.decide(asks_of(holder, request, self._hops))
        if not decision.allowed:
            raise too_many(decision)
        return fields(decision)


def asks_of(holder: Holder, request: Request, forwarded_hops: int) -> tuple[Ask, ...]:
    if holder.agent_id is not None:
        own = Ask("api_user", "agent", holder.company_id, str(holder.agent_id))
    else:
        own = Ask("api_key", "key", holder.company_id, str(holder.key_id))
    words = request.scope["path"].split("/")
    of = next((word for word in BY_ADDRESS if word in words), None)
    if of is None:
        return (own,)
    address = address_of(request, forwarded_hops)
    if holder.scopes & SIGNED_IN:
        return own, Ask("address_signed_in", "agent", holder.company_id, address, of=of)
    return own, Ask("address", "stranger", holder.company_id, address, of=of)
