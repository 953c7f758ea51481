"""Two machines that talk with each other come to an end, whatever they say; people are not taken for machines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared import channels
from shared.model import Answer, ChatLine
from shared.store.answers.replies import DAY_ANSWER_EVERY_S
from shared.store.answers.turns import Turn
from shared.store.assistants.assistants import Assistant
from shared.store.tenants.companies import Company
from shared.triage import echo, texts
from tasks.answers import manners
from tasks.answers.turn_context import Case
from tests.factories import settings

NOW = datetime(2031, 3, 5, 12, tzinfo=UTC)
EVERY = sorted(set(texts.every()))
ANSWERED = sorted({texts.default(name, "en") for name in texts.NAMES})
"""In one language: what is an echo does not depend on it."""
PLATFORMS = channels.build(settings().channels)
ENDS_WITHIN = 2
TURN = Turn(
    company_id=1, id=1, conversation_id=1, channel_id=1, epoch=1, attempts=1, first_seq=1, last_seq=1, received_at=NOW,
    due_at=NOW, chat="1", platform="widget", bot_enabled=True, message_count=1, request_id="r", account="a",
    last_message=None, last_customer_at=NOW,
)  # fmt: skip
COMPANY = Company(1, "acme", "Acme")
ASSISTANT = Assistant(1, "support", True, "Robin")


def _case(*history: tuple[str, str], said: str = "", assistant: Assistant = ASSISTANT, **values: object) -> Case:
    lines = tuple(ChatLine(role, text) for role, text in history)  # type: ignore[arg-type]
    return Case(TURN, COMPANY, assistant, (ChatLine("customer", said),), lines, (), b"", {}, **values)  # type: ignore[arg-type]


def _answer(case: Case, per_hour: int | None = 60) -> Answer | None:
    """None: it is a question."""
    case = manners.judged(case, per_hour)
    if case.triage is not None and case.triage.kind == "question":
        return None
    return manners.without_question(case, NOW)


def _answers(texts_heard: list[str], said: list[str]) -> str | None:
    """What a Switchboard that knows nothing says to the last of these, None: nothing."""
    history = [
        line for heard, own in zip(texts_heard, said, strict=False) for line in (("customer", heard), ("bot", own))
    ]
    answer = _answer(_case(*history, said=texts_heard[-1]))
    if answer is None:
        return texts.default("unknown", "en")
    return answer.text or None


@pytest.mark.parametrize("begins", EVERY)
def test_two_systems_that_hear_each_other_s_texts_end(begins: str) -> None:
    """One says this text; what the other says comes back to it as a customer's words, and so on."""
    for answered in ANSWERED:
        heard: tuple[list[str], list[str]] = ([begins], [])
        said: tuple[list[str], list[str]] = ([answered], [begins])
        heard[1].append(answered)
        turn, replies = 1, 0
        while (text := _answers(heard[turn], said[turn])) is not None:
            replies += 1
            assert replies <= ENDS_WITHIN, (begins, answered)
            said[turn].append(text)
            turn = 1 - turn
            heard[turn].append(text)


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_each_text_is_an_echo_as_each_channel_brings_it_back(platform: str) -> None:
    long = "Parcels take three days, and five in winter. [1] " * 400
    for text in [*EVERY, long]:
        parts = [str(part) for part in PLATFORMS[platform].split(text)]
        assert echo.without(parts, [long], []) == [], text


@pytest.mark.parametrize(
    "sent_back",
    ["We open at **nine** [1].", "  we open at nine[1]", "WE OPEN AT\u200b NINE — [1]!", "> We open at _nine_. [1]"],
)
def test_the_bot_s_own_words_sent_back_are_an_echo(sent_back: str) -> None:
    answer = _answer(_case(("customer", "When?"), ("bot", "We open at nine [1]."), said=sent_back))

    assert answer is not None
    assert (answer.step, answer.step_reason, answer.text) == ("silence", "echo", "")


@pytest.mark.parametrize(
    "asked", ["We open at nine?", "nine", "We open at nine [1]. And on Sundays?", "Who opens at nine"]
)
def test_who_asks_with_the_bot_s_words_is_no_echo(asked: str) -> None:
    assert _answer(_case(("customer", "When?"), ("bot", "We open at nine [1]."), said=asked)) is None


def test_a_question_beside_an_echo_is_kept_alone() -> None:
    said = texts.default("unknown", "de")
    case = _case(said=said)
    case = replace(case, burst=(*case.burst, ChatLine("customer", "When do you open?")))

    assert [line.text for line in manners.judged(case, 12).burst] == ["When do you open?"]


def test_a_company_s_own_long_text_is_an_echo_before_it_was_said_and_a_short_one_is_not() -> None:
    own = {"greeting": {"*": "Hi"}, "welcome": {"en": "Welcome to {company}'s shop, dear friend of shoes!"}}
    assistant = replace(ASSISTANT, texts=own)
    welcome = _answer(_case(said="Welcome to Acme's shop, dear friend of shoes!", assistant=assistant))
    hi = _answer(_case(said="Hi", assistant=assistant))

    assert welcome is not None
    assert hi is not None
    assert (welcome.step_reason, hi.step_reason) == ("echo", "greeting")


@pytest.mark.parametrize(("answers", "reason"), [(199, "greeting"), (200, "loop")])
def test_so_many_answers_a_day_are_given(answers: int, reason: str) -> None:
    answer = _answer(_case(said="Hello", day_ahead_s=answers * DAY_ANSWER_EVERY_S - 1))

    assert answer is not None
    assert answer.step_reason == reason


@pytest.mark.parametrize(
    ("said", "had", "told", "step", "reason"),
    [
        ("Hello", 59, False, "courtesy", "greeting"),
        ("Hello", 60, False, "notice", "answers_limit"),
        ("Hello", 61, True, "silence", "answers_limit"),
        ("When do you open?", 60, False, "notice", "answers_limit"),
        ("/help", 60, True, "silence", "answers_limit"),
        ("ok", 60, False, "silence", "acknowledgement"),
        ("I want to talk to a human", 60, True, "handover", "wants_person"),
        ("/stop", 60, True, "notice", "stop"),
    ],
)
def test_who_has_had_an_hour_s_answers_is_told_so_once(said: str, had: int, told: bool, step: str, reason: str) -> None:
    answer = _answer(_case(said=said, answers_hour=had, limit_told=told))

    assert answer is not None
    assert (answer.step, answer.step_reason) == (step, reason)
    assert bool(answer.text) == (step != "silence")


def test_no_number_of_answers_is_too_many_where_the_limit_is_none() -> None:
    answer = _answer(_case(said="Hello", answers_hour=1_000), per_hour=None)

    assert answer is not None
    assert answer.step_reason == "greeting"


YES = ["sure", "はい", "네", "예", "yes ok", "yes, thank you", "네 감사합니다", "klar", "да", "sí, gracias"]
OFFER = "I found two parcels. Shall I tell you about both? [1]"


@pytest.mark.parametrize("said", YES)
def test_a_yes_to_what_the_bot_asked_is_a_question_in_context(said: str) -> None:
    assert _answer(_case(("customer", "parcels"), ("bot", OFFER), said=said)) is None


@pytest.mark.parametrize("said", ["sure", "はい", "네", "예", "yes ok"])
def test_a_yes_to_the_offer_of_a_person_hands_over_and_one_after_an_answer_is_nothing(said: str) -> None:
    unknown = texts.default("unknown", "en")
    handed_over = _answer(_case(("customer", "x"), ("bot", unknown), said=said, bot_step="unknown"))
    assert handed_over is not None
    assert (handed_over.step, handed_over.step_reason, handed_over.bot) == ("handover", "offer_accepted", "hands_over")

    silent = _answer(_case(("customer", "x"), ("bot", "We open at nine [1]."), said=said, bot_step="full"))
    assert silent is not None
    assert silent.step == "silence"


@pytest.mark.parametrize("said", ["ok", "👍", "great", "thanks", "alles klar", "好的", "no problem"])
def test_what_is_no_yes_stays_what_it_is_after_a_question(said: str) -> None:
    answer = _answer(_case(("customer", "parcels"), ("bot", OFFER), said=said))

    assert answer is not None
    assert answer.step in ("silence", "courtesy")


@pytest.mark.parametrize("said", ["🆘", "😡", "👎", "👎🏽", "ok 😡", "thanks 👎", "😢", "☹️"])
def test_an_emoji_that_calls_for_help_gets_a_person(said: str) -> None:
    answer = _answer(_case(said=said))

    assert answer is not None
    assert (answer.step, answer.step_reason) == ("unknown", "upset")


@pytest.mark.parametrize("said", ["I see nothing", "nothing", "nichts", "nada", "ничего"])
def test_a_word_that_says_something_is_no_acknowledgement(said: str) -> None:
    assert _answer(_case(said=said)) is None
