"""What pydantic finds wrong with a query or a body, as sentences that say what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gateway.http.parameters import called, unknown_name

NUMBERS = ("int_", "float_", "greater_than", "less_than", "finite_number", "multiple_of", "decimal_")
TYPES = {
    "bool": "should be true or false", "list": "should be a list", "tuple": "should be a list",
    "dict": "should be an object", "model": "should be an object", "string": "should be a text",
    "bytes": "should be a text", "dataclass": "should be an object",
}  # fmt: skip

Location = Sequence[int | str]


def sentence(model: type[BaseModel], error: ErrorDetails, *, suggest: bool = True) -> str:
    """suggest: look for the known name that is most like an unknown one, which costs time."""
    at = error["loc"]
    if error["type"] == "extra_forbidden":
        known = _names(_type_at(model, at[:-1])) if suggest else []
        return f"{_path(at[:-1])} has a mistake: {unknown_name(str(at[-1]), known, 'a part of it')}"
    return f"{_path(at)} {_what(model, error)}"


def no_such(error: ErrorDetails) -> str | None:
    """A sentence where the value names what cannot exist: that is a 404."""
    return error["msg"] if error["type"] == "no_such" else None


def _what(model: type[BaseModel], error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    if kind == "missing":
        return "is missing"
    if kind in ("value_error", "assertion_error"):
        return str(error["ctx"]["error"])
    limits = _limits(_type_at(model, error["loc"]))
    if kind.startswith(NUMBERS):
        return _number(limits, value)
    if kind.startswith("string_too_") or kind == "string_pattern_mismatch":
        return _text(limits)
    if kind in ("literal_error", "enum"):
        return f"should be one of {error['ctx']['expected'].replace(' or ', ', ')}"
    if kind in ("too_long", "too_short"):
        return f"should have {_range(limits)} entries"
    named = next((said for prefix, said in TYPES.items() if kind.startswith(prefix)), None)
    return f"{named}, not {called(value)}" if named else _lowered(error["msg"])


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _number(limits: dict[str, Any], value: Any) -> str:
    lowest, highest = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if lowest is not None and highest is not None:
        return f"should be a number from {lowest} to {highest}"
    if lowest is not None or highest is not None:
        return f"should be a number of at {'least' if lowest is not None else 'most'} {lowest or highest or 0}"
    return f"should be a number, not {called(value)}"


def _text(limits: dict[str, Any]) -> str:
    return f"should be a text of {_range(limits)} characters"


def _range(limits: dict[str, Any]) -> str:
    least, most = limits.get("min_length", 0), limits.get("max_length")
    if most is None:
        return f"at least {least}"
    return f"{least} to {most}" if least else f"up to {most}"


def _path(at: Location) -> str:
    """`filter.documents[2]`."""
    said = ""
    for part in at:
        said += f"[{part}]" if isinstance(part, int) else f".{part}" if said else str(part)
    return said or "the body"


def _type_at(model: Any, at: Location) -> Any:
    """The annotation of what stands there; None where it cannot be told."""
    found = model
    for part in at:
        found = _step(found, part)
    return found


def _step(annotation: Any, part: int | str) -> Any:
    for one in _alternatives(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel):
            for name, info in one.model_fields.items():
                if part in (name, info.alias):
                    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        elif get_args(one):
            return get_args(one)[-1 if get_origin(one) is dict else 0]
    return None


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types that a value may have, unwrapped."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (list, tuple, dict, set):
        yield annotation
    elif get_args(annotation) and not isinstance(annotation, type):
        for one in get_args(annotation):
            if one is not NoneType:
                yield from _alternatives(one)
    else:
        yield annotation


def kinds(annotation: Any) -> list[Any]:
    """The plain types that a value may have."""
    return list(_alternatives(annotation))


def _names(annotation: Any) -> list[str]:
    for one in _alternatives(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return [info.alias or name for name, info in one.model_fields.items()]
    return []


def _limits(annotation: Any) -> dict[str, Any]:
    """The bounds that are declared of a value, by name."""
    found: dict[str, Any] = {}
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
        found |= _limits(base)
        for one in metadata:
            inner = getattr(one, "metadata", None)  # a Field inside Annotated
            for limit in inner if isinstance(inner, list) else [one]:
                for name in ("ge", "gt", "le", "lt", "min_length", "max_length"):
                    if isinstance(limit, annotated_types.BaseMetadata) and hasattr(limit, name):
                        found[name] = getattr(limit, name)
    elif get_args(annotation) and get_origin(annotation) not in (list, tuple, dict, set):
        for one in get_args(annotation):
            found |= _limits(one)
    return found
