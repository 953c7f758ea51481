"""Where triage's rules begin and end: how many words, what else a message keeps, and the parts that it is made of."""

from __future__ import annotations

import pytest

from shared.triage import normal, phrase_tree, speech, texts
from shared.triage.classify import Triage, classify, commands_stop


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("?", Triage("remark", "puzzled", asks=True)),
        ("👍", Triage("acknowledgement", "acknowledgement")),
        ("5", Triage("remark", "number")),
        ("1000", Triage("question", "question")),
        ("a", Triage("remark", "unclear")),
        ("What a disgrace! I want to speak to your manager.", Triage("remark", "person")),
        ("What a disgrace! I want to speak to your manager?", Triage("remark", "person", asks=True)),
        ("hello at night?", Triage("question", "question", polite=True, asks=True)),
        ("your agent, is nice", Triage("question", "question")),
        ("agent about my refund", Triage("question", "question")),
        ("I want to talk to a human about my refund", Triage("remark", "person")),
        ("quiero ablar con una persona", Triage("remark", "person")),
        ("hello, agent", Triage("courtesy", "greeting", ("en",))),
        ("call me an uber", Triage("question", "question")),
        ("/start ref-7_a", Triage("command", "start", payload="ref-7_a")),
        ("/unknown_command", Triage("command", "help")),
    ],
)
def test_all_that_a_message_tells_is_kept(text: str, found: Triage) -> None:
    assert classify(text) == found
    assert isinstance(classify(text).asks, bool)


def test_a_courtesy_has_at_most_forty_words() -> None:
    assert classify("hi " * 40).what == "greeting"
    assert classify("hi " * 41).what == "question"


@pytest.mark.parametrize(
    ("text", "stops"),
    [("/stop", True), (" /STOP", True), ("/stop@acme_bot", True), ("stop", False), ("/start", False), ("", False)],
)
def test_only_the_command_stops_a_group(text: str, stops: bool) -> None:
    assert commands_stop(text) is stops


@pytest.mark.parametrize("unseen", ["\u200b", "\x01", "\ud800", "\ue000", "\u0378"])
def test_what_nobody_sees_is_in_no_word(unseen: str) -> None:
    assert normal.of_any(f"há{unseen}llo").words == ("hallo",)


def test_blanks_in_a_row_count_as_one() -> None:
    assert normal.of_any("hi" + "\u2003" * 300 + "há").words == ("hi", "ha")


@pytest.mark.parametrize(
    ("written", "word"),
    [("Çà", "ca"), ("Ёж", "еж"), ("شُكراً", "شكرا"), ("שָׁלוֹם", "שָׁלוֹם"), ("हिन्दी", "हिन्दी")],
)
def test_accents_go_and_signs_that_are_letters_stay(written: str, word: str) -> None:
    assert normal.tokens(written).words == (word,)


def _tree(*phrases: tuple[str, str, str | None]) -> phrase_tree.Node:
    root = phrase_tree.Node()
    for phrase, what, language in phrases:
        phrase_tree.add(root, tuple(phrase.split()), what, language)
    return root


def test_a_text_is_covered_by_the_fewest_phrases() -> None:
    root = _tree(("a", "one", None), ("b", "one", None), ("a b", "two", None), ("b c d", "three", None))
    cover = phrase_tree.cover(root, ["a", "b", "c", "d"])
    assert cover is not None
    assert [part.words for part in cover] == [("a",), ("b", "c", "d")]
    shorter = phrase_tree.cover(root, ["a", "b", "a"])
    assert shorter is not None
    assert [part.words for part in shorter] == [("a", "b"), ("a",)]
    assert phrase_tree.cover(root, ["a", "c"]) is None
    assert phrase_tree.cover(root, []) == []


def test_a_phrase_keeps_its_meanings_each_with_its_languages_once() -> None:
    root = _tree(("ja ja", "yes", "de"), ("ja ja", "yes", "nl"), ("ja ja", "yes", "de"), ("ja ja", "joy", None))
    cover = phrase_tree.cover(root, ["ja", "ja"])
    assert cover is not None
    assert [part.whats for part in cover] == [{"yes": ["de", "nl"], "joy": []}]
    assert set(phrase_tree.all_words(_tree(("a b", "x", None), ("a c", "x", None)))) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("written", "word"),
    [("helllo", "hello"), ("hello", "hello"), ("hahaha", "haha"), ("k", "k"), ("kk", "haha"), ("foo", "foo")],
)
def test_letters_that_are_repeated_spell_the_word_of_the_table(written: str, word: str) -> None:
    known = phrase_tree.Phrases(phrase_tree.Node(), frozenset(("hello",)), {"helo": "hello"})
    assert phrase_tree.spelled_as(known, written) == word


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("کجاست پاکت", "fa"), ("أين الطرد", "ar"), ("де замовлення їх", "uk"), ("где объект їх", "ru"), ("где", "ru"),
        ("ab где", "ru"), ("abc где", None), ("abc 你", None), ("ab 你", "zh"), ("", None), ("123", None),
        ("これ", "ja"), ("제 주문", "ko"), ("που", "el"), ("איפה", "he"), ("ที่ไหน", "th"), ("कहाँ", "hi"),
    ],
)  # fmt: skip
def test_letters_tell_a_language_where_enough_are_of_its_script(text: str, language: str | None) -> None:
    assert speech.by_script(text) == language


def test_words_tell_a_language_where_most_are_of_one() -> None:
    assert speech.candidates("où est mon colis") == ("fr",)
    assert speech.candidates("no") == ("en", "es", "pt", "it")
    assert speech.language(["123", "où est mon colis", "where is it"]) == "fr"
    assert speech.language(["123", "xyz"]) is None
    assert speech.known_words(["où", "est", "colis"], ("fr", "de")) == 2


def test_a_companys_own_text_is_taken_without_white_space_and_told_what_is_wrong() -> None:
    assert texts.checked("greeting", "  Hi,\n\tI am {name} of {company}. ") == "Hi,\n\tI am {name} of {company}."
    assert texts.checked("replies_at", "{opens}") == "{opens}"
    assert texts.checked("not_listed", "{codes}") == "{codes}"
    assert len(texts.checked("greeting", "x" * texts.CHARS_MAX)) == texts.CHARS_MAX


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("greeting", " \n", "empty"),
        ("greeting", "x" * (texts.CHARS_MAX + 1), "may have 2000 characters, and this one has 2001"),
        ("greeting", "a\x00b", "control character"),
        ("greeting", "a\u202eb", "control character"),
        ("greeting", "{opens}", "{opens}, which stands for nothing here: there is {company}, {name}$"),
        ("replies_at", "{codes}", "there is {company}, {name}, {opens}$"),
    ],
)
def test_a_text_that_customers_must_not_get_is_refused(name: str, text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong.replace("{", r"\{").replace("}", r"\}")):
        texts.checked(name, text)
