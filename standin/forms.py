"""The forms in which servers that copy OpenAI's API answer, odd and broken ones included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

Body = dict[str, Any]
_PIECE = re.compile(r"\S+\s*|\s+")
_THOUGHT = "The customer asks this. Passage [1] may say so, let me look again."

REFUSED_PARAMETERS = {
    "no_max_tokens": ("max_tokens", 400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                      "'max_completion_tokens' instead."),
    "no_temperature": ("temperature", 400, "Unsupported value: 'temperature' does not support 0.2 with this model. "
                       "Only the default (1) value is supported."),
    "no_stream_options": ("stream_options", 422, "Extra inputs are not permitted"),
}  # fmt: skip
"""Refused only while the request has the parameter: (its name, the status, the words)."""
FEWEST_TOKENS = 16
"""In the form `few_tokens` a request that limits its answer to fewer is refused."""
ANSWERS = (
    "length", "length_reasoning", "error_object", "error_event", "finish_error", "finish_abort", "no_finish", "think",
    "think_unopened", "no_usage", "zero_usage", "sse_as_json", "json_as_text", "json_as_stream", "multi_line", "cr",
    "parts", "refusal", "tool_calls",
)  # fmt: skip
_LABELS = {"json_as_text": "text/plain", "json_as_stream": "text/event-stream"}
FORMS = (*REFUSED_PARAMETERS, "few_tokens", *ANSWERS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. head: the fields of every event. extra: of the message, or of the last event's delta."""

    head: Body
    text: str
    finish: str | None
    usage: Body | None
    extra: Body = field(default_factory=dict)


def body_of(
    answer: Answer, form: str | None, *, stream: bool, with_usage: bool
) -> tuple[bytes, tuple[bytes, ...], str]:
    """(a whole body or empty, a stream's pieces or none, the content type) of an answer in a form of ANSWERS."""
    answer = _said(answer, form)
    if form in ("json_as_text", "json_as_stream"):
        stream = False
    if not stream:
        return _whole(answer), (), _LABELS.get(form or "", "application/json")
    usage_wanted = with_usage and form != "no_usage"
    pieces = tuple(_line_ends(_events(answer, form, with_usage=usage_wanted), form))
    return b"", pieces, "application/json" if form == "sse_as_json" else "text/event-stream; charset=utf-8"


def _said(answer: Answer, form: str | None) -> Answer:
    """The answer with what this form changes of its words, its end and its usage."""
    call = {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    changes: dict[str, dict[str, Any]] = {
        "length": {"text": answer.text[: max(1, len(answer.text) // 2)], "finish": "length"},
        "length_reasoning": {"text": f"<think>{_THOUGHT}", "finish": "length"},
        "finish_error": {"finish": "error"},
        "finish_abort": {"finish": "abort"},
        "no_finish": {"finish": None},
        "think": {"text": f"<think>\n{_THOUGHT}\n</think>\n\n{answer.text}"},
        "think_unopened": {"text": f"{_THOUGHT}\n</think>\n\n{answer.text}"},
        "no_usage": {"usage": None},
        "zero_usage": {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
        "refusal": {"text": "", "extra": {"refusal": "I cannot help with that."}},
        "tool_calls": {"finish": "tool_calls", "extra": {"tool_calls": [call]}},
    }
    return replace(answer, **changes.get(form or "", {}))


def _whole(answer: Answer) -> bytes:
    message = {"role": "assistant", "content": answer.text, "refusal": None, **answer.extra}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    body = {**answer.head, "object": "chat.completion", "choices": [choice]}
    return orjson.dumps(body if answer.usage is None else {**body, "usage": answer.usage})


def _events(answer: Answer, form: str | None, *, with_usage: bool) -> Iterator[bytes]:
    """The stream's pieces: the role, one piece of text each, and at last together the finish, the usage if it was
    asked for, and the end."""
    frame = {**answer.head, "object": "chat.completion.chunk"}
    extra: Body = {"usage": None} if with_usage else {}

    def event(delta: Body, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + orjson.dumps({**frame, "choices": [choice], **extra}) + b"\n\n"

    yield event({"role": "assistant", "content": ""})
    words = _PIECE.findall(answer.text)
    if form in ("error_object", "error_event"):
        words = words[:2]
    for word in words:
        yield event({"content": [{"type": "text", "text": word}] if form == "parts" else word})
    if form == "error_object":
        yield b'data: {"object":"error","message":"The engine broke down","code":500}\n\ndata: [DONE]\n\n'
        return
    if form == "error_event":
        yield b"event: error\ndata: The engine broke down\n\n"
        return
    last = event(answer.extra, answer.finish)
    if with_usage and answer.usage is not None:
        last += b"data: " + orjson.dumps({**frame, "choices": [], "usage": answer.usage}) + b"\n\n"
    yield last + b"data: [DONE]\n\n"


def _line_ends(pieces: Iterable[bytes], form: str | None) -> Iterator[bytes]:
    for piece in pieces:
        if form == "cr":
            yield piece.replace(b"\n", b"\r")
        elif form == "multi_line":
            yield piece.replace(b',"choices"', b',\ndata: "choices"')
        else:
            yield piece
