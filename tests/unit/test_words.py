"""What the words of a question say of a chunk."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shared.knowledge.words import GAP, weighed
from shared.store.knowledge.passages import Hit, Hits, Word


def _phrases(places: Mapping[str, str]) -> float:
    """How much a chunk with the question's words at these places gets for having them together; asked: `red shoes`."""
    words = {("english", lexeme): Word(2.0, 50.0) for lexeme in ("red", "shoe")}
    hit = Hit(1, 1, 0, "", False, "english", 50, places, None)
    [found] = weighed(Hits(words, {"english": ["red", "shoe"]}, {"english": 10}, [hit]))
    return found.phrases


def test_words_that_stand_together_as_they_were_asked_are_a_phrase() -> None:
    assert _phrases({"red": "4", "shoe": "5"}) > 0


@pytest.mark.parametrize("places", [{"red": "5", "shoe": "4"}, {"red": "4", "shoe": f"{4 + GAP + 1}"}, {"red": "4"}])
def test_words_reversed_or_far_apart_or_alone_are_none(places: Mapping[str, str]) -> None:
    assert _phrases(places) == 0
