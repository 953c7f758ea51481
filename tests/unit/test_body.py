"""What counts as a request's JSON object, and a form that stands for one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from shared.channels.body import decode_form, decode_object


def _said(read: Callable[[bytes], Any], raw: bytes) -> str:
    with pytest.raises(ValueError) as error:
        read(raw)
    return str(error.value)


def test_what_orjson_does_not_take_is_taken_as_well() -> None:
    assert decode_object(b'{"a": 1}') == {"a": 1}
    assert decode_object(b'\xef\xbb\xbf{"a": "\\ud800"}') == {"a": "\ud800"}
    assert decode_object(b'{"s": "\\ud800", "a": 1e999}') == {"s": "\ud800", "a": math.inf}


def test_whole_numbers_are_exact_up_to_twenty_digits() -> None:
    raw = b'{"s": "\\ud800", "a": 12345678901234567890, "b": 123456789012345678901, "c": -1234567890123456789}'
    found = decode_object(raw)
    assert (found["a"], found["c"]) == (12345678901234567890, -1234567890123456789)
    assert found["b"] == pytest.approx(1.2345678901234568e20)
    assert isinstance(found["b"], float)
    assert decode_object(b'{"s": "\\ud800", "a": %s}' % (b"9" * 5_000))["a"] == math.inf


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the body is no JSON: Expecting value at character 0"),
        (b'{"a": }', "the body is no JSON: Expecting value at character 6"),
        (b'{"a": "\xff"}', "the body is no JSON: it is not UTF-8"),
        (b'{"a": NaN}', "the body is no JSON: NaN is no number"),
        (b"[" * 100_000, "the body is no JSON that can be read: it is nested too deeply"),
        (b"[1]", "the body is JSON, but a list and no object"),
        (b'"a"', "the body is JSON, but a string and no object"),
        (b"true", "the body is JSON, but a boolean and no object"),
        (b"null", "the body is JSON, but null and no object"),
        (b"1.5", "the body is JSON, but a number and no object"),
    ],
)
def test_what_is_no_object_is_refused_in_words_that_hold_nothing_of_it(raw: bytes, said: str) -> None:
    assert _said(decode_object, raw) == said


def test_a_form_is_its_fields_with_the_last_value_of_each_or_what_its_payload_holds() -> None:
    assert decode_form(b"a=1&b=x%20y+z&a=2&c=") == {"a": "2", "b": "x y z", "c": ""}
    payload = json.dumps({"type": "block_actions", "text": "ä"})
    assert decode_form(b"payload=" + payload.replace('"', "%22").replace(" ", "+").encode()) == {
        "type": "block_actions", "text": "ä",
    }  # fmt: skip
    assert _said(decode_form, b"payload=[]") == "the body is JSON, but a list and no object"


@pytest.mark.parametrize("raw", [b"", b"=1", b"1a=1", b"a", b"a b=1", b"a=\xc3\xa4", b"a=1\n", b"a" * 65 + b"=1"])
def test_what_is_no_form_is_refused(raw: bytes) -> None:
    assert _said(decode_form, raw) == "the body is no JSON and no form"


def test_a_form_has_a_hundred_fields_at_most() -> None:
    assert len(decode_form(b"&".join(b"f%d=1" % n for n in range(100)))) == 100
    assert _said(decode_form, b"&".join([b"a=1"] * 101)) == "the body is a form of more than 100 fields"
