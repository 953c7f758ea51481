from __future__ import annotations

import pytest

from shared.triage.asked import asked


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("Hallo, ich hätte eine Frage: Wann habt ihr offen? Viele Grüße", "Wann habt ihr offen?"),
        ("Sehr geehrte Damen und Herren, wann öffnen Sie? Mit freundlichen Grüßen Max Mustermann", "wann öffnen Sie?"),
        ("hallo wie lange kann ich stiefel zurückgeben", "wie lange kann ich stiefel zurückgeben"),
        ("@acme_bot when are you open?", "when are you open?"),
        ("<@U123> when are you open?", "when are you open?"),
        ("when are you open? @acme_bot", "when are you open?"),
        ("Hello\n\nWhere is my parcel?\n\nBest regards\nTom Smith", "Where is my parcel?"),
        ("Bonjour, avez-vous des bottes ? Merci d'avance. Cordialement, Marie", "avez-vous des bottes ?"),
        ("merhaba, iade süresi kaç gün? teşekkürler", "iade süresi kaç gün?"),
        ("Здравствуйте, у меня вопрос: когда вы открыты? Заранее спасибо", "когда вы открыты?"),
        ("السلام عليكم، متى تفتحون؟ وشكرا لكم", "متى تفتحون؟"),
        ("你好，我想问一下：停车免费吗？ 谢谢", "停车免费吗？"),
        ("请问停车免费吗", "停车免费吗"),
        ("Thanks! When are you open?", "When are you open?"),
    ],
)
def test_what_stands_around_a_question_is_left_out(said: str, question: str) -> None:
    assert asked(said) == question


@pytest.mark.parametrize(
    "text",
    [
        "help", "hi", "@acme_bot", "", "Morgen offen?", "Help center hours", "how do I use @property in python?",
        "Thank-you cards: do you sell them?", "Tag der offenen Tür wann?", "paypal?", "cancel", "you open today?",
        "Any discounts for students, friends or family?", "write to info@example.com?",
    ],
)  # fmt: skip
def test_a_question_without_courtesies_stays_as_it_is(text: str) -> None:
    assert asked(text) == text


def test_a_long_text_is_read_at_its_beginning() -> None:
    for word in ("word ", "words ", "a ", "\n\nwords"):
        assert asked("Hello, " + word * 3_000 + "end").split() == (word * 3_000 + "end").split()
    assert asked("Hello, " + "w" * 3_993) == "w" * 3_993
    assert asked("Hello, " + "w" * 3_994) == "w" * 3_994
