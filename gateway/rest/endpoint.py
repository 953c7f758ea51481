"""One operation of /api/v1: FastAPI declares and describes it, and this answers it.

In this order: how much the query holds (414, 422), the caller (401, 403, 404, 429), what the caller may still ask
(429), ids that cannot be (404), the query and headers (422), other dependencies, the body (413, 503, 422). FastAPI
itself would read the body first, whoever sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import params
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.edge import Edge
from gateway.http.limits import address_of
from gateway.http.parameters import ID_MAX, query_pairs
from gateway.http.refused import Refused
from gateway.http.resource import BODY_MAX_BYTES
from gateway.rest import representation
from gateway.rest.callers import Caller
from gateway.rest.given import Given
from gateway.rest.reading import Empty, Reader
from gateway.rest.representation import Answer
from shared.text import storable

WITHOUT_BODY = ("GET", "HEAD")
ALLOWANCE = "switchboard.allowance"
"""Where a request keeps the headers that go with its answer, a refusal as well."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A function that is called for the request: a caller, another dependency, or the operation itself."""

    function: Callable[..., Any]
    request: str | None
    scopes: tuple[str, SecurityScopes] | None
    query: str | None
    headers: tuple[ModelField, ...]
    path: tuple[str, ...]
    needs: tuple[tuple[str, int], ...]
    """(parameter, which of the steps before it gives its value)"""


class Endpoint(APIRoute):
    """The `route_class` of every router. max_body_size: where it is not 64 KB."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        module = endpoint.__module__.rpartition(".")[2]
        options["operation_id"] = options["operation_id"] or f"{module}_{endpoint.__name__.rstrip('_')}"
        super().__init__(path, endpoint, **options)
        self.takes: frozenset[str] = frozenset(self.methods or ())
        self.query: Reader[Any] = Reader(_query_model(self.dependant))
        body = self.dependant.body_params
        assert len(body) <= 1, f"{path}: one parameter is the body"
        self.takes_file = bool(body) and body[0].field_info.annotation is bytes
        model: Any = body[0].field_info.annotation if body and not self.takes_file else Empty
        self.body: Reader[Any] = Reader(model)
        self._body_name = body[0].name if body else None
        self.body_max_bytes = self.max_body_size or BODY_MAX_BYTES
        self.tagged = self.takes == {"GET"} or any(
            one.alias == "if-match" for dependant in all_of(self.dependant) for one in dependant.header_params
        )
        steps: list[_Step] = []
        self._operation = _flatten(self.dependant, steps, {})
        self._callers = tuple(step for step in steps if isinstance(step.function, Caller))
        self._others = tuple(step for step in steps if not isinstance(step.function, Caller))

    async def answer(self, request: Request) -> Answer | Response:
        """Raises Refused, Transient, ClientLeft."""
        pairs = query_pairs(request.scope["query_string"])
        edge: Edge = request.app.state.edge
        known: list[Any] = []
        for step in self._callers:
            known.append(await step.function(**_given(step, request, known, None)))
        headers = await edge.allowance.take(request, known[0]) if known else {}
        request.scope[ALLOWANCE] = headers
        for name, value in request.path_params.items():
            if isinstance(value, int) and value > ID_MAX:
                raise Refused(404, f"there is no such {name}")
        query = self.query.query(pairs)
        for step in self._others:
            known.append(await step.function(**_given(step, request, known, query)))
        given = _given(self._operation, request, known, query)
        if request.method in WITHOUT_BODY:
            return await self._answered(request, given, headers)
        arriving = edge.bodies.open(lambda: address_of(request, edge.settings.gateway.forwarded_hops), known=True)
        try:
            announced = request.headers.get("content-length", "")
            raw = await arriving.read(request.receive, self.body_max_bytes, announced)
            body = raw if self.takes_file else self.body.body(raw)
            if self._body_name is not None:
                given[self._body_name] = body
            return await self._answered(request, given, headers)
        finally:
            arriving.close()

    async def _answered(self, request: Request, given: dict[str, Any], headers: Any) -> Answer | Response:
        found = await self.endpoint(**given)
        if isinstance(found, Response):
            found.headers.update(headers)
            return found
        return await representation.answer(
            request, representation.as_bytes(found), status=self.status_code or 200, headers=headers, tagged=self.tagged
        )


def _query_model(dependant: Dependant) -> type[Given]:
    models = {one.field_info.annotation for each in all_of(dependant) for one in each.query_params}
    assert len(models) <= 1, f"{dependant.path}: the query is one model"
    [model] = models or {Empty}
    assert isinstance(model, type), f"{dependant.path}: the query is a model, `query: Annotated[Page, Query()]`"
    assert issubclass(model, Given), f"{dependant.path}: the query is a model, `query: Annotated[Page, Query()]`"
    return model


def all_of(dependant: Dependant) -> list[Dependant]:
    return [dependant, *(inner for one in dependant.dependencies for inner in all_of(one))]


def _flatten(dependant: Dependant, steps: list[_Step], places: dict[Any, int]) -> _Step:
    """The step of this dependant; those that it needs come before it in `steps`, callers before all others."""
    needs = []
    for one in sorted(dependant.dependencies, key=lambda inner: not isinstance(inner.call, Caller)):
        key = (one.call, *(one.own_oauth_scopes or ()))
        if key not in places:
            step = _flatten(one, steps, places)
            assert not isinstance(one.call, Caller) or all(isinstance(before.function, Caller) for before in steps)
            places[key] = len(steps)
            steps.append(step)
        if one.name is not None:
            needs.append((one.name, places[key]))
    assert dependant.call is not None
    scopes = dependant.security_scopes_param_name
    return _Step(
        function=dependant.call,
        request=dependant.request_param_name,
        scopes=(scopes, SecurityScopes(dependant.own_oauth_scopes)) if scopes else None,
        query=next((one.name for one in dependant.query_params), None),
        headers=tuple(dependant.header_params),
        path=tuple(one.name for one in dependant.path_params),
        needs=tuple(needs),
    )


def _given(step: _Step, request: Request, known: list[Any], query: Any) -> dict[str, Any]:
    """Raises Refused(422) for a header."""
    given: dict[str, Any] = {name: known[place] for name, place in step.needs}
    if step.request is not None:
        given[step.request] = request
    if step.scopes is not None:
        given[step.scopes[0]] = step.scopes[1]
    if step.query is not None:
        given[step.query] = query
    for name in step.path:
        value = request.path_params[name]
        given[name] = storable(value) if isinstance(value, str) else value
    for header in step.headers:
        given[header.name] = _header(header, request)
    return given


def _header(header: ModelField, request: Request) -> Any:
    given = request.headers.getlist(header.alias)
    name = header.alias.title()
    if len(given) > 1:
        raise Refused(422, f"{name} is given twice")
    if not given:
        info = header.field_info
        assert isinstance(info, params.Header)
        if info.is_required():
            raise Refused(422, f"{name} is missing")
        return header.default
    value, wrong = header.validate(storable(given[0]))
    if wrong:
        most = next((one.max_length for one in header.field_info.metadata if hasattr(one, "max_length")), None)
        raise Refused(422, f"{name} should have 1 to {most} characters" if most else f"{name}: {wrong[0]['msg']}")
    return value
