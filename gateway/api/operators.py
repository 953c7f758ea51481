"""Authenticates operators: requests that carry OPS_TOKEN."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Security
from fastapi.security import SecurityScopes
from starlette.requests import Request

from gateway.http.edge import Edge
from gateway.http.limits import address_of
from gateway.http.refused import Refused
from gateway.http.strangers import count
from gateway.rest.callers import Caller


async def operator(request: Request) -> Request:
    """The request itself. Raises Refused: 401 without the token, 404 where no OPS_TOKEN is set, 429 after too many
    wrong ones from an address."""
    edge: Edge = request.app.state.edge
    token = edge.settings.operations.ops_token.get_secret_value()
    if not token:
        raise Refused(404, "set OPS_TOKEN to have this")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        if given.strip():
            count(edge.wrong_tokens, address_of(request, edge.settings.gateway.forwarded_hops), "wrong tokens")
        raise Refused(401, "send Authorization: Bearer and OPS_TOKEN", headers={"www-authenticate": "Bearer"})
    return request


class _Token(Caller):
    async def __call__(self, request: Request, scopes: SecurityScopes) -> Request:
        return await operator(request)


TOKEN = _Token("operator-token", "OPS_TOKEN, of whoever runs the system.")
Operator = Annotated[Request, Security(TOKEN)]
