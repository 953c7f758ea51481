"""What all requests of agents and of a company's own programs have: a key, numbers, a body, and how one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.edge import Edge
from shared.errors import DatabaseUnavailable
from shared.store import companies
from shared.store.pool import Conn

T = TypeVar("T")

PAGE_MAX = 200
ID_MAX = 2**63 - 1


class Refused(Exception):
    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


async def as_agent(request: Request, work: Callable[[Conn, int], T]) -> T:
    """Run `work(conn, company_id)` for the company whose key the request bears. Raises Refused(401)."""
    edge: Edge = request.app.state.edge
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Refused(401, "send Authorization: Bearer and the agent's API key")

    def run() -> T:
        with edge.db.transaction() as conn:
            agent = companies.agent_of_key(conn, key.strip())
        if agent is None:
            raise Refused(401, "no agent has this API key")
        with edge.db.transaction(agent[0]) as conn:
            return work(conn, agent[0])

    return await edge.in_thread(run)


def number(request: Request, name: str, default: int, highest: int) -> int:
    raw = request.query_params.get(name, str(default))
    # isdecimal alone takes other scripts' digits, and int() gives up on very many
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 20) or not 0 <= int(raw) <= highest:
        raise Refused(422, f"{name} should be a number up to {highest}")
    return int(raw)


def conversation_of(request: Request) -> int:
    conversation_id = int(request.path_params["conversation"])
    if conversation_id > ID_MAX:
        raise no_such_conversation()
    return conversation_id


def no_such_conversation() -> Refused:
    return Refused(404, "this company has no such conversation")


async def body_of(request: Request, most: int) -> bytes:
    """Raises Refused(413)."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise Refused(413, f"the body may have {most} bytes")
    return bytes(body)


def as_json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"ok": False, "error": str(error)}, status_code=error.status)


async def _away(request: Request, error: Exception) -> Response:
    return JSONResponse({"ok": False, "error": "try again shortly"}, status_code=503, headers={"retry-after": "1"})


EXCEPTION_HANDLERS: dict[Any, Any] = {Refused: _refuse, DatabaseUnavailable: _away}
