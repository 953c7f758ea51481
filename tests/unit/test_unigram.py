"""Pieces of a vocabulary: the ids that the model's own engine gives, and the best way where several are possible."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from shared.knowledge import unigram
from shared.knowledge.e5 import UNKNOWN
from shared.knowledge.unigram import Unigram

MADE: dict[str, Any] = json.loads(Path(__file__).with_name("e5_ids.json").read_text())
"""By scripts/make_e5_ids.py, with the engine's ids and every piece that stands in one of its texts."""


def _vocabulary() -> Unigram:
    last = max(number for number, _ in MADE["pieces"].values())
    pieces, scores = [f"\0{number}" for number in range(last + 1)], [MADE["rarest"]] * (last + 1)
    for piece, (number, score) in MADE["pieces"].items():
        pieces[number], scores[number] = piece, score
    return Unigram(pieces, scores, MADE["characters"], unknown=UNKNOWN)


VOCABULARY = _vocabulary()


@pytest.mark.parametrize(("text", "ids"), MADE["texts"])
def test_a_text_of_any_script_has_the_ids_that_the_model_s_engine_gives_it(text: str, ids: list[int]) -> None:
    assert VOCABULARY.ids(text) == ids


def test_the_fixture_holds_many_scripts_and_characters_that_are_unknown() -> None:
    scripts = {unicodedata.name(char, "?").split()[0] for text, _ in MADE["texts"] for char in text if char.isalpha()}

    assert len(scripts) >= 20
    assert any(UNKNOWN in ids for _, ids in MADE["texts"])


def test_a_letter_with_its_accent_apart_is_the_same_letter() -> None:
    text = "Wie lange für Ärger, café?"
    assert VOCABULARY.ids(unicodedata.normalize("NFD", text)) == VOCABULARY.ids(text)


def _small(**scores: float) -> Unigram:
    pieces = ["?", "\u2581", *scores]
    return Unigram(pieces, [-9.0, -1.0, *scores.values()], {"\t": " ", "Ａ": "a"}, unknown=0)


def test_the_way_with_the_highest_sum_is_taken_and_not_the_longest_piece() -> None:
    vocabulary = _small(ab=-1.0, abc=-8.0, c=-1.0)
    assert vocabulary.ids("abc") == [1, 2, 4]


def test_a_character_without_a_piece_is_unknown_and_its_neighbours_are_not() -> None:
    assert _small(a=-1.0).ids("axa") == [1, 2, 0, 2]


def test_characters_become_what_the_model_was_trained_on_and_blanks_one() -> None:
    vocabulary = _small(a=-1.0)
    assert vocabulary.ids("Ａ\t \ta") == vocabulary.ids("a a") == [1, 2, 1, 2]


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unigram, "WORDS_MAX", 2)
    vocabulary = _small(a=-1.0, aa=-1.5)
    words = ["a", "aa", "aaa", "a" * 50, "a", "aa"]

    assert [vocabulary.ids(word) for word in words] == [_small(a=-1.0, aa=-1.5).ids(word) for word in words]
    assert len(vocabulary._known) <= 2
