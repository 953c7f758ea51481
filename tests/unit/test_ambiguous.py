"""Which messages a model may call a courtesy or a wish for a person, and how far the words must bear it out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.llm import prompt
from shared.triage import ambiguous
from shared.triage.classify import classify
from tests.unit.test_utterances import UTTERANCES


@pytest.mark.parametrize(
    "text",
    [
        "cheers mate ur a star", "okey dokey mate", "tysm ily", "gimme a human being pls",
        "besten dank und servus alter",
        "ringing you tomorrow about it", "спс бро огонь", "gracias maquina", "どもでーす助かりました",
    ],
)  # fmt: skip
def test_what_has_no_form_of_a_question_may_be_told_apart(text: str) -> None:
    assert ambiguous.asks_nothing(text)


@pytest.mark.parametrize(
    "text",
    [
        "price?", "how do I stop my subscription", "my parcel never came", "it doesn't work", "order 4711", "€",
        "quanto costa", "wo ist mein Paket", "где мой заказ", "在哪里", "返品したい", "kargom nerede", "कीमत कितनी है",
        "배송 언제", "", "👍", "word " * 11,
    ],
)  # fmt: skip
def test_what_asks_or_complains_is_never_left_to_a_model(text: str) -> None:
    assert not ambiguous.asks_nothing(text)


@pytest.mark.parametrize(
    ("text", "borne"),
    [
        ("thanks bro ur a legend", True), ("ok super duper", True), ("tysm ily", True), ("parcel broken", False),
        ("thanks but my parcel came broken into pieces", False), ("", False),
    ],
)  # fmt: skip
def test_a_courtesy_needs_words_of_one_and_little_else(text: str, borne: bool) -> None:
    assert ambiguous.bears_out(text) is borne


def test_hardly_a_question_of_the_table_is_left_to_a_model() -> None:
    """Those that are, are told without a verb of asking ("opening hours", "refund"). At the worst, where a model is
    wrong about them, too, a few are greeted; the others are asked what is wanted."""
    asked = [text for _, what, text in UTTERANCES if what == "question" and classify(text).kind == "question"]
    left = [text for text in asked if ambiguous.asks_nothing(text)]
    borne = [text for text in left if ambiguous.bears_out(text)]
    assert len(left) / len(asked) < 0.2
    assert len(borne) / len(asked) < 0.04, borne


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[thanks]", "thanks"), (" **[Person]** ", "person"), ("【ok】.", "ok"), ("[thanks] You're welcome!", None),
        ("[refund]", None), ("ok", None), ("[ok]" + " " * 200, None), ("We open at nine [1].", None), ("", None),
    ],
)  # fmt: skip
def test_a_marker_counts_alone(text: str, said: str | None) -> None:
    assert prompt.said_to_be(text) == said


@given(st.text(max_size=300))
def test_any_text_is_judged(text: str) -> None:
    ambiguous.asks_nothing(text)
    ambiguous.bears_out(text)
    prompt.said_to_be(text)
