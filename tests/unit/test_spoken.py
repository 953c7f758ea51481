"""The language that a customer is answered in, where the words alone do not tell it."""

from __future__ import annotations

import pytest

from shared.channels.fields import language as code_of
from shared.triage import texts
from shared.triage.spoken import Known, language

ENGLISH, GERMAN = ("When do you open?",), ("Wann öffnen Sie am Sonntag?",)


@pytest.mark.parametrize(
    ("said", "before", "code", "company", "wanted"),
    [
        ("no", ENGLISH, None, None, "en"), ("no", GERMAN, None, None, "de"), ("no", (), "es", None, "es"),
        ("no", (), None, "it", "it"), ("no", (), None, None, "en"), ("no thanks", GERMAN, None, None, "en"),
        ("no", ("hello",), "es", "it", "en"), ("gracias", ENGLISH, None, None, "es"),
        ("merci", ENGLISH, None, None, "en"),
        ("merci", (), None, None, "de"), ("merci", (), "fr", None, "fr"), ("?", GERMAN, "en", None, "de"),
        ("1", (), "pt", None, "pt"), ("test", (), None, "nl", "nl"), ("ok", ENGLISH, "de", None, "en"),
        ("Hallo", (), None, None, "de"), ("Hallo", (), "nl", None, "nl"), ("Hallo", (), "en", None, "de"),
        ("Ciao", (), None, None, "it"), ("Ciao", (), "en", None, "it"), ("ciao bella", (), None, None, "it"),
        ("Hej", (), None, None, "sv"), ("Hej", (), "pl", None, "pl"), ("Hej", (), "da", None, "da"),
        ("Hej", (), None, "pl", "pl"), ("my order has not come", (), None, None, "en"), ("wann", (), "en", None, "de"),
        ("Quiero hablar con una persona", ENGLISH, "en", None, "es"), ("担当者", ENGLISH, "en", None, "ja"),
        ("Kan jag prata med en människa?", (), "sv", "de", "sv"),
        ("Kan jag prata med en människa?", (), None, "de", "sv"),
        ("Kan jeg tale med et menneske?", (), "da", "de", "da"), ("Går det att byta skor", (), "sv", "de", "sv"),
        ("Puhutko suomea de", (), "fi", "de", "fi"), ("Tack", (), "sv", "de", "sv"), ("Hej", (), "sv", "de", "sv"),
        ("Kan ik morgen mijn pakket ophalen?", (), "sv", None, "nl"),
        ("Wann öffnen Sie am Sonntag und wie lange haben Sie offen?", (), "sv", None, "de"),
    ],
)  # fmt: skip
def test_short_words_are_of_the_language_of_the_conversation(
    said: str, before: tuple[str, ...], code: str | None, company: str | None, wanted: str | None
) -> None:
    assert language([said], before, None, Known(code, company)) == wanted


def test_words_shared_with_another_language_tell_nothing_of_what_was_said_before_either() -> None:
    assert language(["?"], ["Puhutko suomea de"], None, Known("fi", "de")) == "fi"
    assert language(["?"], ["Puhutko suomea de"], None, Known(None, "de")) == "nl"


def test_the_bot_s_last_text_tells_where_the_customer_s_do_not() -> None:
    assert language(["no"], ["1"], texts.default("greeting", "it"), Known("es")) == "it"


@pytest.mark.parametrize(
    ("written", "code"),
    [("pt-BR", "pt"), ("zh_Hans", "zh"), ("de,en;q=0.5", "de"), ("nb", "no"), ("*", None), ("", None), (7, None),
     ("x" * 99, None)],
)  # fmt: skip
def test_a_language_tag_begins_with_its_code(written: object, code: str | None) -> None:
    assert code_of(written) == code
