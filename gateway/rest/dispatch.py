"""/api/v1 as an ASGI app: finds the operation of a request, answers it, and turns refusals into problem details.

The operations are FastAPI's routes. Its own router and middleware are not asked: they would cost more than the answer
(docs/decisions/0026-fastapi-declares-the-api.md).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import refused
from gateway.http.bodies import ClientLeft
from gateway.http.refused import Refused
from gateway.rest.endpoint import ALLOWANCE, Endpoint
from gateway.rest.representation import Answer
from shared.errors import Transient
from tasks.models.spending import CostLimitExceeded

log = structlog.get_logger(__name__)

PROBLEM = b"application/problem+json"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Address:
    """The operations of one path, by method. HEAD is answered as GET."""

    path: str
    pattern: re.Pattern[str]
    convertors: dict[str, Any]
    operations: dict[str, Endpoint] = field(default_factory=dict)

    def other_method(self) -> Refused:
        allowed = ", ".join(sorted(self.operations))
        return Refused(405, f"this address takes {allowed}", headers={"allow": allowed})


class Addresses:
    """Looked up by the words before the first parameter, and only there by patterns."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        self.every: dict[str, Address] = {}
        for router in routers:
            for route in router.routes:
                assert isinstance(route, Endpoint), f"{route}: a router has route_class=Endpoint"
                address = self.every.setdefault(
                    route.path, Address(route.path, route.path_regex, route.param_convertors)
                )
                for method in route.takes:
                    assert method not in address.operations, f"{method} {route.path} is declared twice"
                    address.operations[method] = route
                    if method == "GET":
                        address.operations["HEAD"] = route
        self._fixed = {path: one for path, one in self.every.items() if not one.convertors}
        self._others: dict[str, list[Address]] = {}
        for path, one in self.every.items():
            if one.convertors:
                self._others.setdefault(_first(path), []).append(one)

    def find(self, path: str) -> tuple[Address, dict[str, Any]] | None:
        """The address, and its parameters."""
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed, {}
        for one in self._others.get(_first(path), ()):
            found = one.pattern.match(path)
            if found is not None:
                return one, {name: one.convertors[name].convert(value) for name, value in found.groupdict().items()}
        return None


def _first(path: str) -> str:
    """The word behind /api/v1/."""
    return path.split("/", 4)[3] if path.count("/") >= 3 else ""


class Api:
    def __init__(self, routers: Iterable[APIRouter], app: Any) -> None:
        """app: whose state the requests see."""
        self.addresses = Addresses(routers)
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._app
        request = Request(scope, receive, send)
        try:
            found = await self._answer(request)
        except ClientLeft:
            return
        except Refused as e:
            found = _problem(e)
        except CostLimitExceeded as e:
            found = _problem(refused.over_budget(e))
        except Transient as e:
            found = _problem(refused.unavailable(e))
        except Exception as e:
            log.error("request_failed", exc_info=e)
            found = _problem(Refused(500, "this could not be done, and the log has the reason"))
        if isinstance(found, Response):
            await found(scope, receive, send)
            return
        if found.status >= 400 and (left := scope.get(ALLOWANCE)):
            found.headers.extend((name.encode(), value.encode()) for name, value in left.items())
        await send({"type": "http.response.start", "status": found.status, "headers": found.headers})
        await send({"type": "http.response.body", "body": found.body if request.method != "HEAD" else b""})

    async def _answer(self, request: Request) -> Answer | Response:
        found = self.addresses.find(request.scope["path"])
        if found is None:
            raise Refused(404, refused.HTTP_TEXTS[404])
        address, request.scope["path_params"] = found
        operation = address.operations.get(request.method)
        if operation is None:
            raise address.other_method()
        request.scope["endpoint"] = operation.endpoint  # by which gateway.http.timing tells who answers
        return await operation.answer(request)


def _problem(error: Refused) -> Answer:
    body = orjson.dumps(refused.problem(error))
    headers = [(name.encode(), value.encode("latin-1")) for name, value in error.headers.items()]
    return Answer(
        error.status,
        [*headers, (b"content-type", PROBLEM), (b"content-length", str(len(body)).encode())],
        body,
    )
