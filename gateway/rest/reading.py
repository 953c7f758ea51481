"""Reading of queries and bodies into their models; all mistakes are told in one refusal.

Names are looked at before values, and both are counted before that, so that made-up ones cost no more than to arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.http.parameters import NAME_CHARS, NAMED_MAX, body_pairs, named, refuse, unknown_name
from gateway.rest import mistakes
from gateway.rest.given import Given
from shared.text import storable

M = TypeVar("M", bound=BaseModel)

PART = "a part of it"

DIGITS_MAX = 22


class Empty(Given):
    """A query or a body that takes nothing."""


class Reader(Generic[M]):
    def __init__(self, model: type[M]) -> None:
        self.model = model
        self.names = [info.alias or name for name, info in model.model_fields.items()]
        self._known = frozenset(self.names)
        self._inside = {
            info.alias or name: [one.alias or inner for inner, one in kind.model_fields.items()]
            for name, info in model.model_fields.items()
            for kind in mistakes.kinds(info.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)
        }  # fmt: skip
        """The names of objects in a body, by the field that holds one."""
        self._validate = model.__pydantic_validator__.validate_python
        self._from_text = {
            info.alias or name: _FROM_TEXT[kind]
            for name, info in model.model_fields.items()
            for kind in mistakes.kinds(info.annotation) if kind in _FROM_TEXT
        }  # fmt: skip

    def query(self, pairs: Iterable[tuple[str, str]]) -> M:
        """Raises Refused(404, 422)."""
        given, wrong = named(pairs, self.names, "a query parameter")
        for name, read in self._from_text.items():
            if name in given:
                given[name] = read(given[name])
        for name, value in given.items():
            if type(value) is str and "\0" in value:
                given[name] = storable(value)
        return self._read(given, wrong)

    def body(self, raw: bytes) -> M:
        """Raises Refused(404, 422)."""
        empty = not raw.strip()
        pairs, twice = ([], []) if empty else body_pairs(raw)
        given, wrong = named(pairs, self.names, "a field")
        wrong += [f"{name[:NAME_CHARS]} is given twice" for name in twice]
        if b"\\u" in raw:  # nothing else in JSON says NUL or the half of a surrogate pair
            given = {name: _storable(value) for name, value in given.items()}
        for name in self._inside:
            if isinstance(given.get(name), dict):
                given[name] = self._known_inside(name, given[name], wrong)
        return self._read(given, wrong, empty=empty)

    def _known_inside(self, name: str, value: dict[str, Any], wrong: list[str]) -> dict[str, Any]:
        """An object without what nobody knows of it. The model would find that as well, at ten times the cost."""
        known = self._inside[name]
        for unknown in [inner for inner in value if inner not in known]:
            told = len(wrong) < NAMED_MAX
            wrong.append(f"{name} has a mistake: {unknown_name(unknown, known, PART)}" if told else "")
        return {inner: one for inner, one in value.items() if inner in known}

    def _read(self, given: dict[str, Any], wrong: list[str], *, empty: bool = False) -> M:
        found: M | None = None
        no_such: str | None = None
        try:
            known = given if not wrong else {name: given[name] for name in given if name in self._known}
            found = self._validate(known)
        except ValidationError as e:
            for error in e.errors(include_url=False):
                if len(wrong) >= NAMED_MAX:
                    wrong.append("")
                elif (found_none := mistakes.no_such(error)) is not None:
                    no_such = no_such or found_none
                else:
                    wrong.append(mistakes.sentence(self.model, error))
        if wrong or found is None:
            raise refuse(wrong, no_such, empty=empty)
        return found


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value


def _whole(raw: str) -> int | str:
    """Digits as a number; anything else stays a text, which the model refuses."""
    digits = raw.removeprefix("-")
    # isdecimal alone takes other scripts' digits; int() takes quadratic time in very many, which no bound allows
    return int(raw[:DIGITS_MAX]) if digits.isascii() and digits.isdecimal() else raw


def _fraction(raw: str) -> float | str:
    try:
        return float(raw) if len(raw) <= 40 and raw.isascii() else raw
    except ValueError:
        return raw


def _flag(raw: str) -> bool | str:
    return {"true": True, "false": False}.get(raw, raw)


_FROM_TEXT: dict[Any, Callable[[str], Any]] = {int: _whole, float: _fraction, bool: _flag}
