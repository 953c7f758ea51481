"""Calls one OpenAI-compatible provider: messages in, a bounded text out, every failure with its meaning.

Answers are streamed, so that a cancelled call ends the generation with its connection, and the deadline holds against a
server that drips. Errors name meanings and status codes; they contain neither prompt, answer nor key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from shared.clock import Clock, SystemClock
from shared.errors import ModelUnavailable, Permanent, SettingsError
from shared.model import Completion
from shared.resilience.transport import tls

CONNECT_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 2.0
KEEPALIVE_EXPIRY_S = 5.0
FINISH_WITHIN_S = 0.05
MAX_ANSWER_CHARS = 20_000
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
OnText = Callable[[str], None]
"""Told each piece of an answer's text as it comes, on the event loop's thread; it must not block or raise."""
_CONTEXT_CODES = ("context_length_exceeded", "string_above_max_length")


class CallFailed(ModelUnavailable):
    """A call that gave no answer.

    outcome: a static word (timeout, connect, transport, rate_limited, http_5xx, malformed, cut_short, empty, too_long,
    saturated). retry: whether the same provider may be called again at once.
    """

    def __init__(self, outcome: str, *, retry: bool, retry_after_s: float | None = None) -> None:
        super().__init__(outcome, retry_after_s=retry_after_s)
        self.outcome = outcome
        self.retry = retry


def is_neutral(error: BaseException) -> bool:
    """Whether a failure says nothing about the provider's health, so that the breaker does not count it."""
    if isinstance(error, CallFailed):
        return error.outcome == "saturated"
    return isinstance(error, Permanent) and error.reason == "llm_rejected"


def http_client(connections: int) -> httpx.AsyncClient:
    """Return an HTTP client for all providers of a process. httpx allows 100 connections by default, and further calls
    wait for the pool. A kept connection is dropped before a usual proxy would drop it."""
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEPALIVE_EXPIRY_S
    )
    return httpx.AsyncClient(verify=tls(), limits=limits, timeout=httpx.Timeout(30.0, connect=CONNECT_TIMEOUT_S))


@dataclass(slots=True)
class _Heard:
    """What has been received of a stream."""

    parts: list[str]
    chars: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    model: str = ""
    finish: str | None = None
    done: bool = False


class Provider:
    """A provider of one model. base_url: with /v1. name: for receipts and breakers. Raises SettingsError for a key that
    no header can carry."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        name: str,
        base_url: str,
        api_key: str,
        model: str,
        max_tokens: int,
        clock: Clock | None = None,
    ) -> None:
        api_key = api_key.strip()
        if not (api_key.isascii() and api_key.isprintable()):
            # The HTTP library would raise an error that quotes the header.
            raise SettingsError("LLM_API_KEY holds characters that no HTTP header can carry")
        self.name = name
        self.model = model
        self._http = http
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._max_tokens = max_tokens
        self._clock = clock or SystemClock()

    async def complete(
        self, messages: Sequence[dict[str, Any]], deadline_s: float, on_text: OnText | None = None
    ) -> Completion:
        """Return the model's answer within deadline_s of wall-clock time. on_text: gets each piece as it comes.

        Raises CallFailed; Permanent('llm_credentials' | 'llm_quota' | 'llm_not_found' | 'llm_rejected'), the last if
        this prompt will never be accepted. Cancelling closes the connection.
        """
        try:
            async with asyncio.timeout(deadline_s):
                return await self._stream(messages, deadline_s, on_text)
        except TimeoutError as e:
            raise CallFailed("timeout", retry=False) from e
        except httpx.PoolTimeout as e:
            raise CallFailed("saturated", retry=False) from e
        except (httpx.ConnectError, httpx.ConnectTimeout) as e:
            raise CallFailed("connect", retry=True) from e
        except httpx.TimeoutException as e:
            raise CallFailed("timeout", retry=False) from e
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as e:
            raise CallFailed("transport", retry=isinstance(e, httpx.TransportError)) from e

    async def _stream(
        self, messages: Sequence[dict[str, Any]], deadline_s: float, on_text: OnText | None
    ) -> Completion:
        body = {
            "model": self.model,
            "messages": list(messages),
            "max_tokens": self._max_tokens,
            "temperature": 0.2,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        timeout = httpx.Timeout(deadline_s, connect=min(CONNECT_TIMEOUT_S, deadline_s), pool=POOL_TIMEOUT_S)
        # Encoded here, in ASCII: a lone surrogate in the prompt would make httpx raise an error that carries it.
        content = json.dumps(body).encode()
        async with self._http.stream(
            "POST", self._url, content=content, headers=self._headers, timeout=timeout
        ) as response:
            if response.status_code != 200:
                raise _meaning(response, await _beginning(response), self._clock)
            heard = _Heard(parts=[])
            if "json" in response.headers.get("content-type", ""):
                _hear_whole(heard, await _all(response))  # a server that does not stream
            else:
                events = _events(response)
                async for event in events:
                    if event == "[DONE]":
                        heard.done = True
                        await _finish(events)
                        break
                    before = len(heard.parts)
                    _hear(heard, _parsed(event))
                    if on_text is not None:
                        on_text("".join(heard.parts[before:]))
        return self._completion(heard)

    def _completion(self, heard: _Heard) -> Completion:
        if heard.finish == "content_filter":
            raise Permanent("llm_rejected")
        if heard.finish is None and not heard.done:
            raise CallFailed("cut_short", retry=True)
        text = "".join(heard.parts).strip()
        if not text:
            raise CallFailed("empty", retry=False)
        return Completion(
            text=text, model=heard.model or self.model, tokens_in=heard.tokens_in, tokens_out=heard.tokens_out
        )


async def _events(response: httpx.Response) -> AsyncIterator[str]:
    """Yield the data of server-sent events, one line each as this API sends them; bounded as a whole."""
    buffer, total = b"", 0
    async for piece in response.aiter_bytes():
        total += len(piece)
        if total > MAX_BODY_BYTES:
            raise CallFailed("too_long", retry=False)
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip().decode("utf-8", "replace")
    if buffer.startswith(b"data:"):
        yield buffer[5:].strip().decode("utf-8", "replace")


async def _finish(events: AsyncIterator[str]) -> None:
    """Read what a server still sends after the last event, as a rule the stream's end and nothing else: a connection
    that was left before its answer's end cannot be used again."""
    with suppress(TimeoutError, httpx.HTTPError, CallFailed):
        async with asyncio.timeout(FINISH_WITHIN_S):
            async for _ in events:
                pass


async def _all(response: httpx.Response) -> str:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise CallFailed("too_long", retry=False)
    return body.decode("utf-8", "replace")


async def _beginning(response: httpx.Response) -> bytes:
    """Read the beginning of an error's body, as much as is needed to understand it."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ERROR_BYTES:
            break
    return body[:MAX_ERROR_BYTES]


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # `from None`: the parser's error carries the text.
        raise CallFailed("malformed", retry=False) from None
    if not isinstance(value, dict):
        raise CallFailed("malformed", retry=False)
    return value


def _hear(heard: _Heard, event: dict[str, Any]) -> None:
    """Process one event. Raises CallFailed for an error event, an invalid one, or too long an answer."""
    if event.get("error"):
        raise CallFailed("http_5xx", retry=True)
    try:
        _hear_usage(heard, event)
        for choice in (event.get("choices") or [])[:1]:
            message = choice.get("delta") or choice.get("message") or {}
            content = message.get("content") or ""
            heard.finish = choice.get("finish_reason") or heard.finish
            heard.parts.append(content)
            heard.chars += len(content)
        "".join(heard.parts[-1:])  # a content that is no text fails here
    except (AttributeError, TypeError, ValueError):
        raise CallFailed("malformed", retry=False) from None
    if heard.chars > MAX_ANSWER_CHARS:
        raise CallFailed("too_long", retry=False)


def _hear_usage(heard: _Heard, event: dict[str, Any]) -> None:
    if isinstance(event.get("model"), str):
        heard.model = event["model"]
    usage = event.get("usage") or {}
    heard.tokens_in = int(usage.get("prompt_tokens") or heard.tokens_in)
    heard.tokens_out = int(usage.get("completion_tokens") or heard.tokens_out)


def _hear_whole(heard: _Heard, text: str) -> None:
    body = _parsed(text)
    if not body.get("error") and not isinstance(body.get("choices"), list):
        raise CallFailed("malformed", retry=False)
    _hear(heard, body)
    heard.done = True


def _meaning(response: httpx.Response, body: bytes, clock: Clock) -> ModelUnavailable | Permanent:
    """Return the meaning of a refused request."""
    status, code = response.status_code, _error_code(body)
    retry_after_s = _retry_after_s(response.headers.get("retry-after"), clock)
    if status in (401, 403):
        return Permanent("llm_credentials", f"llm_credentials (HTTP {status})")
    if status == 402 or code == "insufficient_quota":
        # Sent as 429 by some, but no waiting within a turn refills an account.
        return Permanent("llm_quota", f"llm_quota (HTTP {status})")
    if status == 429:
        return CallFailed("rate_limited", retry=True, retry_after_s=retry_after_s)
    if status >= 500 or status in (408, 409, 425):
        return CallFailed("http_5xx", retry=True, retry_after_s=retry_after_s)
    if status in (404, 405) and code not in _CONTEXT_CODES:
        return Permanent("llm_not_found", f"llm_not_found (HTTP {status})")
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


def _retry_after_s(value: str | None, clock: Clock) -> float | None:
    """Seconds of a Retry-After header in either of its two forms; None if absent or unreadable."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if seconds == seconds and seconds < 86_400 else None
