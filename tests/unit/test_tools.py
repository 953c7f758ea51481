"""Tools: what a model is shown of a function, and what it is told when a call goes wrong."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Annotated, Any, Literal

import pytest

from shared.errors import Transient
from shared.llm import tools
from shared.llm.tools import Tool, Toolbox, ToolError, ToolResult, tool_of
from shared.model import ToolCall


def order_status(
    company: str, order: Annotated[str, "The order's number"], detail: Literal["short", "long"] = "short"
) -> dict[str, Any]:
    """Look up where an order is.

    This second paragraph is for people.
    """
    if order == "0":
        raise ToolError("an order's number has seven digits")
    return {"company": company, "order": order, "detail": detail}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def ran(box: Toolbox, *calls: tuple[str, Any], deadline_s: float = 5.0) -> list[ToolResult]:
    asked = [
        ToolCall(f"call_{number}", name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        for number, (name, arguments) in enumerate(calls)
    ]
    return asyncio.run(box.run(asked, deadline_s))


def box_of(threads: ThreadPoolExecutor, *made: Tool, **more: Any) -> Toolbox:
    return Toolbox(made, "northwind", threads, **more)


def test_a_tool_is_described_by_its_signature() -> None:
    assert tool_of(order_status).described() == {
        "type": "function",
        "function": {
            "name": "order_status",
            "description": "Look up where an order is.",
            "parameters": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "order": {"type": "string", "description": "The order's number"},
                    "detail": {"type": "string", "enum": ["short", "long"], "default": "short"},
                },
                "required": ["order"],
            },
        },
    }


def test_a_function_that_a_model_could_not_understand_is_no_tool() -> None:
    def without_docstring(company: str) -> str:
        return company

    def without_type(company, order):  # type: ignore[no-untyped-def]
        """Look up an order."""

    for function in (without_docstring, without_type):
        with pytest.raises(TypeError, match=function.__name__):
            tool_of(function)


def test_two_tools_of_one_name_are_refused(threads: ThreadPoolExecutor) -> None:
    with pytest.raises(ValueError, match="two tools"):
        box_of(threads, tool_of(order_status), tool_of(order_status))


def test_a_call_gets_its_context_and_checked_arguments(threads: ThreadPoolExecutor) -> None:
    [result] = ran(box_of(threads, tool_of(order_status)), ("order_status", {"order": "1234567"}))
    assert result.outcome == "ok"
    assert json.loads(result.text) == {"company": "northwind", "order": "1234567", "detail": "short"}
    assert result.message() == {"role": "tool", "tool_call_id": "call_0", "content": result.text}
    assert result.tokens > 0


@pytest.mark.parametrize(
    ("name", "arguments", "outcome", "said"),
    [
        ("order_status", "{", "bad_arguments", "not valid JSON"),
        ("order_status", "[" * 5000, "bad_arguments", "not valid JSON"),
        ("order_status", "[1]", "bad_arguments", "not right"),
        ("order_status", "null", "bad_arguments", "order: Field required"),
        ("order_status", {}, "bad_arguments", "order: Field required"),
        ("order_status", {"order": "1", "company": "another"}, "bad_arguments", "company: Extra inputs"),
        ("order_status", {"order": "1", "detail": "secret"}, "bad_arguments", "'short' or 'long'"),
        ("order_status", {"order": "0"}, "failed", "seven digits"),
        ("delete_everything", {}, "unknown_tool", "There are: order_status"),
    ],
)
def test_what_is_wrong_is_told_to_the_model(
    threads: ThreadPoolExecutor, name: str, arguments: Any, outcome: str, said: str
) -> None:
    [result] = ran(box_of(threads, tool_of(order_status)), (name, arguments))
    assert result.outcome == outcome
    assert said in result.text
    assert "secret" not in result.text


def test_a_tool_beyond_permission_is_neither_shown_nor_run(threads: ThreadPoolExecutor) -> None:
    ran_for: list[str] = []

    def refund(company: str) -> str:
        """Pay an order back."""
        ran_for.append(company)
        return "paid"

    guarded = tool_of(refund, permission="refunds")
    without = box_of(threads, tool_of(order_status), guarded)
    assert [each["function"]["name"] for each in without.described()] == ["order_status"]
    [result] = ran(without, ("refund", {}))
    assert result.outcome == "forbidden"
    assert "refund" not in result.text
    assert ran_for == []
    [result] = ran(box_of(threads, guarded, permissions=frozenset({"refunds"})), ("refund", {}))
    assert (result.outcome, ran_for) == ("ok", ["northwind"])


def test_several_run_at_once_and_a_failing_one_takes_none_down(threads: ThreadPoolExecutor) -> None:
    both_are_there = threading.Barrier(2)

    def meet(company: str) -> str:
        """Wait for the other one."""
        both_are_there.wait(10)
        return "met"

    def burn(company: str) -> str:
        """Fail with words that nobody may read."""
        raise RuntimeError("password=hunter2")

    def away(company: str) -> str:
        """Be away."""
        raise Transient("10.0.0.7 refused the connection")

    box = box_of(threads, *(tool_of(each) for each in (meet, burn, away)))
    results = ran(box, ("meet", {}), ("burn", {}), ("away", {}), ("meet", {}), deadline_s=20)
    assert [result.outcome for result in results] == ["ok", "failed", "failed", "ok"]
    assert [result.call.id for result in results] == ["call_0", "call_1", "call_2", "call_3"]
    assert not any("hunter2" in result.text or "10.0.0.7" in result.text for result in results)


def test_a_slow_tool_is_given_up_at_its_timeout(threads: ThreadPoolExecutor) -> None:
    go_on = threading.Event()

    def hang(company: str) -> str:
        """Hang."""
        go_on.wait(30)
        return "late"

    async def hang_on_the_loop(company: str) -> str:
        """Hang on the loop."""
        await asyncio.Event().wait()
        return "never"

    box = box_of(threads, tool_of(hang, timeout_s=0.05), tool_of(hang_on_the_loop, timeout_s=60.0))
    try:
        results = ran(box, ("hang", {}), ("hang_on_the_loop", {}), deadline_s=0.3)
    finally:
        go_on.set()
    assert [result.outcome for result in results] == ["timeout", "timeout"]


def test_at_most_so_many_run_at_once(threads: ThreadPoolExecutor) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def work(company: str) -> str:
        """Work."""
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        return "done"

    results = ran(box_of(threads, tool_of(work), at_once=2), *[("work", {})] * 10)
    assert [result.outcome for result in results] == ["ok"] * 10
    assert most[0] <= 2


def test_calls_without_end_are_put_off(threads: ThreadPoolExecutor) -> None:
    many = [("order_status", {"order": "1"})] * (tools.CALLS_MAX + 3)
    results = ran(box_of(threads, tool_of(order_status)), *many)
    assert [result.outcome for result in results[-4:]] == ["ok", "too_many", "too_many", "too_many"]


@pytest.mark.parametrize("found", ["word " * 100_000, " " * 1_000_000, "字" * 50_000])
def test_a_long_result_is_cut_to_its_budget(threads: ThreadPoolExecutor, found: str) -> None:
    def read(company: str) -> str:
        """Read all."""
        return found

    [result] = ran(box_of(threads, tool_of(read), result_tokens_max=500), ("read", {}))
    assert result.cut
    assert result.text.endswith(tools.CUT)
    assert 0 < result.tokens < 540


def test_results_of_every_kind_become_text(threads: ThreadPoolExecutor) -> None:
    def days(company: str, kind: str) -> Any:
        """Give days."""
        return {"date": date(2026, 3, 1), "nothing": None, "empty": "", "tuple": (1, 2), "number": {1: "one"}}[kind]

    box = box_of(threads, tool_of(days))
    texts = [ran(box, ("days", {"kind": kind}))[0].text for kind in ("date", "nothing", "empty", "tuple", "number")]
    assert texts == ['"2026-03-01"', "Nothing was found.", "Nothing was found.", "[1,2]", '{"1":"one"}']
