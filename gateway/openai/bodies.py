"""Bodies of requests as JSON, with bounds on what they hold, and their fields by type."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from gateway.openai.mistakes import Mistake, wrong

BODY_MAX_BYTES = 1024 * 1024
IN_THREAD_FROM_BYTES = 64 * 1024
"""Parsing it takes about a millisecond, for which the event loop should not wait."""
DEPTH_MAX = 40
"""Of lists and objects in each other, as in a JSON Schema."""


def parsed(raw: bytes) -> dict[str, Any]:
    """Raises Mistake for what is no JSON object: NaN, halves of a character and deep nesting are none."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as e:
        where = f"{e.msg} at line {e.lineno}, column {e.colno}"
        raise Mistake(400, f"The body is not valid JSON: {where}.", code="invalid_json") from None
    if not isinstance(found, dict):
        raise Mistake(400, "The body should be a JSON object.", code="invalid_json")
    if _is_deep(found):
        message = f"The body is nested too deeply: at most {DEPTH_MAX} lists and objects in each other."
        raise Mistake(400, message, code="invalid_json")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for one in level for inner in _inner(one)]
        if not level:
            return False
    return True


def _inner(value: Any) -> list[Any]:
    held = value.values() if isinstance(value, dict) else value
    return [one for one in held if isinstance(one, dict | list)]


class Fields:
    """The fields of a body or of an object in it. place: before their names in refusals."""

    def __init__(self, body: Any, known: Collection[str], place: str = "") -> None:
        """Raises Mistake for a field that nobody knows: nothing is silently ignored."""
        if not isinstance(body, dict):
            raise wrong(place.rstrip("."), f"Invalid type for '{place.rstrip('.')}': expected an object.")
        self._body: Mapping[str, Any] = {name: value for name, value in body.items() if value is not None}
        self._place = place
        for name in self._body:
            if name not in known:
                param = f"{place}{name}"[:100]
                raise wrong(param, f"Unknown parameter: '{param}'.", "unknown_parameter")

    def __contains__(self, name: str) -> bool:
        return name in self._body

    def raw(self, name: str) -> Any:
        return self._body.get(name)

    def text(self, name: str, most: int) -> str | None:
        value = self._body.get(name)
        if value is not None and (not isinstance(value, str) or not 1 <= len(value) <= most):
            raise self.wrong(name, f"expected a text of 1 to {most} characters")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        value = self._body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise self.wrong(name, f"expected a number from {least:g} to {most:g}")
        if value is not None and not least <= value <= most:
            raise self.wrong(name, f"expected a number from {least:g} to {most:g}")
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        value = self._body.get(name)
        if value is not None and (type(value) is not int or not least <= value <= most):
            raise self.wrong(name, f"expected a whole number from {least} to {most}")
        return value

    def flag(self, name: str) -> bool | None:
        value = self._body.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "expected true or false")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        value = self._body.get(name)
        if value is not None and value not in choices:
            raise self.wrong(name, f"expected one of {', '.join(choices)}")
        return value

    def rows(self, name: str, most: int) -> list[Any] | None:
        value = self._body.get(name)
        if value is not None and (not isinstance(value, list) or not 1 <= len(value) <= most):
            raise self.wrong(name, f"expected a list of 1 to {most}")
        return value

    def wrong(self, name: str, expected: str) -> Mistake:
        param = f"{self._place}{name}"
        return wrong(param, f"Invalid value for '{param}': {expected}.", "invalid_value")

    def needed(self, name: str) -> Mistake:
        param = f"{self._place}{name}"
        return wrong(param, f"Missing required parameter: '{param}'.", "missing_required_parameter")
