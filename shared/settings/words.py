"""What is wrong with a setting's value, in words. The value itself stays out: it may be a password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNITS = {
    "_S": "seconds",
    "_H": "hours",
    "_DAYS": "days",
    "_BYTES": "bytes",
    "_SHARE": "a share between 0 and 1, such as 0.9",
}
"""By the end of a setting's name."""
NO_NUMBER = ("int_parsing", "float_parsing", "int_from_float", "int_type", "float_type", "finite_number")


def in_words(error: Mapping[str, Any]) -> str:
    """error: one of pydantic's, whose place begins with the setting's domain."""
    name = ".".join(str(part) for part in error["loc"][1:]).upper()
    told = str(error["msg"]).removeprefix("Value error, ")
    if not name:
        return told
    if error["type"] in NO_NUMBER:
        whole = "a whole number" if str(error["type"]).startswith("int") else "a number"
        return f"{name} should be {whole}{_unit_of(name)}{_linked(name)}"
    return f"{name} {told.removeprefix('Input ')}" if told.startswith("Input should") else f"{name}: {told}"


def _unit_of(name: str) -> str:
    """What is counted, written without its unit."""
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            return f": {unit}" if ending == "_SHARE" else f" of {unit}, without a unit: 30 and not 30s or 30 GB"
    return ""


def _linked(name: str) -> str:
    if not name.endswith("_PORT"):
        return ""
    return " (in Kubernetes a service of this name sets it to an address: set enableServiceLinks: false)"
