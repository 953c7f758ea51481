"""Every operation that the gateway answers, however it is declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from gateway.api.routers import ROUTERS
from gateway.http.moved import Moved
from gateway.http.parameters import read_body
from gateway.http.resource import Resource
from gateway.main import Gateway
from gateway.rest.dispatch import Addresses


@dataclass(frozen=True)
class Declared:
    """query, body: the names that it takes. read: its reading of a body."""

    path: str
    method: str
    query: tuple[str, ...]
    body: tuple[str, ...]
    file: bool
    body_max_bytes: int
    read: Callable[[bytes], object]


@cache
def operations() -> tuple[Declared, ...]:
    """Those of HEAD are left out: they are GET's."""
    return tuple(one for one in (*_resources(), *_endpoints()) if one.method != "HEAD")


def _resources() -> list[Declared]:
    routes = [route for route in Gateway()._pages.routes if not isinstance(route, Moved)]
    assert all(isinstance(route, Resource) for route in routes), "every route is declared as a Resource"
    return [
        Declared(
            route.path, method, tuple(field.name for field in one.query), tuple(field.name for field in one.body),
            False, one.body_max_bytes, lambda raw, fields=one.body: read_body(raw, fields),  # type: ignore[misc]
        )
        for route in routes if isinstance(route, Resource) for method, one in route.operations.items()
    ]  # fmt: skip


def _endpoints() -> list[Declared]:
    return [
        Declared(
            path, method, tuple(one.query.names), tuple(one.body.names), one.takes_file, one.body_max_bytes,
            one.body.body,
        )
        for path, address in Addresses(ROUTERS).every.items() for method, one in address.operations.items()
    ]  # fmt: skip
