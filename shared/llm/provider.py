"""Calls one OpenAI-compatible provider: messages in, a bounded text out, every failure with its meaning.

Answers are streamed. So a cancelled call ends the generation with its connection, and a wall clock holds against
a server that drips.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog

from shared.clock import Clock, SystemClock
from shared.errors import SettingsError
from shared.llm.api import (
    MAX_BODY_BYTES,
    POOL_TIMEOUT_S,
    CallFailed,
    error_body,
    meaning_of,
    parsed,
    plain_pieces,
    whole_body,
)
from shared.llm.deadlines import USUAL, Deadlines, Watch
from shared.llm.parameters import Parameters
from shared.llm.partial_completion import PartialCompletion, Showing
from shared.llm.sse import Event, EventDecoder
from shared.llm.wishes import USUAL as NO_WISHES
from shared.llm.wishes import OnTool, Wishes
from shared.model import Completion, Usage

log = structlog.get_logger(__name__)

_BLANK = b"\xef\xbb\xbf \t\r\n"
FINISH_WITHIN_S = 0.05
MORE_ROOM = 4
"""By how much longer an answer may get that was cut off at its limit."""
LAST_WORDS_S = 1.0
"""How long an answer that has ended waits for its stream to end as well."""
LEARNT_AT_ONCE = 6
"""How many refused parameters one call passes over."""
OnText = Callable[[str], None]
"""Told each piece of an answer's text as it comes, on the event loop's thread; it must not block or raise."""


@dataclass(slots=True)
class Meter:
    """What a call used, also one that failed or was cancelled. Filled in while it runs."""

    usage: Usage = field(default_factory=Usage)


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
        self._parameters = Parameters()
        self._showing = Showing.UNPROVEN
        self._clock = clock or SystemClock()

    @property
    def learnt(self) -> tuple[str, ...]:
        """How it wants to be asked where that differs from the usual; for people."""
        return self._parameters.learnt

    @property
    def max_tokens(self) -> int:
        """Of an answer, where a call says nothing else."""
        return self._max_tokens

    async def complete(
        self,
        messages: Sequence[dict[str, Any]],
        deadline_s: float,
        on_text: OnText | None = None,
        *,
        deadlines: Deadlines = USUAL,
        max_tokens: int | None = None,
        more_room: bool = False,
        meter: Meter | None = None,
        tools: Sequence[dict[str, Any]] = (),
        wishes: Wishes = NO_WISHES,
        logged: bool = True,
    ) -> Completion:
        """The model's answer within deadline_s and these deadlines. on_text: hears it come. max_tokens: other than
        usual. more_room: for an answer that was cut off at its limit the first time. meter: is told what was used.
        tools: what the model may ask for, as the API describes functions. logged: what is learnt of the provider's
        parameters is; commands tell people instead.

        Raises CallFailed; Permanent('llm_credentials' | 'llm_quota' | 'llm_not_found' | 'context_too_long' |
        'llm_rejected'), the last two if this prompt will never be accepted. Cancelling closes the connection.
        """
        known = self._parameters
        deadlines = deadlines.within(deadline_s)
        most = max_tokens or self._max_tokens
        watch: Watch | None = None
        try:
            async with asyncio.timeout(deadlines.total_s) as timeout:
                watch = Watch(deadlines, timeout)
                asked = _Asked(
                    messages, most * MORE_ROOM if more_room else most, deadlines, on_text, meter or Meter(), watch,
                    tools, wishes,
                )  # fmt: skip
                return await self._ask_each_way(asked)
        except TimeoutError as e:
            raise CallFailed((watch and watch.outcome) or "timeout", retry=False) from e
        except httpx.PoolTimeout as e:
            raise CallFailed("saturated", retry=False) from e
        except (httpx.ConnectError, httpx.ConnectTimeout) as e:
            raise CallFailed("connect", retry=True) from e
        except httpx.TimeoutException as e:
            raise CallFailed("timeout", retry=False) from e
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as e:
            raise CallFailed("transport", retry=isinstance(e, httpx.TransportError)) from e
        finally:
            if watch is not None:
                watch.end()
            if logged and self._parameters != known:
                log.info("model_parameters_learnt", provider=self.name, model=self.model, learnt=self.learnt)

    async def probe(self, deadline_s: float) -> tuple[str, ...]:
        """Make a real call of one token, or of the fewest that the provider takes. Returns how it wants to be asked
        where that differs from the usual.

        Raises as complete() does, except for what one token cannot be: an answer that is whole.
        """
        try:
            await self.complete([{"role": "user", "content": "Hi"}], deadline_s, max_tokens=1, logged=False)
        except CallFailed as failed:
            if failed.outcome not in ("truncated", "empty"):
                raise
        return self.learnt

    async def _ask_each_way(self, asked: _Asked) -> Completion:
        """Ask, and once more for each parameter of ours that the provider refuses; what it takes is remembered."""
        parameters = self._parameters
        for _ in range(LEARNT_AT_ONCE):
            refused = await self._stream(parameters, asked)
            if isinstance(refused, Completion):
                return refused
            parameters = refused
        raise CallFailed("malformed", retry=False)

    async def _stream(self, parameters: Parameters, asked: _Asked) -> Completion | Parameters:
        """The completion, or how to ask instead because a parameter was refused."""
        messages, wishes = asked.messages, asked.wishes
        total_s = asked.deadlines.total_s
        timeout = httpx.Timeout(total_s, connect=min(asked.deadlines.connect_s, total_s), pool=POOL_TIMEOUT_S)
        # Encoded here, in ASCII: a lone surrogate in the prompt would make httpx raise an error that carries it.
        content = json.dumps(self._body(parameters, asked)).encode()
        async with self._http.stream(
            "POST", self._url, content=content, headers=self._headers, timeout=timeout
        ) as response:
            if response.status_code != 200:
                refusal = await error_body(response)
                instead = parameters.refused(response.status_code, refusal, asked.max_tokens, messages)
                if instead is not None:
                    return instead
                raise meaning_of(response, refusal, self._clock)
            self._parameters = parameters  # it took them: only now is known that the refused one was the reason
            partial = PartialCompletion(
                messages, self.model, self._showing, tools=bool(asked.tools), may_be_cut=wishes.may_be_cut,
                chars_max=wishes.chars_max,
            )  # fmt: skip
            try:
                await _hear(partial, _watched(plain_pieces(response), asked.watch), asked)
                text, rest = partial.finish()
            finally:
                asked.meter.usage = partial.usage
                if partial.reasoning.unopened:
                    self._showing = Showing.WHOLE
        if self._showing is Showing.UNPROVEN:
            self._showing = Showing.AS_IT_COMES
        if asked.on_text is not None and rest and partial.streamed:
            asked.on_text(rest)
        usage = partial.usage
        return Completion(
            text, partial.model, usage.tokens_in, usage.tokens_out, estimated=usage.estimated,
            tool_calls=partial.tool_calls, cut=partial.cut,
        )  # fmt: skip

    def _body(self, parameters: Parameters, asked: _Asked) -> dict[str, Any]:
        body = {"model": self.model, "messages": list(asked.messages), **parameters.body(asked.max_tokens)}
        if asked.tools:
            body["tools"] = list(asked.tools)
        body |= asked.wishes.parameters
        return {name: value for name, value in body.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call, as it was asked for."""

    messages: Sequence[dict[str, Any]]
    max_tokens: int
    deadlines: Deadlines
    on_text: OnText | None
    meter: Meter
    watch: Watch
    tools: Sequence[dict[str, Any]]
    wishes: Wishes

    @property
    def on_tool(self) -> OnTool | None:
        return self.wishes.on_tool


async def _watched(pieces: AsyncIterator[bytes], watch: Watch) -> AsyncIterator[bytes]:
    async for piece in pieces:
        watch.heard()
        yield piece


async def _hear(partial: PartialCompletion, pieces: AsyncIterator[bytes], asked: _Asked) -> None:
    """Read an answer to its end, whatever its label says: some servers label a stream as JSON, or JSON as text."""
    first = await _first_bytes(pieces)
    if first.lstrip(_BLANK)[:1] in (b"{", b"["):
        asked.watch.begin()  # it writes first and answers then
        partial.hear_whole(parsed(await whole_body(pieces, first)))  # no pieces: the answer itself is what comes
        return
    events = _events(pieces, first)
    async for event in events:
        _take(partial, event, asked)
        if partial.begun:
            asked.watch.begin()
        if partial.done:
            await _finish(events)
            return
        if partial.ended:
            break
    # Servers that keep the stream open after the answer are waited for a moment: [DONE] may be on its way.
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS_S):
            async for event in events:
                _take(partial, event, asked)
                if partial.done:
                    await _finish(events)
                    break


def _take(partial: PartialCompletion, event: Event, asked: _Asked) -> None:
    shown = partial.hear(event)
    if asked.on_text is not None and shown:
        asked.on_text(shown)
    if asked.on_tool is not None:
        for piece in partial.fresh_tool_pieces():
            asked.on_tool(piece)


async def _first_bytes(pieces: AsyncIterator[bytes]) -> bytes:
    """The beginning of a body, up to its first visible byte."""
    first = b""
    async for piece in pieces:
        first += piece
        if first.lstrip(_BLANK) or len(first) > MAX_BODY_BYTES:
            break
    return first


async def _events(pieces: AsyncIterator[bytes], first: bytes) -> AsyncIterator[Event]:
    """A stream's events; bounded as a whole."""
    decoder, total = EventDecoder(), len(first)
    for event in decoder.feed(first):
        yield event
    async for piece in pieces:
        total += len(piece)
        if total > MAX_BODY_BYTES:
            raise CallFailed("too_long", retry=False)
        for event in decoder.feed(piece):
            yield event
    for event in decoder.end():
        yield event


async def _finish(events: AsyncIterator[Event]) -> None:
    """Read what a server still sends after the last event, as a rule the stream's end and nothing else: a connection
    that was left before its answer's end cannot be used again."""
    with suppress(TimeoutError, httpx.HTTPError, CallFailed):
        async with asyncio.timeout(FINISH_WITHIN_S):
            async for _ in events:
                pass
