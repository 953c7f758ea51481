"""Who may ask what only operators may know: the bearer of OPS_TOKEN."""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.edge import Edge


def not_operator(request: Request) -> Response | None:
    """The refusal for whoever is none: 401 without the token, 404 where no OPS_TOKEN is set."""
    edge: Edge = request.app.state.edge
    token = edge.settings.ops_token.get_secret_value()
    if not token:
        return PlainTextResponse("set OPS_TOKEN to have this\n", status_code=404)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        return PlainTextResponse(
            "send Authorization: Bearer and OPS_TOKEN\n", status_code=401, headers={"www-authenticate": "Bearer"}
        )
    return None
