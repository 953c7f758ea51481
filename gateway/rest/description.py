"""The OpenAPI description of /api/v1: what FastAPI says, and the problems and headers that every operation shares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway.rest.callers import Caller
from gateway.rest.dispatch import Addresses
from gateway.rest.endpoint import Endpoint, all_of

TITLE = "Switchboard"
VERSION = "1"
ABOUT = """The HTTP API of Switchboard. Nothing is ignored: an unknown parameter or field is refused, and the
error names the known one that is most like it."""
PROBLEMS = {
    401: "No key, or one that nobody has.",
    403: "The key's scopes are not enough.",
    404: "There is no such thing, or it is not the caller's.",
    408: "The body took too long to arrive.",
    412: "It was changed since it was read.",
    413: "The body is too large.",
    414: "The query is too large.",
    422: "A parameter or field is wrong.",
    429: "Too many requests.",
    500: "It could not be done; the log has the reason.",
    503: "The database is away, or the gateway is full.",
}
RETRIED = (429, 503)
_TAG = {"ETag": {"schema": {"type": "string"}, "description": "Stands for the state that was answered."}}
_AGAIN = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait."}}


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    error: str


def described(routers: Iterable[APIRouter]) -> dict[str, Any]:
    routes = [route for router in routers for route in router.routes]
    found = get_openapi(title=TITLE, version=VERSION, description=ABOUT, routes=routes, openapi_version="3.1.0")
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    for path, address in Addresses(routers).every.items():
        for method, endpoint in address.operations.items():
            said = found["paths"].get(_shown(path), {}).get(method.lower())
            if said is not None:
                _complete(said, endpoint)
    return found


def _shown(path: str) -> str:
    """`{assistant:id}` is `{assistant}` there."""
    return "/".join(part.partition(":")[0] + "}" if ":" in part else part for part in path.split("/"))


def _complete(said: dict[str, Any], endpoint: Endpoint) -> None:
    responses = said["responses"]
    for status in _problems_of(endpoint):
        responses.setdefault(str(status), {"description": PROBLEMS[status]})
    for status, response in list(responses.items()):
        if int(status) >= 400:
            response["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            if int(status) in RETRIED:
                response["headers"] = dict(_AGAIN)
        elif endpoint.tagged:
            response.setdefault("headers", {}).update(_TAG)
    if any(isinstance(one.call, Caller) and one.call.any_scope for one in all_of(endpoint.dependant)):
        said["security"] = [{name: [scope]} for one in said["security"] for name, all_ in one.items() for scope in all_]
    if "GET" in endpoint.takes:
        responses["304"] = {"description": "If-None-Match names the state that there still is."}
    said["responses"] = dict(sorted(responses.items()))


def _problems_of(endpoint: Endpoint) -> set[int]:
    found = {414, 422, 500, 503}
    if any(isinstance(one.call, Caller) for one in all_of(endpoint.dependant)):
        found |= {401, 403, 404, 429}
    if endpoint.tagged and "GET" not in endpoint.takes:
        found.add(412)
    if "GET" not in endpoint.takes:
        found |= {408, 413}
    return found
