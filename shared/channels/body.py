"""The one reading of a request's body: what counts as a JSON object, for gateway, intake and command line alike."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

_BOM = b"\xef\xbb\xbf"
_INT_DIGITS = 20  # what 64 bits hold, sign included; more is read as a float, as orjson does
_FORM = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]{0,63}=[!-~]*")
_FORM_FIELDS_MAX = 100


def decode_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`.

    Beyond what orjson takes: a byte order mark, lone surrogates in escapes, numbers too large for a float
    (infinity then). Raises ValueError when the body is no JSON object in UTF-8, also when it is nested too
    deeply to be read; its message says what is wrong and holds nothing of the body.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = _decode_leniently(raw)
    if not isinstance(value, dict):
        raise ValueError(f"the body is JSON, but {_called(value)} and no object")
    return value


def decode_form(raw: bytes) -> dict[str, Any]:
    """The object that a form (application/x-www-form-urlencoded) stands for: what its field `payload` holds as JSON,
    else its fields with the last value of each. Raises ValueError, as decode_object does, when it is none."""
    if not _FORM.fullmatch(raw):
        raise ValueError("the body is no JSON and no form")
    try:
        found = dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_FORM_FIELDS_MAX))
    except ValueError:
        raise ValueError(f"the body is a form of more than {_FORM_FIELDS_MAX} fields") from None
    if "payload" in found:
        return decode_object(found["payload"].encode())
    return dict(found)


def _decode_leniently(raw: bytes) -> Any:
    try:
        text = raw.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise ValueError("the body is no JSON: it is not UTF-8") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_integer)
    except json.JSONDecodeError as e:
        raise ValueError(f"the body is no JSON: {e.msg} at character {e.pos}") from None
    except RecursionError:
        raise ValueError("the body is no JSON that can be read: it is nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the body is no JSON: {name} is no number")


def _integer(digits: str) -> int | float:
    # int() takes quadratic time in the digits, and Python refuses more than 4300 of them.
    return int(digits) if len(digits) <= _INT_DIGITS else float(digits)


def _called(value: object) -> str:
    return {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
