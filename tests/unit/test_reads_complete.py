"""Messages after which nothing follows."""

from __future__ import annotations

import pytest

from shared.triage.complete import is_question, reads_complete


@pytest.mark.parametrize(
    "text",
    [
        "When does the shop open?", "When does the shop open??", "“Can I return worn shoes?”",
        "Wann macht der Laden auf?", "¿Cuándo abre la tienda?", "什么时候开门营业？", "متى يفتح المتجر اليوم؟",
        "What does it cost?!",
        "Hi! Can I return my shoes?", "Kann ich die Schuhe zurückgeben, wenn ich sie getragen habe?",
    ],
)  # fmt: skip
def test_a_whole_question_reads_complete(text: str) -> None:
    assert reads_complete(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "?", "Hello?", "how are you?", "When does the shop open", "One question:", "Open?",
        "I have a question.", "And then? I tried it again", "营业？", "thank you?",
        "Can I talk to a real person please?",
    ],
)  # fmt: skip
def test_what_may_go_on_does_not(text: str) -> None:
    assert not reads_complete(text)


def test_only_what_is_searched_for_is_begun_early() -> None:
    assert is_question("my parcel has not come")
    assert not any(map(is_question, (None, "", "hello", "thanks a lot", "stop", "ok 👍")))


def test_a_long_text_is_read_at_its_end_alone() -> None:
    assert reads_complete("the shoes are worn " * 50_000 + "so may I return them?")
