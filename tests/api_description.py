"""Holds what the gateway answers below /api/v1 to its own OpenAPI description."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from gateway.api.routers import ROUTERS
from gateway.rest.description import described
from gateway.rest.dispatch import Addresses


@cache
def description() -> dict[str, Any]:
    return described(ROUTERS)


@cache
def _addresses() -> Addresses:
    return Addresses(ROUTERS)


@cache
def _validator(shown: str, method: str, status: str, media_type: str) -> Any:
    schema = _response(shown, method, status)["content"][media_type]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": description()["components"]})


def _response(shown: str, method: str, status: str) -> dict[str, Any]:
    responses: dict[str, dict[str, Any]] = description()["paths"][shown][method]["responses"]
    assert status in responses, f"{method} {shown} answered {status}, which its description does not have"
    return responses[status]


def check(request: httpx.Request, answer: httpx.Response) -> None:
    """The status, the media type and the body. What stands at no address of ours answers a problem."""
    path, method = request.url.path, request.method.lower()
    if path == "/api/v1/openapi.json" or not path.startswith("/api/v1/"):
        return
    found = _addresses().find(path)
    if found is None or request.method not in found[0].operations:
        assert answer.status_code in (404, 405), answer.text
        return
    shown = "/".join(part.partition(":")[0] + "}" if ":" in part else part for part in found[0].path.split("/"))
    method = "get" if method == "head" else method
    content = _response(shown, method, str(answer.status_code)).get("content", {})
    if answer.content and content:
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in content, f"{method} {shown} answered {media_type}"
        if media_type.endswith("json"):
            _validator(shown, method, str(answer.status_code), media_type).validate(answer.json())
