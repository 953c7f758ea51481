"""Refusals: answers other than 2xx, whose text says what to change.

Addresses below /api/v1 answer problem details (RFC 9457) with a plain sentence as `error`; all others answer
`{"ok": false, "error": "…"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.errors import Transient
from tasks.models import spending
from tasks.models.spending import CostLimitExceeded

HTTP_TEXTS = {404: "there is nothing at this address", 405: "this address does not take this method"}


class Refused(Exception):
    """An answer other than 2xx. The text says what to change."""

    def __init__(
        self, status: int, what: str, retry_after_s: float | None = None, headers: Mapping[str, str] | None = None,
        *, error: str | None = None, kind: str | None = None,
    ) -> None:  # fmt: skip
        """error: a short sentence for people, where the text says more than it. kind: of the problem, where programs
        should tell it from others of the same status, such as `over-budget`."""
        super().__init__(what)
        self.status = status
        self.what = what
        self.error = error or what
        self.kind = kind
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["retry-after"] = str(max(1, -int(-retry_after_s // 1)))


def answer(refused: Refused) -> Response:
    return JSONResponse({"ok": False, "error": refused.error}, refused.status, refused.headers)


def problem(refused: Refused) -> dict[str, Any]:
    """The members of RFC 9457, and `error`."""
    return {
        "type": f"urn:switchboard:problem:{refused.kind}" if refused.kind else "about:blank",
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": refused.what,
        "error": refused.error,
    }


def unavailable(error: Transient) -> Refused:
    return Refused(503, "try again shortly", error.retry_after_s or 1.0)


def over_budget(error: CostLimitExceeded) -> Refused:
    return Refused(429, spending.detail(error.over), error.retry_after_s, error=spending.EXCEEDED, kind="over-budget")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(error)


async def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, Transient)
    return answer(unavailable(error))


async def _http(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: unknown addresses and methods."""
    assert isinstance(error, HTTPException)
    what = HTTP_TEXTS.get(error.status_code, str(error.detail))
    return answer(Refused(error.status_code, what, headers=error.headers))


EXCEPTION_HANDLERS: dict[Any, Any] = {Refused: _refused, Transient: _unavailable, HTTPException: _http}
