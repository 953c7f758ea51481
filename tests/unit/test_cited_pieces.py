"""Of a model's answer nothing is shown before it has cited something."""

from __future__ import annotations

import pytest

from shared.model import Passage
from tasks.answers.cited_pieces import CitedPieces
from tests.unit.fixtures_prompt import RETURNS, SHIPPING

PASSAGES: list[Passage] = [RETURNS, SHIPPING]


class Heard:
    def __init__(self) -> None:
        self.said: list[str] = []

    def piece(self, text: str) -> None:
        self.said.append(text)

    def restart(self) -> None:
        self.said.append("restart")


def _heard(*pieces: str) -> list[str]:
    heard = Heard()
    held = CitedPieces(heard, PASSAGES)
    for piece in pieces:
        held.piece(piece)
    return heard.said


@pytest.mark.parametrize(
    "answer", ["I do not know that from the information I was given.", "It is free [3].", "See [ref].", "x [1"]
)
def test_an_answer_without_a_citation_is_never_shown(answer: str) -> None:
    assert _heard(*answer) == []
    assert _heard(answer) == []


def test_a_citation_shows_what_was_held_back_and_the_rest_as_it_comes() -> None:
    assert _heard("It takes ", "five days [", "2", "]", ". More", " [1].") == [
        "It takes five days [2]", ". More", " [1].",
    ]  # fmt: skip


def test_another_attempt_begins_with_nothing() -> None:
    heard = Heard()
    held = CitedPieces(heard, PASSAGES)
    held.piece("Free [1].")
    held.restart()
    held.piece("I do not know.")

    assert heard.said == ["Free [1].", "restart"]


def test_of_an_attempt_that_was_given_up_nothing_is_left() -> None:
    heard = Heard()
    held = CitedPieces(heard, PASSAGES)
    held.piece("Yes [9]")
    held.restart()
    held.piece("Thirty days [1]")
    held.piece(".")
    held.restart()
    held.piece("No.")
    assert heard.said == ["restart", "Thirty days [1]", ".", "restart"]
