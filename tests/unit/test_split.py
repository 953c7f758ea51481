"""A long answer becomes parts that Telegram takes and people can read."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels import platform
from shared.channels.text import split_utf16, utf16_units

LIMIT = 4096
split = platform("telegram").split

FAMILY = "👩‍👩‍👧‍👦"
AWKWARD = (
    *(" ", "\n", "\r\n", "\n\n", ". ", "a", "word", "é", "e\u0301", " \u0301", FAMILY, "🇫🇷", "🇫", "😀", "👍🏽"),
    *("क्षि", "\u0600", "\u200d", "。", "\u3000", "\t", "한", "\u1100"),
)
awkward = st.sampled_from(AWKWARD)
texts = st.one_of(st.text(max_size=80), st.lists(awkward, max_size=80).map("".join))


def clusters(text: str) -> list[str]:
    return regex.findall(r"\X", text)


def is_subsequence_but_for_whitespace(parts: list[str], text: str) -> bool:
    """Whether the parts stand in the text in order, with nothing but whitespace around them."""
    at = 0
    for part in parts:
        found = text.index(part, at)
        if text[at:found].strip():
            return False
        at = found + len(part)
    return not text[at:].strip()


@settings(deadline=None, max_examples=200)
@given(texts, st.integers(min_value=24, max_value=40))
def test_parts_fit_hold_something_and_lose_only_whitespace_between_them(text: str, limit: int) -> None:
    parts = split_utf16(text, limit)
    assert all(part.strip() and utf16_units(part) <= limit for part in parts)
    assert is_subsequence_but_for_whitespace(parts, text)


@settings(deadline=None, max_examples=200)
@given(texts, st.integers(min_value=24, max_value=40))
def test_no_part_begins_or_ends_inside_a_cluster(text: str, limit: int) -> None:
    if any(utf16_units(cluster) > limit for cluster in clusters(text)):
        return  # such a cluster must be cut: the test below
    borders, at = {0}, 0
    for cluster in clusters(text):
        at += len(cluster)
        borders.add(at)
    at = 0
    for part in split_utf16(text, limit):
        start = text.index(part, at)
        at = start + len(part)
        assert {start, at} <= borders


@given(st.integers(min_value=5000, max_value=9000))
def test_a_cluster_longer_than_a_part_is_cut_between_code_points(marks: int) -> None:
    text = "😀" + "\u0301" * marks
    parts = split(text)
    assert "".join(parts) == text
    assert all(utf16_units(part) <= LIMIT for part in parts)


@pytest.mark.parametrize("text", ["", "   ", "\n\n\t\r\n", "\u3000" * 9000])
def test_nothing_to_say_has_no_parts(text: str) -> None:
    assert split(text) == []


def test_a_text_that_fits_stays_whole() -> None:
    assert split("😀" * 2048) == ["😀" * 2048]


def test_units_of_utf16_count_and_not_characters() -> None:
    assert split("😀" * 2049) == ["😀" * 2048, "😀"]


@pytest.mark.parametrize(
    ("first", "between", "second"),
    [
        ("one two. three\nfour " * 100, "\n\n", "five six. seven\neight " * 150),
        ("one two. three " * 200, "\n", "four five. six " * 200),
        ("one two three " * 200 + "end.", " ", "four five six " * 200),
        ("x" * 4000, " ", "y" * 4000),
        ("x" * 4096, " ", "y"),
        ("x" * 4095 + ".", "\n\n", "y" * 4096),
        ("no", " ", "y" * 4096),
    ],
)
def test_the_cut_falls_on_the_best_place_there_is(first: str, between: str, second: str) -> None:
    assert split(first + between + second) == [first.strip(), second.strip()]


def test_flags_are_not_cut_into_letters() -> None:
    assert all(len(part) % 2 == 0 for part in split("a" + "🇫🇷" * 3000)[1:])


@pytest.mark.parametrize("text", ["lone \ud83d half", "\ud83d" * 5000])
def test_lone_surrogates_are_replaced_because_nobody_can_send_them(text: str) -> None:
    assert "".join(split(text)) == text.replace("\ud83d", "\ufffd")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    ["a", "a b ", "é", "🇫🇷", "🇫", FAMILY, "\u0301", " ", " \u0301", "\u0600", "\n\n x", "x\r\n", "क्", "\u200d😀"],
)
def test_a_megabyte_of_anything_is_split(unit: str) -> None:
    text = unit * (1_000_000 // len(unit.encode()))
    parts = split(text)
    assert "".join("".join(parts).split()) == "".join(text.split())
