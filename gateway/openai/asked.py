"""What a request for a chat completion asks for. Every parameter is passed on or refused by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.openai.bodies import Fields
from gateway.openai.mistakes import wrong

MODEL_CHARS = 300
MESSAGES_MAX = 500
PARTS_MAX = 100
TOOLS_MAX = 128
TOOL_CALLS_MAX = 128
TEXT_CHARS = 1_000_000
TOKENS_MAX = 32_768
NAME_CHARS = 100
STOPS_MAX = 4
ROLES = ("system", "developer", "user", "assistant", "tool")
NOT_TAKEN = (
    "logprobs", "top_logprobs", "logit_bias", "audio", "modalities", "prediction", "functions", "function_call",
    "store", "metadata", "service_tier", "web_search_options", "reasoning_effort", "verbosity",
)  # fmt: skip
"""Parameters of OpenAI's API that no route can promise."""
_PARAMETERS = (
    "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "temperature",
    "top_p", "frequency_penalty", "presence_penalty", "max_tokens", "max_completion_tokens", "stop", "seed",
    "response_format", "n", "user",
)  # fmt: skip
_PASSED = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "user", "parallel_tool_calls")
_MESSAGE = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "annotations", "audio", "function_call")


@dataclass(frozen=True, slots=True)
class Asked:
    """parameters: as they are sent to a provider. max_tokens: of the answer, None: as the route has it. with_usage: the
    last piece of a stream tells the tokens."""

    model: str
    messages: Sequence[dict[str, Any]]
    tools: Sequence[dict[str, Any]]
    parameters: Mapping[str, Any]
    max_tokens: int | None
    stream: bool
    with_usage: bool


def read(body: dict[str, Any]) -> Asked:
    """Raises Mistake, with the parameter's name."""
    for name in NOT_TAKEN:
        if body.get(name):  # clients send some of them as false or empty
            raise wrong(name, f"Unsupported parameter: '{name}' is not taken here.", "unsupported_parameter")
    fields = Fields(body, (*_PARAMETERS, *NOT_TAKEN))
    model, messages = fields.text("model", MODEL_CHARS), fields.rows("messages", MESSAGES_MAX)
    if model is None:
        raise fields.needed("model")
    if messages is None:
        raise fields.needed("messages")
    if fields.whole("n", 1, 128) not in (None, 1):
        raise wrong("n", "Unsupported value: 'n' may be 1 alone; ask again for another answer.", "unsupported_value")
    stream = fields.flag("stream") or False
    return Asked(
        model, [_message(one, f"messages[{number}].") for number, one in enumerate(messages)], _tools(fields),
        _parameters(fields), _max_tokens(fields), stream, _with_usage(fields, stream),
    )  # fmt: skip


def _max_tokens(fields: Fields) -> int | None:
    old, new = (fields.whole(name, 1, TOKENS_MAX) for name in ("max_tokens", "max_completion_tokens"))
    if old is not None and new is not None and old != new:
        raise wrong("max_tokens", "'max_tokens' and 'max_completion_tokens' differ: give one of them.")
    return old or new


def _with_usage(fields: Fields, stream: bool) -> bool:
    if "stream_options" not in fields:
        return False
    options = Fields(fields.raw("stream_options"), ("include_usage", "include_obfuscation"), "stream_options.")
    if not stream:
        raise wrong("stream_options", "'stream_options' is for streams alone: 'stream' is not true.")
    if options.flag("include_obfuscation"):
        raise wrong("stream_options.include_obfuscation", "Unsupported parameter: 'include_obfuscation'.")
    return options.flag("include_usage") or False


def _parameters(fields: Fields) -> dict[str, Any]:
    """What is not given is None, so that the provider's own default holds."""
    fields.number("temperature", 0, 2)
    fields.number("top_p", 0, 1)
    fields.number("frequency_penalty", -2, 2)
    fields.number("presence_penalty", -2, 2)
    fields.whole("seed", -(2**63), 2**63 - 1)
    fields.text("user", 512)
    fields.flag("parallel_tool_calls")
    if "parallel_tool_calls" in fields and "tools" not in fields:
        raise wrong("parallel_tool_calls", "'parallel_tool_calls' is for requests with 'tools'.")
    found = {name: fields.raw(name) for name in _PASSED}
    found["stop"] = _stop(fields)
    found["response_format"] = _response_format(fields)
    found["tool_choice"] = _tool_choice(fields)
    return found


def _stop(fields: Fields) -> str | list[str] | None:
    value: Any = fields.raw("stop")
    if value is None or (isinstance(value, str) and value):
        return value
    given = fields.rows("stop", STOPS_MAX) or []
    if not all(isinstance(one, str) and one for one in given):
        raise fields.wrong("stop", "expected a text, or a list of up to 4 of them")
    return given


def _response_format(fields: Fields) -> dict[str, Any] | None:
    value: Any = fields.raw("response_format")
    if value is None:
        return None
    given = Fields(value, ("type", "json_schema"), "response_format.")
    if given.choice("type", ("text", "json_object", "json_schema")) is None:
        raise given.needed("type")
    if given.raw("type") == "json_schema" and not isinstance(given.raw("json_schema"), dict):
        raise given.needed("json_schema")
    return dict(value)


def _tools(fields: Fields) -> list[dict[str, Any]]:
    tools = fields.rows("tools", TOOLS_MAX) or []
    for number, one in enumerate(tools):
        place = f"tools[{number}]."
        tool = Fields(one, ("type", "function"), place)
        if tool.choice("type", ("function",)) is None:
            raise tool.needed("type")
        described = {"name", "description", "parameters", "strict"}
        function = Fields(tool.raw("function"), described, f"{place}function.")
        if function.text("name", NAME_CHARS) is None:
            raise function.needed("name")
        if "parameters" in function and not isinstance(function.raw("parameters"), dict):
            raise function.wrong("parameters", "expected a JSON Schema")
    return tools


def _tool_choice(fields: Fields) -> Any:
    value = fields.raw("tool_choice")
    if value is None:
        return None
    if "tools" not in fields:
        raise wrong("tool_choice", "'tool_choice' is for requests with 'tools'.")
    if isinstance(value, str):
        return fields.choice("tool_choice", ("none", "auto", "required"))
    chosen = Fields(value, ("type", "function"), "tool_choice.")
    if chosen.choice("type", ("function",)) is None or not isinstance(chosen.raw("function"), dict):
        raise fields.wrong("tool_choice", "expected none, auto, required, or a function by its name")
    return value


def _message(value: Any, place: str) -> dict[str, Any]:
    """A message as providers take it: without what other answers had beside their text."""
    given = Fields(value, _MESSAGE, place)
    role = given.choice("role", ROLES)
    if role is None:
        raise given.needed("role")
    for name in ("audio", "function_call"):
        if name in given:
            raise given.wrong(name, "it is not taken here")
    found: dict[str, Any] = {"role": role, "content": _content(given, place)}
    called = given.text("name", NAME_CHARS)
    if called is not None:
        found["name"] = called
    if role == "tool":
        found["tool_call_id"] = given.text("tool_call_id", NAME_CHARS)
        if found["tool_call_id"] is None:
            raise given.needed("tool_call_id")
    calls = given.rows("tool_calls", TOOL_CALLS_MAX)
    if calls is not None:
        if role != "assistant":
            raise given.wrong("tool_calls", "only an assistant's message has them")
        found["tool_calls"] = [_called(one, f"{place}tool_calls[{number}].") for number, one in enumerate(calls)]
    elif found["content"] is None:
        raise given.needed("content")
    return found


def _content(given: Fields, place: str) -> Any:
    value = given.raw("content")
    if value is None or isinstance(value, str):
        return value
    parts = given.rows("content", PARTS_MAX) or []
    for number, one in enumerate(parts):
        part = Fields(one, ("type", "text"), f"{place}content[{number}].")
        if part.choice("type", ("text",)) is None:
            raise part.needed("type")
        if not isinstance(part.raw("text"), str):
            raise part.needed("text")
    return parts


def _called(value: Any, place: str) -> dict[str, Any]:
    given = Fields(value, ("id", "type", "function"), place)
    given.choice("type", ("function",))
    function = Fields(given.raw("function"), ("name", "arguments"), f"{place}function.")
    identifier, name = given.text("id", NAME_CHARS), function.text("name", NAME_CHARS)
    if identifier is None or name is None:
        raise (given.needed("id") if identifier is None else function.needed("name"))
    arguments = function.raw("arguments")
    if not isinstance(arguments, str):
        raise function.wrong("arguments", "expected JSON as a text")
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}
