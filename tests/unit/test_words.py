"""What the words of a question say of a chunk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from shared.knowledge.words import GAP, K1, B, Candidate, weighed
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


# ------------------------------------------------------------------ values

WORDS = {("english", "red"): Word(2.0, 50.0), ("english", "shoe"): Word(3.0, 40.0), ("german", "rot"): Word(5.0, 20.0)}


def _hit(
    number: int, places: Mapping[str, str], *, length: int = 50, language: str = "english", cosine: float | None = None
) -> Hit:
    return Hit(number, 10 * number, 7, f"Guide {number}", number > 1, language, length, places, cosine)


def _weighed(hits: Sequence[Hit], asked: Sequence[str] = ("red", "shoe"), chunks: int = 10) -> list[Candidate]:
    return weighed(Hits(WORDS, {"english": asked, "german": ["rot"]}, {"english": chunks, "german": 4}, hits))


def _bm25(tells: float, times: int, length: float, mean: float) -> float:
    return tells * times * (K1 + 1) / (times + K1 * (1 - B + B * length / mean))


def test_a_chunk_is_weighed_by_bm25_over_the_words_of_its_language() -> None:
    """By hand: k1 = 1.2, b = 0.75, the word's weight times how often it stands there, tempered by the length."""
    places = {"rot": "9", "red": "1,5,30A", "unasked": "2", "blank": "", "shoe": "60"}
    [found] = _weighed([_hit(1, places, length=100, cosine=0.5)])

    expected = _bm25(2.0, 3, 100, 50.0) + _bm25(3.0, 1, 100, 40.0)
    assert found.bm25 == pytest.approx(expected)
    assert expected == pytest.approx(2 * 3 * 2.2 / (3 + 1.2 * 1.75) + 3 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2.5)))
    assert (found.told, found.share, found.cosine) == (5.0, 1.0, 0.5)
    assert found[:5] == (1, 10, 7, "Guide 1", False)


def test_a_chunk_s_share_is_what_it_has_of_what_the_words_tell() -> None:
    one, none, other = _weighed([
        _hit(1, {"shoe": "3"}), _hit(2, {"rot": "1"}, cosine=0.25), _hit(3, {"rot": "1"}, language="german"),
    ])  # fmt: skip

    assert [one.share, none.share, other.share] == pytest.approx([0.6, 0.0, 1.0])
    assert (none.bm25, none.cosine, none.phrases) == (None, 0.25, 0.0)
    assert (one.told, other.told) == (5.0, 5.0)
    assert one.bm25 == pytest.approx(_bm25(3.0, 1, 50, 40.0))


def test_where_the_question_has_no_word_of_a_chunk_s_language_nothing_is_told_and_nothing_divides_by_zero() -> None:
    [found] = _weighed([_hit(1, {}, language="french", cosine=0.5)])
    assert (found.bm25, found.told, found.share) == (None, 1e-9, 0.0)
    silent = Hits({("english", "the"): Word(0.0, 50.0)}, {}, {}, [_hit(1, {"the": "1"})])
    assert [(each.told, each.bm25) for each in weighed(silent)] == [(1e-9, None)]


def test_a_phrase_is_weighed_by_how_few_chunks_have_it_and_how_often_it_stands_there() -> None:
    once, twice, apart = _weighed([
        _hit(1, {"red": "4", "shoe": "5"}),
        _hit(2, {"red": "1,20", "shoe": "3,21A"}),
        _hit(3, {"red": "1", "shoe": "9"}),
    ])  # fmt: skip

    tells = math.log(1 + (10 - 2 + 0.5) / 2.5)  # two of ten chunks have it
    assert once.phrases == pytest.approx(tells * 2.2 / 2.2)
    assert twice.phrases == pytest.approx(tells * 2 * 2.2 / 3.2)
    assert apart.phrases == 0.0


def test_a_phrase_that_every_chunk_has_still_tells_a_little() -> None:
    [found] = _weighed([_hit(1, {"red": "4", "shoe": "5"})], chunks=0)
    assert found.phrases == pytest.approx(math.log(1 + 0.5 / 1.5))


def test_several_phrases_of_a_question_add_up() -> None:
    one, more = _weighed([
        _hit(1, {"red": "4", "shoe": "5", "for": "8"}), _hit(2, {"red": "4", "shoe": "5", "for": "6"}),
    ], asked=("red", "shoe", "for", "for"))  # fmt: skip
    both, single = math.log(1 + 8.5 / 2.5), math.log(1 + 9.5 / 1.5)
    assert one.phrases == pytest.approx(both + both)  # `for` is three places behind `shoe`, too
    assert more.phrases == pytest.approx(both + both)
    assert single > both

    [alone] = _weighed([_hit(1, {"shoe": "5", "for": f"{5 + GAP}"})], asked=("nothing", "red", "shoe", "for"))
    assert alone.phrases == pytest.approx(single)
