"""Functions that a model may call: described by their signatures, checked, and run within bounds.

    def order_status(asking: Asking, order: Annotated[str, "The order's number, as the customer wrote it"]) -> str:
        \"\"\"Look up where an order is.\"\"\"

    tool = tool_of(order_status, timeout_s=5.0, permission="orders")

The first parameter is handed in by whoever runs the tool and is not the model's; the others are the model's, and become
the JSON Schema that it is shown. What goes wrong is told to the model as text, because it can act on that: another
argument, another tool, or an answer without it.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import orjson
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from shared.errors import Transient
from shared.llm.tokens import estimate
from shared.model import ToolCall

log = structlog.get_logger(__name__)

TIMEOUT_S = 5.0
RESULT_TOKENS_MAX = 1_500
"""Of one result; the rest is cut off, and the model is told so."""
AT_ONCE = 5
CALLS_MAX = 12
"""Calls of one answer that are run; the others are told to wait for the next step."""
PROBLEMS_MAX = 5
CHARS_A_TOKEN_MAX = 20
"""A text with more characters a token is mostly space: it is cut without counting."""
CUT = "\n[cut off: the result is longer. Ask for less.]"

Outcome = Literal["ok", "failed", "timeout", "unknown_tool", "bad_arguments", "forbidden", "too_many"]


class ToolError(Exception):
    """A tool's own refusal. Its message is shown to the model: what is wrong, and what to ask instead."""


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Tool:
    """parameters: the JSON Schema of its arguments. permission: what the asker must hold; None: nothing."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[..., Any]
    arguments: type[BaseModel]
    timeout_s: float = TIMEOUT_S
    permission: str | None = None

    def described(self) -> dict[str, Any]:
        """Return the tool as OpenAI's API describes one."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


def tool_of(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    timeout_s: float = TIMEOUT_S,
    permission: str | None = None,
) -> Tool:
    """Make a tool of a function whose parameters are annotated. `Annotated[type, "text"]` describes a parameter.

    Raises TypeError for a function that lacks a docstring, an annotation or its first parameter.
    """
    described = inspect.getdoc(function)
    if not described:
        raise TypeError(f"{function.__name__} has no docstring, by which a model would know what it does")
    hints = get_type_hints(function, include_extras=True)
    _, *parameters = inspect.signature(function).parameters.values()
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name not in hints:
            raise TypeError(f"{function.__name__}: {parameter.name} has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (_with_description(hints[parameter.name]), default)
    arguments = create_model(f"{function.__name__}_arguments", __base__=_Arguments, **fields)
    schema = arguments.model_json_schema()
    schema.pop("title", None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)
    return Tool(
        name or function.__name__, described.split("\n\n")[0].replace("\n", " "), schema, function, arguments,
        timeout_s, permission,
    )  # fmt: skip


def _with_description(hint: Any) -> Any:
    """`Annotated[type, "text"]` in pydantic's words."""
    if get_origin(hint) is not Annotated:
        return hint
    kind, *notes = get_args(hint)
    return Annotated[(kind, *(Field(description=note) if isinstance(note, str) else note for note in notes))]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of one call. text: what the model is told. tokens: of the text, estimated. cut: it was longer."""

    call: ToolCall
    outcome: Outcome
    text: str
    duration_ms: int = 0
    tokens: int = 0
    cut: bool = False

    def message(self) -> dict[str, Any]:
        """Return the line of the conversation that answers the call."""
        return {"role": "tool", "tool_call_id": self.call.id, "content": self.text}


@dataclass(frozen=True)
class Toolbox:
    """The tools of one answer. context: each tool's first argument. permissions: what the asker holds; a tool that asks
    for another is neither shown nor run. threads: for tools that wait; coroutine functions run on the loop."""

    tools: Sequence[Tool]
    context: Any
    threads: Executor
    permissions: frozenset[str] = frozenset()
    result_tokens_max: int = RESULT_TOKENS_MAX
    at_once: int = AT_ONCE
    _by_name: dict[str, Tool] = field(init=False)

    def __post_init__(self) -> None:
        names = [tool.name for tool in self.tools]
        if len(set(names)) != len(names):
            raise ValueError(f"two tools have one name: {', '.join(sorted(names))}")
        object.__setattr__(self, "_by_name", {tool.name: tool for tool in self.tools})

    @property
    def allowed(self) -> tuple[Tool, ...]:
        return tuple(tool for tool in self.tools if self._may(tool))

    def described(self) -> list[dict[str, Any]]:
        return [tool.described() for tool in self.allowed]

    async def run(self, calls: Sequence[ToolCall], deadline_s: float) -> list[ToolResult]:
        """Run an answer's calls, several at once, within deadline_s. One result a call, in their order; nothing is
        raised for a call that goes wrong."""
        places = asyncio.Semaphore(self.at_once)
        ends_at_s = time.monotonic() + deadline_s
        return await asyncio.gather(
            *(self._run_in_place(call, number, places, ends_at_s) for number, call in enumerate(calls))
        )

    async def _run_in_place(
        self, call: ToolCall, number: int, places: asyncio.Semaphore, ends_at_s: float
    ) -> ToolResult:
        if number >= CALLS_MAX:
            text = f"Not called: at most {CALLS_MAX} calls at a time. Ask again if you still need it."
            return ToolResult(call, "too_many", text)
        async with places:
            began_s = time.monotonic()
            outcome, text = await self._outcome(call, ends_at_s - began_s)
        text, cut = _fitting(text, self.result_tokens_max)
        duration_ms = round((time.monotonic() - began_s) * 1000)
        return ToolResult(call, outcome, text, duration_ms, estimate(text), cut)

    async def _outcome(self, call: ToolCall, left_s: float) -> tuple[Outcome, str]:
        tool = self._by_name.get(call.name)
        if tool is None or not self._may(tool):
            names = ", ".join(each.name for each in self.allowed) or "none"
            # A tool that the asker may not use is not told apart from one that does not exist.
            return (
                "unknown_tool" if tool is None else "forbidden",
                f"There is no tool of this name. There are: {names}.",
            )
        try:
            arguments = tool.arguments.model_validate(orjson.loads(call.arguments or "{}") or {})
        except orjson.JSONDecodeError:
            return "bad_arguments", "The arguments are not valid JSON."
        except ValidationError as error:
            return "bad_arguments", _problems(error)
        return await self._called(tool, arguments, min(tool.timeout_s, left_s))

    async def _called(self, tool: Tool, arguments: BaseModel, within_s: float) -> tuple[Outcome, str]:
        values = {name: getattr(arguments, name) for name in type(arguments).model_fields}
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                if inspect.iscoroutinefunction(tool.run):
                    return "ok", _as_text(await tool.run(self.context, **values))
                # A thread cannot be ended: what it finds after the timeout is dropped.
                loop = asyncio.get_running_loop()
                work = partial(_text_of, tool.run, self.context, values)
                return "ok", await loop.run_in_executor(self.threads, work)
        except ToolError as error:
            return "failed", f"The tool refused: {error}"
        except TimeoutError:
            return "timeout", f"The tool did not answer within {within_s:.0f} s."
        except Transient:
            return "failed", "The tool is not available at the moment."
        except Exception as error:
            # Its words are not shown to the model: they may hold what no customer should read.
            log.warning("tool_failed", tool=tool.name, exc_info=error)
            return "failed", "The tool failed."

    def _may(self, tool: Tool) -> bool:
        return tool.permission is None or tool.permission in self.permissions


def _problems(error: ValidationError) -> str:
    """What is wrong with arguments, without repeating their values."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in found[:PROBLEMS_MAX]]
    return "The arguments are not right: " + "; ".join(lines)


def _text_of(run: Callable[..., Any], context: Any, values: dict[str, Any]) -> str:
    """Call a tool and write its result as text, both on a thread: a large result must not hold the loop up."""
    return _as_text(run(context, **values))


def _as_text(found: Any) -> str:
    """A result as the model reads it: text as it is, everything else as JSON."""
    if found is None:
        return "Nothing was found."
    if isinstance(found, str):
        return found or "Nothing was found."
    return orjson.dumps(found, default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_NAIVE_UTC).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def _fitting(text: str, tokens_max: int) -> tuple[str, bool]:
    """A text cut to so many tokens, estimated, and whether it was cut."""
    whole, text = text, text[: tokens_max * CHARS_A_TOKEN_MAX]
    if len(text) == len(whole) and estimate(text) <= tokens_max:
        return text, False
    low, high = 0, len(text)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if estimate(text[:middle]) <= tokens_max:
            low = middle
        else:
            high = middle - 1
    return text[:low] + CUT, True
