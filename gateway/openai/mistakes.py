"""Refusals in the form of OpenAI's API: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.http.refused import Refused
from shared.errors import DatabaseUnavailable, Permanent, Transient
from shared.llm.router import NoModelAnswered
from tasks.models.spending import EXCEEDED, CostLimitExceeded

INVALID, SERVER = "invalid_request_error", "server_error"
RETRY_AFTER_S = 1.0
_KINDS: Mapping[int, tuple[str, str | None]] = {
    400: (INVALID, None),
    401: (INVALID, "invalid_api_key"),
    403: ("permission_error", "insufficient_permissions"),
    404: (INVALID, "unknown_url"),
    405: (INVALID, "method_not_supported"),
    408: (INVALID, "request_timeout"),
    413: (INVALID, "request_too_large"),
    422: (INVALID, None),
    429: ("requests", "rate_limit_exceeded"),
}


class Mistake(Exception):
    """An answer other than 200. The message says what to change."""

    def __init__(
        self, status: int, message: str, *, kind: str | None = None, param: str | None = None, code: str | None = None,
        headers: Mapping[str, str] | None = None, retry_after_s: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        usual_kind, usual_code = _KINDS.get(status, (SERVER, None))
        self.status, self.headers = status, dict(headers or {})
        self.error = {"message": message, "type": kind or usual_kind, "param": param, "code": code or usual_code}
        if retry_after_s is not None:
            self.headers["retry-after"] = str(max(1, -int(-retry_after_s // 1)))

    def body(self) -> bytes:
        return orjson.dumps({"error": self.error})


def wrong(param: str, message: str, code: str | None = None) -> Mistake:
    """A parameter that is not taken as it is."""
    return Mistake(400, message, param=param, code=code)


def no_such_model(name: str) -> Mistake:
    return Mistake(
        404, f"The model `{name}` does not exist or this company may not use it: see GET /v1/models.", param="model",
        code="model_not_found",
    )  # fmt: skip


def mistake_of(error: Exception) -> Mistake | None:
    """What an error of ours means for the caller; None: it is a fault of ours."""
    if isinstance(error, Mistake):
        return error
    if isinstance(error, Refused):
        return Mistake(error.status, error.what, headers=error.headers)
    if isinstance(error, CostLimitExceeded):
        kind = code = "insufficient_quota"
        return Mistake(429, EXCEEDED, kind=kind, code=code, retry_after_s=error.retry_after_s)
    if isinstance(error, NoModelAnswered):
        return _unanswered(error)
    if isinstance(error, DatabaseUnavailable):
        return Mistake(503, "The database is away: try again shortly.", retry_after_s=RETRY_AFTER_S)
    if isinstance(error, Transient):
        wait_s = error.retry_after_s or RETRY_AFTER_S
        return Mistake(503, "No model answered: try again shortly.", code="no_model_answered", retry_after_s=wait_s)
    if isinstance(error, Permanent):
        return Mistake(502, f"No model answered ({error.reason}).", code="no_model_answered")
    return None


def _unanswered(error: NoModelAnswered) -> Mistake:
    """By what came of the attempts: what every model refuses is the request's fault."""
    outcomes = [attempt.outcome for attempt in error.attempts]
    if outcomes and set(outcomes) == {"context_too_long"}:
        message = "The messages are longer than the models of this route read."
        return Mistake(400, message, param="messages", code="context_length_exceeded")
    if outcomes and set(outcomes) == {"llm_rejected"}:
        return Mistake(400, "Every model of this route refused this request.", code="request_refused")
    told = f"No model answered ({', '.join(dict.fromkeys(outcomes)) or 'there was no time left'})."
    waits = error.retry_after_s is not None or not outcomes or outcomes[-1] in ("breaker_open", "rate_limited")
    if waits:
        wait_s = error.retry_after_s or RETRY_AFTER_S
        return Mistake(503, told, code="no_model_answered", retry_after_s=wait_s)
    return Mistake(502, told, code="no_model_answered")


def rendered(value: Any) -> bytes:
    return orjson.dumps(value)
