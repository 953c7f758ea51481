"""What all calls to an OpenAI-compatible API share: the client, bounded bodies, and what a refusal means.

Errors name meanings and status codes; prompt, answer and key stay out of them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from shared.clock import Clock
from shared.errors import ModelUnavailable, Permanent
from shared.llm.parameters import CONTEXT_CODES, is_about_length
from shared.resilience.transport import no_cookies, tls

CONNECT_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 2.0
KEEPALIVE_EXPIRY_S = 5.0
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
RETRY_AFTER_MAX_S = 86_400.0
"""A longer wait is not believed."""
ABOUT_THE_CALL = ("saturated", "empty", "truncated", "refused", "tool_call", "reasoning_shown")
"""Outcomes that say nothing about the provider's health: our own pool is full, or this prompt has such an answer."""
ABOUT_THE_REQUEST = ("llm_rejected", "context_too_long", "address_refused")
"""Reasons of refusals that say nothing about it either; the last one is ours, and nothing was sent."""


class CallFailed(ModelUnavailable):
    """One call that gave no answer.

    outcome: a static word (timeout, slow_start, stalled, connect, transport, rate_limited, http_5xx, malformed,
    cut_short, truncated, empty, refused, tool_call, reasoning_shown, too_long, saturated). retry: whether the same
    provider may be asked again.
    """

    def __init__(self, outcome: str, *, retry: bool, retry_after_s: float | None = None) -> None:
        super().__init__(outcome, retry_after_s=retry_after_s)
        self.outcome = outcome
        self.retry = retry


def is_neutral(error: BaseException) -> bool:
    """Whether a failure says nothing about the provider's health: for the breaker."""
    if isinstance(error, CallFailed):
        return error.outcome in ABOUT_THE_CALL
    return isinstance(error, Permanent) and error.reason in ABOUT_THE_REQUEST


def http_client(connections: int) -> httpx.AsyncClient:
    """A client for all providers of a process. httpx allows 100 connections by default, and whoever is beyond
    waits for the pool; a kept connection is dropped before a usual proxy would drop it under us."""
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEPALIVE_EXPIRY_S
    )
    timeout = httpx.Timeout(30.0, connect=CONNECT_TIMEOUT_S)
    return httpx.AsyncClient(verify=tls(), limits=limits, timeout=timeout, cookies=no_cookies())


async def whole_body(pieces: AsyncIterator[bytes], first: bytes = b"") -> str:
    """A response's text, after what was read of it first. Raises CallFailed for more than MAX_BODY_BYTES."""
    body = bytearray(first)
    async for piece in pieces:
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise CallFailed("too_long", retry=False)
    return body.decode("utf-8", "replace")


def is_encoded(response: httpx.Response) -> bool:
    """Whether the body is compressed though we asked for it plain: a few such bytes could be gigabytes here."""
    return response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


def plain_pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """A body piece by piece. Raises CallFailed for a compressed one."""
    if is_encoded(response):
        raise CallFailed("malformed", retry=False)
    return response.aiter_bytes()


async def error_body(response: httpx.Response) -> bytes:
    """An error's body, as far as it is needed to understand it."""
    body = b""
    if is_encoded(response):
        return b""  # its status says enough
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ERROR_BYTES:
            break
    return body[:MAX_ERROR_BYTES]


def parsed(text: str) -> dict[str, Any]:
    """The JSON object that a text holds. Raises CallFailed for anything else."""
    try:
        value = _loaded(text)
    except (ValueError, RecursionError):
        # `from None`: the parser's error carries the text.
        raise CallFailed("malformed", retry=False) from None
    if not isinstance(value, dict):
        raise CallFailed("malformed", retry=False)
    return value


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # it is stricter: NaN, halves of a character
        return json.loads(text)


def meaning_of(response: httpx.Response, body: bytes, clock: Clock) -> ModelUnavailable | Permanent:
    """What a refused request means."""
    found = meaning(response.status_code, _error_code(body), _retry_after_s(response.headers, clock))
    if isinstance(found, Permanent) and found.reason == "llm_rejected" and is_about_length(body):
        return Permanent("context_too_long", f"context_too_long (HTTP {response.status_code})")
    return found


def meaning(status: int, code: str | None, retry_after_s: float | None = None) -> ModelUnavailable | Permanent:
    """What a status and an error's code mean, also where they stand inside an answer with status 200."""
    if status in (401, 403):
        return Permanent("llm_credentials", f"llm_credentials (HTTP {status})")
    if status == 402 or code == "insufficient_quota":
        # Sent as 429 by some, but no waiting within a turn refills an account.
        return Permanent("llm_quota", f"llm_quota (HTTP {status})")
    if status == 429:
        return CallFailed("rate_limited", retry=True, retry_after_s=retry_after_s)
    if status >= 500 or status in (408, 409, 425):
        return CallFailed("http_5xx", retry=True, retry_after_s=retry_after_s)
    if status in (404, 405) and code not in CONTEXT_CODES:
        return Permanent("llm_not_found", f"llm_not_found (HTTP {status})")
    if code in CONTEXT_CODES:
        return Permanent("context_too_long", f"context_too_long (HTTP {status})")
    if 400 <= status < 500:
        return Permanent("llm_rejected", f"llm_rejected (HTTP {status})")
    return CallFailed("malformed", retry=False)  # redirects and other answers that this API does not give


def _error_code(body: bytes) -> str | None:
    try:
        error = json.loads(body)["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # a proxy's page, say: the status alone must do
    return code if isinstance(code, str) else None


def _retry_after_s(headers: httpx.Headers, clock: Clock) -> float | None:
    """Seconds that the server asks to wait; None if it does not say or says nonsense. OpenAI's own header in
    milliseconds is the more exact one."""
    exact = _number(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000 if 0 <= exact < RETRY_AFTER_MAX_S * 1000 else None
    value = headers.get("retry-after")
    if not value:
        return None
    seconds = _number(value)
    if seconds is None:
        try:
            seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds and seconds < RETRY_AFTER_MAX_S else None


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
