"""What is learnt from a refusal of our own parameters, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.llm.parameters import LEAST_BELIEVED, LEAST_USUAL, Parameters


def openai(message: str, param: str | None = None, code: str | None = None) -> bytes:
    return json.dumps(
        {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
    ).encode()


NEWER_NAME = openai(
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "max_tokens",
    "unsupported_parameter",
)
_EXTRA = {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}
FASTAPI = json.dumps({"detail": [_EXTRA]}).encode()
VLLM = json.dumps({"object": "error", "message": "Unexpected keyword argument 'temperature'"}).encode()
CONTEXT = openai("The maximum context length is 4096 tokens.", "messages", "context_length_exceeded")


def after(*refusals: tuple[int, bytes]) -> dict[str, Any]:
    parameters = Parameters()
    for status, body in refusals:
        instead = parameters.refused(status, body)
        assert instead is not None
        parameters = instead
    return parameters.body(50)


USUAL: dict[str, Any] = {
    "max_tokens": 50,
    "temperature": 0.2,
    "stream": True,
    "stream_options": {"include_usage": True},
}
RENAMED = {"max_completion_tokens": 50, **{name: value for name, value in USUAL.items() if name != "max_tokens"}}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in USUAL.items() if name not in names}


def test_the_usual_request() -> None:
    assert Parameters().body(50) == USUAL
    assert Parameters().learnt == ()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, NEWER_NAME, RENAMED),
        (400, openai("Use max_completion_tokens; max_tokens is deprecated."), RENAMED),
        (400, openai("max_completion_tokens must be given instead"), RENAMED),
        (
            400,
            openai("Unsupported value: 'temperature' does not support 0.2. Only the default (1) value is supported."),
            without("temperature"),
        ),
        (400, openai("bad value", "temperature"), without("temperature")),
        (422, FASTAPI, without("stream_options")),
        (422, b"Unknown field: stream_options", without("stream_options")),
        (400, VLLM, without("temperature")),
        (400, openai("'stream' is not supported for this model", "stream"), without("stream", "stream_options")),
    ],
)
def test_a_refused_parameter_is_renamed_or_left_out(status: int, body: bytes, expected: dict[str, Any]) -> None:
    assert after((status, body)) == expected


def test_several_are_learnt_one_after_the_other_and_told() -> None:
    refusals = [NEWER_NAME, openai("unsupported", "temperature")]
    assert after(*((400, body) for body in refusals)) == {
        name: value for name, value in RENAMED.items() if name != "temperature"
    }
    parameters = Parameters().refused(400, NEWER_NAME)
    assert parameters is not None
    assert parameters.learnt == ("max_completion_tokens instead of max_tokens",)
    instead = parameters.refused(422, FASTAPI)
    assert instead is not None
    assert instead.learnt == ("max_completion_tokens instead of max_tokens", "no stream_options")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, CONTEXT),
        (400, openai("max_tokens is too large: the context window has 4096 tokens")),
        (400, openai("Invalid value for 'messages[0].content'. It mentions temperature.", "messages[0].content")),
        (400, openai("The prompt was filtered: what temperature does the pool have?")),
        (400, b"<html>"),
        (400, b""),
        (400, b"[" * 100_000),
        (401, NEWER_NAME),
        (500, NEWER_NAME),
    ],
)
def test_other_refusals_teach_nothing(status: int, body: bytes) -> None:
    assert Parameters().refused(status, body) is None


TOO_MANY = openai("max_tokens is too large: 6000. This model supports at most 4096 completion tokens.", "max_tokens")


def test_a_limit_that_is_too_large_teaches_the_largest_one_and_never_none() -> None:
    parameters = Parameters().refused(400, TOO_MANY, max_tokens=6000)
    assert parameters is not None
    assert parameters.body(6000)["max_tokens"] == 4096
    assert parameters.body(1500)["max_tokens"] == 1500
    assert parameters.learnt == ("at most 4096 tokens",)
    assert Parameters().refused(400, openai("max_tokens is too large", "max_tokens"), max_tokens=6000) is None


def test_a_parameter_that_goes_by_neither_name_is_still_sent() -> None:
    parameters = Parameters().refused(400, NEWER_NAME)
    assert parameters is not None
    assert parameters.refused(400, openai("unknown", "max_completion_tokens")) is None


def test_a_refusal_that_quotes_the_customer_teaches_nothing() -> None:
    messages = [{"role": "user", "content": "what temperature is not supported?"}]
    quoted = openai("Unsupported content: what temperature is not supported?")
    assert Parameters().refused(400, quoted, messages=messages) is None
    assert Parameters().refused(400, openai("unsupported", "temperature"), messages=messages) is not None


def test_a_parameter_that_is_no_longer_sent_is_not_complained_of_again() -> None:
    parameters = Parameters().refused(400, openai("unsupported", "temperature"))
    assert parameters is not None
    assert parameters.refused(400, openai("unsupported", "temperature")) is None


GE = {"type": "greater_than_equal", "loc": ["body", "max_tokens"], "msg": "Input should be greater than or equal to 16",
      "input": 1, "ctx": {"ge": 16}}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "least"),
    [
        (openai("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.",
                "max_output_tokens", "integer_below_min_value"), 16),
        (openai("max_tokens must be at least 20", "max_tokens"), 20),
        (openai("max_completion_tokens must be between 16 and 4096, not 1"), 16),
        (openai("max_tokens is too small", "max_tokens"), LEAST_USUAL),
        (b"max_new_tokens: minimum is 32", 32),
        (json.dumps({"detail": [GE]}).encode(), 16),
        (openai("max_tokens must be greater than 15 and at most 4096", "max_tokens"), 15),
    ],
)  # fmt: skip
def test_a_limit_that_is_too_small_teaches_the_smallest_one(body: bytes, least: int) -> None:
    parameters = Parameters().refused(400, body, max_tokens=1)
    assert parameters is not None
    assert parameters.body(1) == {**USUAL, "max_tokens": least}
    assert parameters.body(1500)["max_tokens"] == 1500
    assert parameters.learnt == (f"at least {least} tokens",)


def test_a_smallest_limit_that_is_not_named_is_sought_up_to_what_is_believed() -> None:
    parameters: Parameters | None = Parameters()
    sent = list[int]()
    while parameters is not None and len(sent) < 20:
        sent.append(parameters.body(1)["max_tokens"])
        parameters = parameters.refused(400, openai("max_tokens is too low", "max_tokens"), max_tokens=1)
    assert sent == [1, 16, 32, 64, 128, 256, 512, LEAST_BELIEVED]
    assert Parameters().refused(400, openai("max_tokens: at least 9000000", "max_tokens"), max_tokens=1024) is None


def test_a_limit_is_kept_between_the_smallest_and_the_largest_that_were_named() -> None:
    words = openai("max_tokens must be between 16 and 4096", "max_tokens")
    parameters = Parameters().refused(400, words, max_tokens=1)
    assert parameters is not None
    instead = parameters.refused(400, words, max_tokens=6000)
    assert instead is not None
    assert [instead.body(tokens)["max_tokens"] for tokens in (1, 100, 6000)] == [16, 100, 4096]
    assert instead.learnt == ("at least 16 tokens", "at most 4096 tokens")


def test_words_about_a_minimum_are_believed_of_the_limit_only() -> None:
    assert Parameters().refused(400, openai("The temperature outside is below zero."), max_tokens=9) is None
