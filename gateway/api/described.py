"""`/api/v1/openapi.json`: what the API is, for anybody."""

from __future__ import annotations

import asyncio

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.routers import ROUTERS
from gateway.http.parameters import Parameters
from gateway.http.resource import Operation, Resource
from gateway.rest.description import described
from gateway.rest.docs import Document, anybody

_document: Document | None = None


def as_json() -> bytes:
    return orjson.dumps(described(ROUTERS), option=orjson.OPT_INDENT_2)


def _made() -> Document:
    return Document(as_json(), "application/json")


async def openapi(request: Request, asked: Parameters) -> Response:
    global _document
    if _document is None:
        _document = await asyncio.to_thread(_made)
    return await _document.answer(request)


PATH = "/api/v1/openapi.json"
ROUTES = [Resource(PATH, {"GET": Operation(openapi, anybody)})]
