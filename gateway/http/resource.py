"""One address outside of /api/v1: for each method, who may call it, its parameters, and its handler.

Every endpoint is declared as an Operation, and so none can forget to refuse what it does not know. In this order: the
method (405), how much the query holds (414, 422), the caller (401, 403, 404, 429), ids that cannot be (404), the query
(422), the body (413, 503, 422). A body is never read for a caller who is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.bodies import ClientLeft
from gateway.http.edge import Edge
from gateway.http.limits import address_of
from gateway.http.parameters import ID_MAX, NOTHING, Field, Parameters, query_pairs, read_body, read_query
from gateway.http.refused import Refused

C = TypeVar("C")

BODY_MAX_BYTES = 64 * 1024
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")

Scope = MutableMapping[str, Any]


class _Id(Convertor[int]):
    """A number in a path; what no table can hold becomes ID_MAX + 1, and the resource says 404."""

    regex = "[0-9]+"

    def convert(self, value: str) -> int:
        return min(int(value), ID_MAX + 1) if len(value) <= 19 else ID_MAX + 1

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", _Id())


@dataclass(frozen=True)
class Operation(Generic[C]):
    """who: the caller; raises Refused."""

    handle: Callable[[C, Parameters], Awaitable[Response]]
    who: Callable[[Request], Awaitable[C]]
    query: tuple[Field[Any], ...] = ()
    body: tuple[Field[Any], ...] = ()
    body_max_bytes: int = BODY_MAX_BYTES

    async def answer(self, request: Request) -> Response:
        pairs = query_pairs(request.scope["query_string"])
        caller = await self.who(request)
        for name, value in request.path_params.items():
            if isinstance(value, int) and value > ID_MAX:
                raise Refused(404, f"there is no such {name}")
        query = read_query(pairs, self.query)
        if request.method in WITHOUT_BODY:
            return await self.handle(caller, Parameters(query, NOTHING))
        edge: Edge = request.app.state.edge
        arriving = edge.bodies.open(lambda: address_of(request, edge.settings.gateway.forwarded_hops), known=True)
        try:
            raw = await arriving.read(request.receive, self.body_max_bytes, request.headers.get("content-length", ""))
            return await self.handle(caller, Parameters(query, read_body(raw, self.body)))
        finally:
            arriving.close()


class Resource(Route):
    def __init__(self, path: str, operations: Mapping[str, Operation[Any]], *, head: bool = True) -> None:
        """head: HEAD is answered as GET."""
        self.operations = dict(operations)
        if head and "GET" in self.operations:
            self.operations["HEAD"] = self.operations["GET"]
        super().__init__(path, _Endpoint(self))

    async def answer(self, request: Request) -> Response:
        return await self.chosen(request).answer(request)

    def chosen(self, request: Request) -> Operation[Any]:
        """Raises Refused(405)."""
        operation = self.operations.get(request.method)
        if operation is None:
            raise self.other_method()
        request.scope["endpoint"] = operation.handle  # by which gateway.http.timing tells who answers
        return operation

    def other_method(self) -> Refused:
        allowed = ", ".join(sorted(self.operations))
        return Refused(405, f"this address takes {allowed}", headers={"allow": allowed})


class _Endpoint:
    """An ASGI app, so that the router hands over every method."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self.__name__ = "resource"

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        request = Request(scope, receive, send)
        try:
            response = await self._resource.answer(request)
        except ClientLeft:
            return
        await response(scope, receive, send)
