"""Reading JSON of unknown shape: every reader takes anything and says None for nonsense."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.channels.fields import (
    KEY_LIMIT,
    NAME_LIMIT,
    bounded,
    called,
    content_key,
    digits,
    inner,
    key,
    language,
    moment,
    number_id,
    opaque_id,
    written,
)  # fmt: skip


def test_an_inner_object_is_found_by_its_path_and_nonsense_is_empty() -> None:
    value = {"a": {"b": {"c": 1}, "list": []}}
    assert inner(value) == value
    assert inner(value, "a", "b") == {"c": 1}
    for path in (("a", "list"), ("a", "b", "c"), ("x", "b"), ("a", "b", "c", "d")):
        assert inner(value, *path) == {}
    assert inner(None, "a") == inner([1]) == inner("text", "a") == {}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, "7"), (-7, "-7"), (0, "0"), ("007", "7"), ("-5", "-5"), (5.0, "5"), (2.0**53, str(2**53)),
        (2**63 - 1, str(2**63 - 1)), (-(2**63) + 1, str(-(2**63) + 1)), ("9" * 18, "9" * 18),
        ("0" * 18 + "5", "5"), (True, None), (False, None), (5.5, None), (2.0**53 + 2, None), (float("nan"), None),
        (float("inf"), None), (2**63, None), ("9" * 19, None), ("0" * 20, None), ("", None), ("-", None),
        ("--5", None), ("5-", None), ("٣", None), ("²", None), (" 5", None), (None, None), ([5], None),
    ],
)  # fmt: skip
def test_a_number_has_one_spelling_and_what_64_bits_do_not_hold_is_none(value: object, number: str | None) -> None:
    assert number_id(value) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("+49 (40) 12.34-5", "494012345"), (4940, "4940"), ("0\t1", "01"), ("", None), ("+", None), ("12a", None),
        ("٣", None), (None, None), (True, None), ("1" * 80, "1" * 64), (-5, "5"), ("1\x002", None),
    ],
)  # fmt: skip
def test_a_telephone_number_is_its_digits(value: object, number: str | None) -> None:
    assert digits(value) == number


def test_an_id_is_text_or_a_number_and_one_too_long_is_none() -> None:
    assert [opaque_id(value) for value in ("a b", "", 5, 5.5, None, "\x00")] == ["a b", None, "5", None, None, "\ufffd"]
    assert bounded("x" * 512) == "x" * 512
    assert bounded("x" * 513) is None
    assert bounded("abc", 3) == "abc"
    assert bounded("abcd", 3) is bounded(None) is None


def test_a_text_is_cut_storable_and_none_if_blank() -> None:
    assert written("x" * 16_001) == "x" * 16_000
    assert written("abc", 2) == "ab"
    assert written("a\x00\ud800") == "a\ufffd\ufffd"
    assert [written(value) for value in ("", " \n\t", 5, None, ["a"])] == [None] * 5
    assert written(" a ") == " a "


def test_a_name_is_one_line_of_its_parts() -> None:
    assert called(" Ann\n", None, "van  der", 5, "Lee\x00") == "Ann van der Lee\ufffd"
    assert called("a" * 200, "b") == "a" * NAME_LIMIT
    assert called("a" * (NAME_LIMIT - 2), "bc") == "a" * (NAME_LIMIT - 2) + " b"
    assert called() is called(None, " ") is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("pt-BR", "pt"), ("zh_Hans", "zh"), ("de,en;q=0.5", "de"), (" EN ;q=1", "en"), ("fil", "fil"), ("nb", "no"),
        ("nn-NO", "no"), ("in", "id"), ("iw", "he"), ("hr", "sr"), ("bs", "sr"), ("e", None), ("engl", None),
        ("ñu", None), ("a1", None), ("", None), (None, None), (5, None), (" " * 40 + "en", None),
        ("x" * 34 + "-en", None),
    ],
)  # fmt: skip
def test_a_language_is_the_code_at_the_beginning(value: object, code: str | None) -> None:
    assert language(value) == code


def test_a_moment_is_seconds_since_1970_up_to_2100() -> None:
    assert moment(1) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert moment(1.5) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert moment(4_102_444_799) == datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
    nonsense = (0, -1, 4_102_444_800, True, "5", None, float("nan"), float("inf"))
    assert [moment(value) for value in nonsense] == [None] * len(nonsense)


def test_a_key_joins_its_parts_and_a_long_one_is_hashed_under_its_first() -> None:
    assert key("mid", "5", "7") == "mid:5:7"
    longest = "x" * (KEY_LIMIT - 4)
    assert key("mid", longest) == f"mid:{longest}"
    whole = f"mid:{longest}y"
    assert key("mid", longest + "y") == f"mid:sha256:{hashlib.sha256(whole.encode()).hexdigest()[:32]}"
    assert key("mid", "\ud800" * 300).startswith("mid:sha256:")


def test_equal_content_has_an_equal_key_whatever_the_order_of_its_fields() -> None:
    one = {"a": [1, {"b": None}], "c": "x"}
    assert content_key("raw", one) == content_key("raw", {"c": "x", "a": [1, {"b": None}]})
    assert content_key("raw", one).startswith("raw:sha256:")
    assert len(content_key("raw", one)) == len("raw:sha256:") + 32


def test_different_content_has_different_keys() -> None:
    values: list[Any] = [
        {}, [], "", None, 0, False, [[]], [1, 2], [2, 1], [[1], 2], [1, [2]], {"a": 1}, {"a": "1"}, {"b": 1},
        {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": {"b": 1}}, ["o[]"], 2**64, -(2**64), hex(2**64), 2**63, 1.5,
    ]  # fmt: skip
    assert len({content_key("raw", value) for value in values}) == len(values)
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    assert content_key("raw", deep) != content_key("raw", [deep])
    assert content_key("raw", 10**9999) != content_key("raw", 10**9998)


def test_the_key_of_a_content_is_the_same_in_every_version() -> None:
    """It stands in the database: another spelling would take a repetition for something new."""
    spelt = "\n".join(['o["a", "b"]', '"x"', "l2", "0x10000000000000000", "true"])
    assert content_key("raw", {"b": "x", "a": [True, 2**64]}) == (
        f"raw:sha256:{hashlib.sha256(spelt.encode()).hexdigest()[:32]}"
    )
