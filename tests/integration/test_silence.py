"""A customer silences the bot, and what ends the silence."""

from __future__ import annotations

import pytest

from shared.triage import texts
from tasks.answers import returns
from tasks.answers.reply import Result
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot
from tests.integration.handing_over import (
    PERSON,
    bot_and_status,
    bot_that_returns,
    hours_pass,
    in_the_list,
    replies,
    run_return,
    say,
    set_bot,
    set_policy,
    write,
)
from tests.integration.station import Station


@pytest.fixture
def bot(station: Station, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Bot:
    return bot_that_returns(station, redis_url, monkeypatch)


# ------------------------------------------------------------------ silenced by the customer


def test_stop_silences_the_bot_until_start_and_says_so(station: Station, bot: Bot) -> None:
    assert say(station, bot, "/stop", "When does the shop open?", "hello") == [
        Result.ANSWERED, Result.NO_REPLY, Result.NO_REPLY,
    ]  # fmt: skip
    assert replies(station) == [texts.filled(texts.default("paused", "en"), name="Assistant")]
    assert bot_and_status(station) == (False, "paused", "stop")
    assert in_the_list(station, bot).attention == "paused_question"

    assert say(station, bot, "/start", "When does the shop open?") == [Result.ANSWERED] * 2

    assert bot_and_status(station) == (True, "open", None)
    assert station.rows("SELECT step, reason, bot FROM receipts ORDER BY turn_id") == [
        ("notice", "stop", "pauses"), ("silence", "paused_question", None), ("silence", "paused", None),
        ("welcome", "start", "resumes"), ("full", "model", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said", ["Robin, when does the shop open?", "when does the shop open, robin?", "@{handle} when does the shop open?"]
)
def test_a_question_to_it_by_name_ends_the_silence(station: Station, bot: Bot, said: str) -> None:
    set_policy(station, name="Robin")
    [(handle,)] = station.rows("SELECT handle FROM channels")
    say(station, bot, "stop")

    assert say(station, bot, said.format(handle=handle)) == [Result.ANSWERED]

    assert bot_and_status(station) == (True, "open", None)
    assert replies(station)[-1] == "We open at nine [1]."


def test_a_bot_that_is_called_back_and_knows_nothing_calls_a_person(station: Station, bot: Bot) -> None:
    say(station, bot, "/stop", "Assistant, quantum chromodynamics?")

    assert bot_and_status(station) == (True, "open", None)
    assert in_the_list(station, bot).attention == "nothing_relevant"


def test_a_silenced_bot_hands_over_to_a_person(station: Station, bot: Bot) -> None:
    say(station, bot, "stop", PERSON)

    assert bot_and_status(station) == (False, "handed_over", "wants_person")


def test_a_silenced_bot_says_how_it_is_called_back_and_stays_silent(station: Station, bot: Bot) -> None:
    assert say(station, bot, "/stop", "/help", "When does the shop open?") == [
        Result.ANSWERED, Result.ANSWERED, Result.NO_REPLY,
    ]  # fmt: skip
    assert replies(station)[1] == texts.filled(texts.default("paused", "en"), name="Assistant")

    assert bot_and_status(station) == (False, "paused", "stop")


def test_a_name_in_the_middle_of_a_question_ends_no_silence(station: Station, bot: Bot) -> None:
    set_policy(station, name="Robin")
    say(station, bot, "stop", "is the Robin Hood hat in stock", "robinson shoes?")

    assert bot_and_status(station) == (False, "paused", "stop")


def test_a_silence_never_ends_by_itself(station: Station, bot: Bot) -> None:
    say(station, bot, "/stop")
    hours_pass(station, 24 * 20)

    assert run_return(station) == 0
    assert bot_and_status(station) == (False, "paused", "stop")


def test_a_silence_outlasts_an_agent_and_the_return_without_a_word(station: Station, bot: Bot) -> None:
    say(station, bot, "/stop")
    write(station, bot)
    assert bot_and_status(station) == (False, "handed_over", "agent")
    assert in_the_list(station, bot).returns_at is None
    hours_pass(station, 12.1)

    run_return(station)

    assert (bot_and_status(station), len(replies(station))) == ((False, "paused", "stop"), 1)
    assert say(station, bot, "When does the shop open?", "/start", "When does the shop open?") == [
        Result.NO_REPLY, Result.ANSWERED, Result.ANSWERED,
    ]  # fmt: skip
    assert (bot_and_status(station), replies(station)[-1]) == ((True, "open", None), "We open at nine [1].")


def test_a_preview_of_the_return_leaves_out_who_is_silenced(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 12.1)
    assert _would_return(station) == 1

    say(station, bot, "/stop")
    write(station, bot)
    hours_pass(station, 12.1)

    assert _would_return(station) == 0


def _would_return(station: Station) -> int:
    with station.r.db.connection() as conn:
        return jobs.preview(returns.RETURN, Work(conn, station.r.settings, station.r.clock, station.r)).rows


def test_a_silence_outlasts_the_return_also_where_the_customer_writes_before_the_job(
    station: Station, bot: Bot
) -> None:
    say(station, bot, "/stop")
    write(station, bot)
    hours_pass(station, 12.1)

    assert say(station, bot, "When does the shop open?") == [Result.NO_REPLY]

    assert (bot_and_status(station), len(replies(station))) == ((False, "paused", "stop"), 1)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("writes", [True, False])
def test_a_silence_outlasts_a_hand_back_and_a_close(station: Station, bot: Bot, closed: bool, writes: bool) -> None:
    say(station, bot, "/stop")
    if writes:
        write(station, bot)

    assert set_bot(station, bot, enabled=True, closed=closed) is False

    assert bot_and_status(station) == (False, "closed" if closed else "paused", "stop")
    assert say(station, bot, "When does the shop open?") == [Result.NO_REPLY]
    assert bot_and_status(station) == (False, "paused", "stop")
    assert say(station, bot, "Assistant, when does the shop open?") == [Result.ANSWERED]
    assert bot_and_status(station) == (True, "open", None)
    assert set_bot(station, bot, enabled=False) is False
    assert set_bot(station, bot, enabled=True) is True


@pytest.mark.parametrize(
    ("said", "left"), [(["/stop"], (False, "paused", "stop")), (["/stop", "/start"], (True, "open", None))]
)
def test_a_stop_while_a_person_has_the_conversation_holds_once_they_are_done(
    station: Station, bot: Bot, said: list[str], left: tuple[bool, str, str | None]
) -> None:
    say(station, bot, PERSON)
    assert set(say(station, bot, *said)) == {Result.NOTHING_DUE}
    assert bot_and_status(station) == (False, "handed_over", "wants_person")

    assert set_bot(station, bot, enabled=True) is left[0]

    assert bot_and_status(station) == left


def test_a_wish_that_is_only_told_ends_the_silence_too(station: Station, bot: Bot) -> None:
    set_policy(station, on_wish="tell")
    assert say(station, bot, "/stop", PERSON, "When does the shop open?") == [Result.ANSWERED] * 3

    assert bot_and_status(station) == (True, "open", None)
    assert in_the_list(station, bot).attention == "wants_person"


def test_a_wish_for_a_person_ends_the_silence_for_good(station: Station, bot: Bot) -> None:
    say(station, bot, "/stop", PERSON)

    assert set_bot(station, bot, enabled=True) is True
    assert bot_and_status(station) == (True, "open", None)
