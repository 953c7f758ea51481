"""The calls that a model asks for, in every form in which servers send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.llm import tool_calls
from shared.llm.api import CallFailed
from shared.llm.partial_completion import PartialCompletion, Showing
from shared.llm.sse import Event
from shared.model import ToolCall

MESSAGES = [{"role": "user", "content": "Where is order 7?"}]


def piece(*calls: dict[str, Any], finish: str | None = None, **delta: Any) -> Event:
    message = {**delta, **({"tool_calls": list(calls)} if calls else {})}
    return Event("message", json.dumps({"choices": [{"delta": message, "finish_reason": finish}]}))


def call(index: int | None, identifier: str | None, name: str | None, arguments: Any) -> dict[str, Any]:
    given = {"index": index, "id": identifier, "function": {"name": name, "arguments": arguments}}
    return {field: value for field, value in given.items() if value is not None}


def heard(*events: Event, tools: bool = True) -> PartialCompletion:
    partial = PartialCompletion(MESSAGES, "m", Showing.AS_IT_COMES, tools=tools)
    for event in events:
        partial.hear(event)
    return partial


ORDER = ToolCall("call_a", "order_status", '{"order": "7"}')
SHOP = ToolCall("call_b", "opening_hours", "{}")


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            [
                piece(call(0, "call_a", "order_status", "")),
                piece(call(0, None, None, '{"order":')),
                piece(call(1, "call_b", "opening_hours", "{}")),
                piece(call(0, None, None, ' "7"}')),
            ],
            id="pieces by index",
        ),
        pytest.param(
            [
                piece(call(None, "call_a", "order_status", '{"order":')),
                piece(call(None, None, None, ' "7"}')),
                piece(call(None, "call_b", "opening_hours", "{}")),
            ],
            id="no index: an id begins a call",
        ),
        pytest.param(
            [piece(call(None, "call_a", "order_status", '{"order": "7"}'), call(None, "call_b", "opening_hours", {}))],
            id="whole, an object instead of text",
        ),
        pytest.param(
            [
                piece(call(0, "call_a", "order_status", '{"order": "7"}')),
                piece(call(1, "call_b", "opening_hours", "{}")),
                piece(call(1, "call_b", "opening_hours", "")),
            ],
            id="id and name repeated with each piece",
        ),
    ],
)
@pytest.mark.parametrize("ending", ["tool_calls", "stop", "function_call"])
def test_calls_are_put_together(events: list[Event], ending: str) -> None:
    partial = heard(*events, piece(finish=ending))
    assert partial.finish() == ("", "")
    assert partial.tool_calls == (ORDER, SHOP)


def test_two_calls_without_index_and_id_are_two() -> None:
    partial = heard(
        piece(call(None, None, "order_status", '{"order": "7"}'), call(None, None, "order_status", '{"order": "8"}')),
        piece(finish="tool_calls"),
    )
    assert [each.arguments for each in partial.tool_calls] == ['{"order": "7"}', '{"order": "8"}']
    assert len({each.id for each in partial.tool_calls}) == 2


def test_the_older_field_is_understood() -> None:
    called = {"name": "order_status", "arguments": '{"order": "7"}'}
    partial = heard(piece(function_call=called), piece(finish="function_call"))
    assert [(each.name, each.arguments) for each in partial.tool_calls] == [("order_status", '{"order": "7"}')]


def test_words_before_the_calls_are_the_answers_text() -> None:
    partial = heard(
        piece(content="I look that up."), piece(call(0, "call_a", "order_status", "{}")), piece(finish="stop")
    )
    assert partial.finish()[0] == "I look that up."
    assert [each.name for each in partial.tool_calls] == ["order_status"]


def test_what_the_model_wrote_of_its_calls_is_counted() -> None:
    long = heard(piece(call(0, "a", "order_status", json.dumps({"order": "seven " * 200}))), piece(finish="tool_calls"))
    short = heard(piece(call(0, "a", "order_status", "{}")), piece(finish="tool_calls"))
    assert long.usage.tokens_out > short.usage.tokens_out + 200


def test_calls_that_nobody_offered_fail() -> None:
    partial = heard(piece(call(0, "a", "order_status", "{}")), piece(finish="tool_calls"), tools=False)
    assert partial.tool_calls == ()
    with pytest.raises(CallFailed, match="tool_call"):
        partial.finish()


def test_an_ending_by_calls_without_any_fails() -> None:
    with pytest.raises(CallFailed, match="tool_call"):
        heard(piece(content="Hm."), piece(finish="tool_calls")).finish()


@pytest.mark.parametrize(
    "calls",
    ["order_status", 7, [7], [{"function": {"name": "x", "arguments": 7}}], [{"id": 7, "function": {}}], [None]],
)
def test_what_no_server_means_is_malformed(calls: Any) -> None:
    body = {"choices": [{"delta": {"tool_calls": calls}, "finish_reason": None}]}
    with pytest.raises(CallFailed, match="malformed"):
        heard(Event("message", json.dumps(body)))


def test_arguments_without_end_are_cut_short() -> None:
    half = "x" * (tool_calls.ARGUMENTS_CHARS_MAX // 2 + 1)
    with pytest.raises(CallFailed, match="too_long"):
        heard(piece(call(0, "a", "order_status", half)), piece(call(0, None, None, half)))


def test_calls_without_end_are_refused() -> None:
    with pytest.raises(CallFailed, match="too_long"):
        heard(*[piece(call(number, str(number), "x", "")) for number in range(tool_calls.CALLS_MAX + 1)])


def test_nothing_that_cannot_be_stored_stays() -> None:
    partial = heard(piece(call(0, "a\0\ud800", "order\0", '{"order": "\ud800"}')), piece(finish="tool_calls"))
    [only] = partial.tool_calls
    assert "\0" not in only.id + only.name + only.arguments
    assert (only.id + only.name + only.arguments).encode()
