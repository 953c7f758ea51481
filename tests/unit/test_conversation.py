"""What a question still means of what was said before it."""

from __future__ import annotations

import pytest

from shared.knowledge.conversation import ANSWER_CHARS, Said, said_before
from shared.knowledge.embed import Vector
from shared.knowledge.search import understand
from shared.model import ChatLine
from tests.embedder import FakeEmbedder


def lines(*said: str) -> list[ChatLine]:
    """`c: …` is the customer's, `b: …` the bot's."""
    return [ChatLine("customer" if one[0] == "c" else "bot", one[3:]) for one in said]


def test_what_is_longer_ago_counts_less() -> None:
    newest, answer, older = said_before(lines("c: first", "b: answer", "c: second"))

    assert (newest.text, answer.text, older.text) == ("second", "answer", "first")
    assert newest.words > older.words > 0
    assert newest.meaning > older.meaning > 0
    assert (answer.words, answer.meaning > 0) == (0, True)


def test_only_the_last_exchanges_count() -> None:
    long = [f"{'c' if n % 2 == 0 else 'b'}: {n}" for n in range(40)]

    assert [part.text for part in said_before(lines(*long))] == ["39", "38", "37", "36", "35", "34"]


def test_a_burst_is_one_and_empty_lines_are_none() -> None:
    assert [part.text for part in said_before(lines("c: one", "c: ", "c: two"))] == ["one\ntwo"]


def test_a_long_answer_is_cut() -> None:
    assert len(said_before(lines("b: " + "x" * 9_000))[0].text) == ANSWER_CHARS


def test_a_question_leans_towards_what_was_asked_before_and_stays_itself() -> None:
    def cosine(before: list[ChatLine]) -> tuple[float, float]:
        embedder = FakeEmbedder()
        asked = understand(embedder, ["warranty"], deadline_s=1, before=said_before(before))["warranty"].leaning
        assert asked is not None
        own, other = embedder.embed(["warranty", "refund"], deadline_s=1)
        length = sum(value * value for value in asked)
        assert length == pytest.approx(1)
        return sum(a * b for a, b in zip(asked, own, strict=True)), sum(
            a * b for a, b in zip(asked, other, strict=True)
        )

    (own_alone, other_alone), (own_after, other_after) = cosine([]), cosine(lines("c: refund"))

    assert other_after > other_alone
    assert own_alone > own_after > other_after


def test_the_local_model_hears_the_customer_s_earlier_lines_less_than_others_do() -> None:
    def leans(model: str, before: Said) -> float:
        embedder = FakeEmbedder()
        embedder.model = model
        [asked] = understand(embedder, ["warranty"], deadline_s=1, before=[before]).values()
        assert asked.leaning is not None
        own, other = embedder.embed(["warranty", "refund"], deadline_s=1)
        # own + w · other, made 1 long: w follows from the two projections, as the two are not parallel
        a, b, c = _dot(asked.leaning, own), _dot(asked.leaning, other), _dot(own, other)
        return (b - a * c) / (a - b * c)

    assert leans("another", Said("refund", 0.5, 0.5)) == pytest.approx(0.5)
    assert leans("multilingual-e5-small", Said("refund", 0.5, 0.5)) == pytest.approx(0.3)
    assert leans("multilingual-e5-small", Said("refund", 0.0, 0.3)) == pytest.approx(0.3)  # our answer


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
