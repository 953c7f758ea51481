"""An answer as a stream of OpenAI's pieces, while it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.openai.mistakes import Mistake
from shared.llm.wishes import ToolPiece
from shared.model import Completion

WAITING_MAX_BYTES = 256 * 1024
"""Of pieces that the client has not taken."""


@dataclass(frozen=True, slots=True)
class Head:
    """What all of an answer has in common. created: seconds since 1970."""

    id: str
    created: int
    model: str


class Pieces:
    """Hears an answer on the event loop; what is to be sent waits here. on_overrun: called once too much of it does."""

    on_overrun: Callable[[], None] | None = None

    def __init__(self, head: Head, *, with_usage: bool) -> None:
        self._head, self._with_usage = head, with_usage
        self._model = head.model
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._begun = False
        self.changed = asyncio.Event()

    def taken(self) -> bytes:
        """What waits, which then waits no more."""
        self.changed.clear()
        found = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return found

    def asked(self, provider: str, model: str) -> None:
        """The model that is asked next: nothing of another one was told."""
        self._model = model

    def restart(self) -> None:
        """Do nothing: nothing was told, or nobody else would be asked."""

    def piece(self, text: str) -> None:
        self._add({"content": text})

    def tool(self, piece: ToolPiece) -> None:
        function: dict[str, Any] = {"arguments": piece.arguments}
        call: dict[str, Any] = {"index": piece.place, "function": function}
        if piece.name is not None:
            call |= {"id": piece.id, "type": "function", "function": {"name": piece.name, **function}}
        self._add({"tool_calls": [call]})

    def end(self, answer: Completion) -> None:
        self._add({}, finish_of(answer))
        if self._with_usage:
            self._put(_event({**self._frame(), "choices": [], "usage": usage_of(answer)}))
        self._put(b"data: [DONE]\n\n")

    def fail(self, mistake: Mistake) -> None:
        """The end of an answer that broke: never a silent one."""
        self._put(_event({"error": mistake.error}))

    def _add(self, delta: dict[str, Any], finish: str | None = None) -> None:
        if not self._begun:
            self._begun = True
            self._put(self._choice({"role": "assistant", "content": None if "tool_calls" in delta else ""}, None))
        self._put(self._choice(delta, finish))

    def _choice(self, delta: dict[str, Any], finish: str | None) -> bytes:
        body = self._frame()
        body["choices"] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        if self._with_usage:
            body["usage"] = None
        return _event(body)

    def _frame(self) -> dict[str, Any]:
        head = self._head
        return {"id": head.id, "object": "chat.completion.chunk", "created": head.created, "model": self._model}

    def _put(self, event: bytes) -> None:
        self._waiting.append(event)
        self._waiting_bytes += len(event)
        if self._waiting_bytes > WAITING_MAX_BYTES and self.on_overrun is not None:
            self.on_overrun()
        self.changed.set()


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def whole(head: Head, answer: Completion) -> bytes:
    """The same answer in one piece."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for one in answer.tool_calls
        ]
    elif not answer.text:
        message["content"] = ""
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_of(answer)}
    return orjson.dumps({
        "id": head.id, "object": "chat.completion", "created": head.created, "model": answer.model,
        "choices": [choice], "usage": usage_of(answer),
    })  # fmt: skip


def finish_of(answer: Completion) -> str:
    return "length" if answer.cut else "tool_calls" if answer.tool_calls else "stop"


def usage_of(answer: Completion) -> dict[str, Any]:
    """The tokens of the call that gave the answer; the ledger has those of the others as well."""
    last = answer.attempts[-1] if answer.attempts else None
    return {
        "prompt_tokens": answer.tokens_in,
        "completion_tokens": answer.tokens_out,
        "total_tokens": answer.tokens_in + answer.tokens_out,
        "prompt_tokens_details": {"cached_tokens": last.cached_in if last else 0},
        "completion_tokens_details": {"reasoning_tokens": last.reasoning_out if last else 0},
    }
