"""What a program may ask of a model beyond what answers to customers do: tools, parameters, and one attempt only."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from shared.llm.provider import Provider
from shared.llm.router import NoModelAnswered, Router
from shared.llm.wishes import ToolPiece, Wishes
from tests.unit.fixtures_router import MESSAGES, run

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def stream(*choices: dict[str, Any]) -> httpx.Response:
    events = [b"data: " + json.dumps({"choices": [one]}).encode() + b"\n\n" for one in choices]
    return httpx.Response(200, content=b"".join(events) + b"data: [DONE]\n\n")


def call(**function: Any) -> dict[str, Any]:
    return {"delta": {"tool_calls": [{"index": 0, **function}]}}


class Heard:
    """A listener, and what it heard."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.tools: list[ToolPiece] = []
        self.steps: list[tuple[str, str]] = []
        self.restarts = 0

    def piece(self, text: str) -> None:
        self.texts.append(text)

    def restart(self) -> None:
        self.restarts += 1

    def wishes(self, **more: Any) -> Wishes:
        return Wishes(on_tool=self.tools.append, on_step=lambda *step: self.steps.append(step), once=True, **more)


def routed(*answers: httpx.Response) -> tuple[Router, list[dict[str, Any]]]:
    """A router whose providers answer these in their order, and what they were asked."""
    asked: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return answers[int(request.url.host.removeprefix("p"))]

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    providers = [
        Provider(http, name=f"p{number}", base_url=f"http://p{number}/v1", api_key="k", model="m", max_tokens=9)
        for number in range(len(answers))
    ]
    return Router(providers), asked


CALLED = (
    call(id="call_a", type="function", function={"name": "weather", "arguments": ""}),
    call(function={"arguments": '{"city":'}),
    call(function={"arguments": '"Oslo"}'}),
    {"delta": {}, "finish_reason": "tool_calls"},
)


def test_tools_are_sent_and_calls_come_back_whole_and_piece_by_piece() -> None:
    heard = Heard()
    router, asked = routed(stream(*CALLED))
    found = run(router.complete(MESSAGES, 5, heard, tools=TOOLS, wishes=heard.wishes()))
    assert asked[0]["tools"] == TOOLS
    [made] = found.tool_calls
    assert (made.id, made.name, json.loads(made.arguments)) == ("call_a", "weather", {"city": "Oslo"})
    assert [(one.id, one.name, one.arguments) for one in heard.tools] == [
        ("call_a", "weather", ""), (None, None, '{"city":'), (None, None, '"Oslo"}'),
    ]  # fmt: skip
    assert heard.steps == [("p0", "m")]


def test_a_call_that_nobody_offered_is_no_answer() -> None:
    router, _ = routed(stream(*CALLED))
    with pytest.raises(NoModelAnswered) as caught:
        run(router.complete(MESSAGES, 5))
    assert caught.value.attempts[0].outcome == "tool_call"


def test_parameters_are_sent_as_they_are_and_none_is_left_out() -> None:
    router, asked = routed(stream({"delta": {"content": "Yes."}, "finish_reason": "stop"}))
    wishes = Wishes(parameters={"temperature": None, "seed": 7, "stop": ["."]}, max_tokens=77)
    run(router.complete(MESSAGES, 5, wishes=wishes))
    assert (asked[0]["seed"], asked[0]["stop"], asked[0]["max_tokens"]) == (7, ["."], 77)
    assert "temperature" not in asked[0]


def test_an_answer_that_may_be_cut_is_one_and_is_asked_for_once() -> None:
    router, asked = routed(stream({"delta": {"content": "Yes, bec"}, "finish_reason": "length"}))
    found = run(router.complete(MESSAGES, 5, wishes=Wishes(may_be_cut=True)))
    assert (found.text, found.cut, len(asked)) == ("Yes, bec", True, 1)


def test_nobody_else_is_asked_once_a_piece_was_told() -> None:
    """The provider has proved that it marks no reasoning, so its second answer is told as it comes, and breaks."""
    whole = stream({"delta": {"content": "Yes."}, "finish_reason": "stop"})
    router, asked = routed(whole, whole)
    run(router.complete(MESSAGES, 5))
    broken = httpx.Response(200, content=b'data: {"choices":[{"delta":{"content":"Yes, "}}]}\n\n')
    router_2, asked_2 = routed(broken, whole)
    router_2.steps[0].provider._showing = router.steps[0].provider._showing
    heard = Heard()
    with pytest.raises(NoModelAnswered) as caught:
        run(router_2.complete(MESSAGES, 5, heard, wishes=heard.wishes()))
    assert (heard.texts, len(asked), len(asked_2)) == (["Yes, "], 1, 1)
    assert [one.outcome for one in caught.value.attempts] == ["cut_short"]


def test_before_the_first_piece_the_next_one_is_asked() -> None:
    heard = Heard()
    router, asked = routed(httpx.Response(400, json={}), stream({"delta": {"content": "B"}, "finish_reason": "stop"}))
    attempts: list[Any] = []
    found = run(router.complete(MESSAGES, 5, heard, wishes=heard.wishes(), attempts=attempts))
    assert (found.text, len(asked), heard.texts) == ("B", 2, ["B"])
    assert [one.outcome for one in attempts] == ["llm_rejected", "ok"]
