"""Parsing of requests: query parameters and fields of JSON bodies, each declared once with its type.

Nothing is ignored: a name that is not declared, a name given twice and a value of another type are refused with 422,
all of them in one answer. An id that no table can hold is a 404, as one that no row has. How much is given is counted
before any of it is looked at, so that made-up names cost no more than they take to arrive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from gateway.http.refused import Refused
from shared.text import storable

T = TypeVar("T")

ID_MAX = 2**63 - 1
NAMED_MAX = 5
"""So many mistakes are told of one request."""
NAME_CHARS = 80
QUERY_MAX_BYTES = 32 * 1024
"""Four texts of 500 characters, each of them twelve bytes when it is percent-encoded."""
NAMES_MAX = 100
"""Parameters of a query, fields of an object in a body."""
PARSED_MAX = 5_000
"""Objects and whole numbers of a body. The parser calls Python for each of these, and for nothing else."""
_INT_DIGITS = 20
_BOM = "\ufeff"
_MISSING: Any = object()


class Wrong(ValueError):
    """What is wrong with a value; the field's name stands before it."""


class NoSuch(Exception):
    """A value that names something that cannot exist. The text is a whole sentence."""


@dataclass(frozen=True)
class Field(Generic[T]):
    """read: from what the query or the JSON holds; raises Wrong or NoSuch. Without a default it must be given."""

    name: str
    read: Callable[[Any], T]
    default: T = _MISSING


class Values:
    """The fields that were given, by name."""

    def __init__(self, values: dict[str, Any], given: dict[str, Any]) -> None:
        self._values, self._given = values, given

    def __getitem__(self, field: Field[T]) -> T:
        value: T = self._values[field.name]
        return value

    def has(self, field: Field[Any]) -> bool:
        return field.name in self._given


@dataclass(frozen=True, slots=True)
class Parameters:
    query: Values
    body: Values


NOTHING = Values({}, {})


def query_pairs(raw: bytes) -> list[tuple[str, str]]:
    """A query string's parameters. Raises Refused(414, 422)."""
    if len(raw) > QUERY_MAX_BYTES:
        raise Refused(414, f"the query may have {QUERY_MAX_BYTES} bytes")
    if raw.count(b"&") >= NAMES_MAX:
        raise Refused(422, f"the query may have {NAMES_MAX} parameters")
    return parse_qsl(raw.decode("latin-1"), keep_blank_values=True)


def read_query(pairs: Iterable[tuple[str, str]], fields: Sequence[Field[Any]]) -> Values:
    """Raises Refused(404, 422)."""
    return _read(pairs, fields, "a query parameter")


def read_body(raw: bytes, fields: Sequence[Field[Any]]) -> Values:
    """Raises Refused(404, 422)."""
    return _read(body_pairs(raw)[0] if raw.strip() else [], fields, "a field", empty=not raw.strip())


def _read(pairs: Iterable[tuple[str, Any]], fields: Sequence[Field[Any]], what: str, *, empty: bool = False) -> Values:
    given, mistakes = named(pairs, [field.name for field in fields], what)
    values: dict[str, Any] = {}
    no_such: list[str] = []
    for field in fields:
        try:
            values[field.name] = _value(field, given)
        except Wrong as e:
            mistakes.append(f"{field.name} {e}")
        except NoSuch as e:
            no_such.append(str(e))
    if mistakes or no_such:
        raise refuse(mistakes, next(iter(no_such), None), empty=empty)
    return Values(values, given)


def named(pairs: Iterable[tuple[str, Any]], known: Sequence[str], what: str) -> tuple[dict[str, Any], list[str]]:
    """What was given, by name, and what is wrong with the names: those that nobody knows, and those that come twice."""
    given: dict[str, Any] = {}
    mistakes: list[str] = []
    for name, value in pairs:
        if name not in known:
            # a likeness to what there is costs time, so it is looked for only where it is told
            mistakes.append(unknown_name(name, known, what) if len(mistakes) < NAMED_MAX else "")
        elif name in given:
            mistakes.append(f"{name} is given twice")
        given[name] = value
    return given, mistakes


def refuse(mistakes: Sequence[str], no_such: str | None, *, empty: bool = False) -> Refused:
    """All mistakes in one refusal; where there is none, what cannot exist is not found."""
    if not mistakes:
        return Refused(404, no_such or "there is no such thing")
    left = len(mistakes) - NAMED_MAX
    more = f"; and {left} more" if left > 0 else ""
    said = "the body is empty: " if empty else ""
    return Refused(422, said + "; ".join(mistakes[:NAMED_MAX]) + more)


def _value(field: Field[Any], given: dict[str, Any]) -> Any:
    if field.name in given:
        return field.read(given[field.name])
    if field.default is _MISSING:
        raise Wrong("is missing")
    return field.default


def unknown_name(name: str, known: Sequence[str], what: str) -> str:
    said = f"{name[:NAME_CHARS]!r} is not {what} that this takes"
    near = get_close_matches(name[:NAME_CHARS].lower(), known, n=1, cutoff=0.6)
    if near:
        return f"{said}: did you mean {near[0]!r}?"
    return f"{said}: there is {', '.join(known)}" if known else f"{said}: it takes none"


def body_pairs(raw: bytes) -> tuple[list[tuple[str, Any]], list[str]]:
    """The top level of a JSON object, names that come twice included. Raises Refused(422) saying where it breaks."""
    parsed = _Parsed()
    try:
        value = json.loads(
            raw.decode().removeprefix(_BOM), object_pairs_hook=parsed.an_object, parse_constant=_constant,
            parse_int=parsed.an_integer,
        )  # fmt: skip
    except UnicodeDecodeError as e:
        raise Refused(422, f"the body is not valid JSON: byte {e.start} is not UTF-8") from None
    except json.JSONDecodeError as e:
        raise Refused(422, f"the body is not valid JSON: {e.msg} at line {e.lineno}, column {e.colno}") from None
    except RecursionError:
        raise Refused(422, "the body is nested too deeply to be read") from None
    if not isinstance(value, _Object):
        raise Refused(422, f"the body should be a JSON object, not {called(value)}")
    parsed.twice.pop(id(value), None)
    return value.pairs, list(parsed.twice.values())


class _Object(dict[str, Any]):
    """Nested objects are read by name, where the last of two counts; the outermost by its pairs."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def items(self) -> Any:
        return self.pairs


def _constant(name: str) -> Any:
    raise Refused(422, f"the body is not valid JSON: {name} is not a number")


class _Parsed:
    """What the parser found in one body."""

    def __init__(self) -> None:
        self._count = 0
        self.twice: dict[int, str] = {}
        """A name that comes twice, by the object (its id) that holds it; each object lives as long as the parsing."""

    def an_object(self, pairs: list[tuple[str, Any]]) -> _Object:
        """Raises Refused(422)."""
        self._one_more()
        if len(pairs) > NAMES_MAX:
            raise Refused(422, f"an object in the body may have {NAMES_MAX} fields")
        found = _Object(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            self.twice[id(found)] = next(name for place, name in enumerate(names) if name in names[:place])
        return found

    def an_integer(self, digits: str) -> int:
        """Raises Refused(422)."""
        self._one_more()
        # int() takes quadratic time in the digits; what is longer is beyond every bound anyway
        return int(digits[: _INT_DIGITS + 2])

    def _one_more(self) -> None:
        self._count += 1
        if self._count > PARSED_MAX:
            raise Refused(422, f"the body may hold {PARSED_MAX} objects and numbers")


def called(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, float):
        return "a fraction"
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


# ------------------------------------------------------------------ values of queries


def _digits(raw: str, lowest: int, highest: int) -> int:
    # isdecimal alone takes other scripts' digits, and int() gives up on very many
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 20) or not lowest <= int(raw) <= highest:
        raise Wrong(f"should be a number from {lowest} to {highest}")
    return int(raw)


def query_number(name: str, default: int, highest: int, lowest: int = 0) -> Field[int]:
    return Field(name, lambda raw: _digits(raw, lowest, highest), default)


def query_id(name: str, what: str) -> Field[int | None]:
    def read(raw: str) -> int:
        if raw.isascii() and raw.isdecimal() and (len(raw) > 19 or int(raw) > ID_MAX):
            raise NoSuch(f"there is no such {what}")
        return _digits(raw, 1, ID_MAX)

    return Field(name, read, None)


def query_text(name: str, most: int, default: str = _MISSING) -> Field[str]:
    def read(raw: str) -> str:
        if len(raw) > most:
            raise Wrong(f"should have up to {most} characters")
        return storable(raw)

    return Field(name, read, default)


def query_choice(name: str, choices: Sequence[str], default: str) -> Field[str]:
    def read(raw: str) -> str:
        if raw not in choices:
            raise Wrong(f"should be one of {', '.join(choices)}")
        return raw

    return Field(name, read, default)


def read_time(value: Any) -> datetime:
    """A time with its offset, in UTC: Python knows offsets of up to 24 h, PostgreSQL of less than 16. Raises Wrong."""
    found = _time(value)
    if found is None or found.tzinfo is None:
        raise _no_time()
    return found.astimezone(UTC)


def read_date(value: str) -> datetime:
    """A day or a time, in UTC; one without an offset is in UTC already. Raises Wrong."""
    found = _time(value)
    if found is None:
        raise _no_time()
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    # the first and the last year have times that in UTC are in none that there is
    return found if found is not None and 1 < found.year < 9999 else None


def _no_time() -> Wrong:
    return Wrong("should be a time such as 2026-01-31T12:00:00+00:00")


# ------------------------------------------------------------------ values of bodies


def body_text(name: str, most: int, default: str = _MISSING) -> Field[str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise Wrong(f"should be a text, not {called(value)}")
        if not value.strip() or len(value) > most:
            raise Wrong(f"should be a text of 1 to {most} characters")
        return storable(value)

    return Field(name, read, default)


def body_number(name: str, lowest: int, highest: int, default: int = _MISSING) -> Field[int]:
    def read(value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise Wrong(f"should be a number from {lowest} to {highest}")
        return value

    return Field(name, read, default)


def body_id(name: str, what: str) -> Field[int]:
    def read(value: Any) -> int:
        if type(value) is not int or value < 1:
            raise Wrong(f"should be the number of a {what}, not {called(value) if type(value) is not int else value}")
        if value > ID_MAX:
            raise NoSuch(f"there is no such {what}")
        return value

    return Field(name, read)


def body_flag(name: str) -> Field[bool]:
    def read(value: Any) -> bool:
        if type(value) is not bool:
            raise Wrong(f"should be true or false, not {called(value)}")
        return value

    return Field(name, read)
