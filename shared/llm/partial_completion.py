"""What a model has said so far in one call: text, how it ended, and what it used.

Servers that copy OpenAI's API agree on little: an error may come as an object, as a named event or as a choice inside
an answer with status 200, text as a list of parts, and an end without a word. Only a known ending completes an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from shared.errors import ModelUnavailable, Permanent
from shared.llm import said_usage, tokens
from shared.llm.api import CallFailed, meaning, parsed
from shared.llm.parameters import CONTEXT_CODES
from shared.llm.reasoning import ReasoningFilter
from shared.llm.sse import Event
from shared.llm.tool_calls import ToolCalls
from shared.llm.wishes import MAX_ANSWER_CHARS, ToolPiece
from shared.model import ToolCall, Usage
from shared.text import storable

MAX_WRITTEN_CHARS = 400_000
"""With its reasoning."""
MODEL_CHARS = 200
DONE = "[DONE]"
_COMPLETE = ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed")
_TRUNCATED = ("length", "max_tokens", "max_output_tokens", "model_length")
_FILTERED = ("content_filter", "safety", "recitation", "blocklist", "prohibited_content")
_REFUSED = ("refusal",)
_TOOL = ("tool_calls", "function_call", "tool_use")
_REASONING_FIELDS = ("reasoning_content", "reasoning")
_STATUS = re.compile(r"[45][0-9][0-9]")
_TEXT_PARTS = ("text", "output_text")


class Showing(Enum):
    """When an answer's text may be shown."""

    UNPROVEN = "when it is whole, unless its reasoning is marked"
    """What comes first may be reasoning whose end has not come."""
    AS_IT_COMES = "as it comes"
    """The model has finished an answer, or marks its reasoning, or its server takes the reasoning out."""
    WHOLE = "when it is whole"
    """It closed reasoning that it had not opened, or opened it twice: only the end tells what was reasoning."""


class PartialCompletion:
    """Collects one call's events.

    streamed: whether it came as events. done: whether the last one came. showing: what is known of the model when the
    call begins, and then of the call; from WHOLE it never changes. tools: whether the model was offered any.
    may_be_cut: whether an answer that ends at its limit of tokens is one. chars_max: of an answer.
    """

    def __init__(
        self, messages: Sequence[dict[str, Any]], model: str, showing: Showing, *, tools: bool = False,
        may_be_cut: bool = False, chars_max: int = MAX_ANSWER_CHARS,
    ) -> None:  # fmt: skip
        self._tools, self._tool_calls = tools, ToolCalls()
        self._may_be_cut, self._chars_max = may_be_cut, chars_max
        self.done = False
        self.streamed = False
        self.reasoning = ReasoningFilter()
        self.showing = showing
        self._messages = messages
        self._model = model
        self._half = ""
        self._shown_chars = 0
        self._kept: list[str] = []
        self._finish: str | None = None
        self._refusal = False
        self._chars = 0
        self._written: list[str] = []
        self._said = Usage()

    @property
    def begun(self) -> bool:
        """Whether anything was written, reasoning included, or the answer ended without."""
        return self._chars > 0 or self.ended

    @property
    def ended(self) -> bool:
        """Whether the answer has its ending; only the call's tokens may still come."""
        return self._finish is not None

    @property
    def model(self) -> str:
        """The model that answers, by its own word."""
        return self._model

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """What the model asks for; empty where it was offered nothing."""
        return self._tool_calls.calls if self._tools else ()

    def fresh_tool_pieces(self) -> list[ToolPiece]:
        """What came of tool calls since the last question; nothing where none were offered."""
        return self._tool_calls.fresh() if self._tools else []

    @property
    def cut(self) -> bool:
        """Whether the answer ended at its limit of tokens."""
        return (self._finish or "").lower() in _TRUNCATED

    @property
    def usage(self) -> Usage:
        """Tokens so far. What the provider does not say, or says is nothing, is estimated: unknown is never zero."""
        said = self._said
        return replace(
            said,
            tokens_in=said.tokens_in or tokens.of_messages(self._messages),
            tokens_out=said.tokens_out or tokens.estimate("".join(self._written)),
            estimated=not said.tokens_in or (not said.tokens_out and bool(self._written)),
        )

    def hear(self, event: Event) -> str:
        """Take in an event; returns the text that may be shown because of it. Raises CallFailed, Permanent."""
        self.streamed = True
        data = event.data.strip()
        if data == DONE:
            self.done = True
            return ""
        if event.name == "error":
            raise _error_of(_object_or_none(event.data))
        if not data:
            return ""
        try:
            body = parsed(event.data)
        except CallFailed:
            if "\n" not in event.data:
                raise
            # Without blank lines between them events run together; each line is still one.
            bodies = [parsed(line) for line in event.data.split("\n") if line.strip() not in ("", DONE)]
            self.done = event.data.rstrip().endswith(DONE)
            return "".join([self.hear_body(each) for each in bodies])
        return self.hear_body(body)

    def hear_whole(self, body: dict[str, Any]) -> None:
        """Take in the answer of a server that does not stream."""
        self.hear_body(body)
        if not isinstance(body.get("choices"), list):
            raise CallFailed("malformed", retry=False)

    def hear_body(self, body: dict[str, Any]) -> str:
        """Take in an event's JSON."""
        choices = body.get("choices")
        if body.get("error") or body.get("object") == "error" or body.get("type") == "error":
            raise _error_of(body)
        if choices is None and "usage" not in body:
            if body.keys() & {"message", "detail", "code", "status"}:
                raise _error_of(body)
            return ""  # a ping
        try:
            self._hear_usage(body)
            shown = [self._hear_choice(choice) for choice in (choices or ())[:1]]
            return shown[0] if shown else ""
        except (AttributeError, TypeError, ValueError, OverflowError):
            raise CallFailed("malformed", retry=False) from None

    def finish(self) -> tuple[str, str]:
        """(the answer's text, what of it was not shown yet). Raises CallFailed, Permanent if it is none."""
        self._check_ending()
        rest = self._show(self.reasoning.end())
        text = self.reasoning.answer.strip()
        if not text and not self.tool_calls and not self.cut:
            raise CallFailed("empty", retry=False)
        if len(text) > self._chars_max:
            raise CallFailed("too_long", retry=False)
        return text, rest if self._shown_chars else text

    def _check_ending(self) -> None:
        ending = (self._finish or "").lower()
        if self._refusal or ending in _REFUSED:
            raise CallFailed("refused", retry=False)
        if ending in _FILTERED:
            raise Permanent("llm_rejected")
        if ending in _TRUNCATED and not self._may_be_cut:
            raise CallFailed("truncated", retry=True)
        if ending in _TOOL and not self.tool_calls:
            raise CallFailed("tool_call", retry=False)  # nobody offered one, or it does not say which
        if ending not in (*_COMPLETE, *_TOOL, *_TRUNCATED):
            raise CallFailed("cut_short", retry=True)

    def _hear_usage(self, body: dict[str, Any]) -> None:
        model = body.get("model")
        if model != self._model and isinstance(model, str) and model:
            self._model = storable(model)[:MODEL_CHARS]
        if body.get("usage"):  # as a rule in the last event
            self._said = said_usage.later(self._said, said_usage.of_chat(body["usage"]))

    def _hear_choice(self, choice: dict[str, Any]) -> str:
        if choice.get("error"):
            raise _error_of(choice)
        if choice.get("usage"):  # as Moonshot tells it
            self._hear_usage({"usage": choice["usage"]})
        message = choice.get("delta") or choice.get("message") or {}
        finish = choice.get("finish_reason")
        if finish is not None and not isinstance(finish, str):
            raise TypeError("finish_reason")
        self._finish = finish or self._finish
        self._refusal = self._refusal or bool(message.get("refusal"))
        self._hear_reasoning(message)
        self._write(self._tool_calls.hear(message))
        content = self._joined(_text_of(message.get("content")))
        self._write(content)
        return self._show(self.reasoning.feed(content))

    def _hear_reasoning(self, message: dict[str, Any]) -> None:
        for name in _REASONING_FIELDS:
            thought = message.get(name)
            if isinstance(thought, str) and thought:
                self._learn(Showing.AS_IT_COMES)  # this server takes the reasoning out
                self._write(thought)
                break

    def _joined(self, content: str) -> str:
        """The text with what can be stored: halves of a character that came in two pieces are one again."""
        if content.isascii() and not self._half and "\0" not in content:  # as most pieces
            return content
        content = self._half + content
        self._half = content[-1:] if "\ud800" <= content[-1:] <= "\udbff" else ""
        return storable(content[: len(content) - len(self._half)].replace("\0", ""))

    def _write(self, text: str) -> None:
        self._written.append(text)
        self._chars += len(text)
        if self._chars > MAX_WRITTEN_CHARS:
            raise CallFailed("too_long", retry=False)

    def _show(self, text: str) -> str:
        """What of an answer's text may leave now; the rest is kept until it may."""
        if self.reasoning.unopened and self._shown_chars:
            raise CallFailed("reasoning_shown", retry=True)
        if self.reasoning.unopened or self.reasoning.nested:
            self._learn(Showing.WHOLE)
        elif self.reasoning.seen:
            self._learn(Showing.AS_IT_COMES)
        if self.showing is not Showing.AS_IT_COMES:
            self._kept.append(text)
            return ""
        now = "".join(self._kept) + text
        self._kept.clear()
        self._shown_chars += len(now)
        if self._shown_chars > self._chars_max:
            raise CallFailed("too_long", retry=False)
        return now

    def _learn(self, showing: Showing) -> None:
        if self.showing is not Showing.WHOLE:
            self.showing = showing


def _text_of(content: Any) -> str:
    """A content's text: a string, or a list of parts of which only those of text are answer. Raises TypeError."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise TypeError("content")
    return "".join(part if isinstance(part, str) else _text_of_part(part) for part in content)


def _text_of_part(part: dict[str, Any]) -> str:
    text = part.get("text", "") if part.get("type", "text") in _TEXT_PARTS else ""
    if not isinstance(text, str):
        raise TypeError("content")
    return text


def _object_or_none(text: str) -> dict[str, Any] | None:
    try:
        return parsed(text)
    except CallFailed:
        return None


def _error_of(body: dict[str, Any] | None) -> ModelUnavailable | Permanent:
    """What an error inside an answer means; without a status that can be read, a fault of the server."""
    error = (body or {}).get("error", body)
    found = error if isinstance(error, dict) else {}
    code = found.get("code") or found.get("type")
    for status in (found.get("status"), found.get("status_code"), found.get("code")):
        number = (
            int(status) if isinstance(status, int | str) and str(status).isdecimal() and len(str(status)) == 3 else 0
        )
        if 400 <= number <= 599:
            return meaning(number, code if isinstance(code, str) else None)
    if code in CONTEXT_CODES:
        return Permanent("context_too_long")
    if code == "insufficient_quota":
        return meaning(429, code)
    if code in ("rate_limit_exceeded", "rate_limit_error", "rate_limited"):
        return CallFailed("rate_limited", retry=True)
    return CallFailed("http_5xx", retry=True)
