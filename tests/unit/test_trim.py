"""Passages that fit a budget and do not say the same twice."""

from __future__ import annotations

from shared.knowledge.trim import fitting, tokens
from shared.model import Passage


def passage(number: int, text: str) -> Passage:
    return Passage(number, 1, "", number, text, 1.0 - number / 100, 0.5)


def chosen(*texts: str, limit: int = 10, budget: int = 1_000) -> list[int]:
    return [p.chunk_id for p in fitting([passage(n, text) for n, text in enumerate(texts)], limit, budget)]


def test_copies_and_versions_give_way_to_what_is_new() -> None:
    text = "you can send anything back within thirty days of delivery"

    assert chosen(text, text.upper(), f"{text} today", "opening hours are nine to six") == [0, 3]


def test_what_is_too_long_makes_room_for_what_is_not() -> None:
    assert chosen("a b c d", "x" * 500, "short one", budget=20) == [0, 2]


def test_the_best_one_stays_whatever_it_takes() -> None:
    assert chosen("x" * 5_000, "y", budget=10) == [0]
    assert chosen() == []


def test_no_more_than_asked_for() -> None:
    assert chosen("one thing", "another matter", "third point", limit=2) == [0, 1]


def test_scripts_without_spaces_count_by_their_characters() -> None:
    assert tokens("abcdefgh") == 2
    assert tokens("三十天内") == 4
