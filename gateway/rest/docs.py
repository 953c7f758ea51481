"""`/docs`: Swagger UI over the description of the API, `/api/v1/openapi.json`. No other host is asked for a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.parameters import Parameters
from gateway.http.refused import Refused
from gateway.http.resource import Operation, Resource
from gateway.rest import representation

PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Switchboard: HTTP API</title>
<link rel="icon" href="/docs/favicon.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = b"""SwaggerUIBundle({
  url: "/api/v1/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout", tryItOutEnabled: true
});
"""
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
OTHERS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}


@dataclass(slots=True)
class Document:
    """Bytes that stay the same as long as the process runs, compressed once for each encoding."""

    body: bytes
    media_type: str
    _packed: dict[str, bytes] = field(default_factory=dict)

    async def answer(self, request: Request) -> Response:
        found = await representation.answer(
            request, self.body, headers=HEADERS, media_type=self.media_type, tagged=True, compress=self._compress
        )
        response = Response(found.body, found.status)
        response.raw_headers = found.headers
        return response

    def _compress(self, body: bytes, encoding: str) -> bytes:
        if encoding not in self._packed:
            self._packed[encoding] = representation.compressed(body, encoding)
        return self._packed[encoding]


_documents: dict[str, Document] = {}


def _document(name: str) -> Document:
    """Read with the first request for it."""
    found = _documents.get(name)
    if found is None:
        if name == "":
            found = Document(PAGE, "text/html; charset=utf-8")
        elif name == "start.js":
            found = Document(START, "text/javascript; charset=utf-8")
        elif name in OTHERS:
            found = Document((files("fastapi_offline") / "static" / name).read_bytes(), OTHERS[name])
        else:
            raise Refused(404, "there is nothing at this address")
        _documents[name] = found
    return found


async def anybody(request: Request) -> Request:
    """The description tells what there is, and nothing of what anybody has."""
    return request


async def page(request: Request, asked: Parameters) -> Response:
    return await _document("").answer(request)


async def asset(request: Request, asked: Parameters) -> Response:
    document = await asyncio.to_thread(_document, request.path_params["name"])
    return await document.answer(request)


ROUTES = [
    Resource("/docs", {"GET": Operation(page, anybody)}),
    Resource("/docs/{name}", {"GET": Operation(asset, anybody)}),
]
