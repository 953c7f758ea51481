"""The bot comes back to a conversation that a person had, once nobody writes there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import faults
from shared.hours import DAYS
from shared.triage import texts
from tasks.answers.reply import Result
from tasks.inbox import takeover
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


# ------------------------------------------------------------------ the bot comes back


def test_the_bot_comes_back_once_nobody_has_written_for_a_while_and_says_so_once(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    assert run_return(station) == 0
    hours_pass(station, 12.1)

    assert [run_return(station), run_return(station)] == [1, 0]

    assert bot_and_status(station) == (True, "open", None)
    assert in_the_list(station, bot).attention == "wants_person"  # nobody has looked at it yet
    assert replies(station)[1:] == [texts.default("returned", "en")]
    station.deliver_all()
    assert station.telegram.texts[-1] == texts.default("returned", "en")
    assert say(station, bot, "When does the shop open?") == [Result.ANSWERED]
    assert replies(station)[2:] == ["We open at nine [1]."]


def test_who_writes_before_the_job_has_come_is_answered_and_told_in_the_answer(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 13)

    assert say(station, bot, "When does the shop open?", "And when does it open?") == [Result.ANSWERED] * 2

    assert replies(station)[1:] == [
        f"{texts.default('returned', 'en')}\n\nWe open at nine [1].", "We open at nine [1].",
    ]  # fmt: skip
    assert station.rows("SELECT step, bot FROM receipts ORDER BY turn_id") == [
        ("handover", "hands_over"), ("full", "resumes"), ("full", None),
    ]  # fmt: skip
    assert run_return(station) == 0


@pytest.mark.parametrize(("said", "status"), [("/stop", "paused"), (PERSON, "handed_over")])
def test_a_bot_that_leaves_with_its_first_answer_does_not_say_that_it_is_back(
    station: Station, bot: Bot, said: str, status: str
) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 13)

    assert say(station, bot, said) == [Result.ANSWERED]

    assert bot_and_status(station)[1] == status
    assert texts.default("returned", "en") not in replies(station)[1]


def test_a_customer_who_has_been_away_too_long_is_told_with_the_next_answer(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 30)

    assert run_return(station) == 1
    assert len(replies(station)) == 1
    say(station, bot, "When does the shop open?")
    assert replies(station)[1].startswith(texts.default("returned", "en"))


@pytest.mark.parametrize("last", ["customer", "agent"])
def test_while_somebody_writes_the_bot_stays_away(station: Station, bot: Bot, last: str) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 11)
    if last == "customer":
        station.receive(bot, "Hello? When does the shop open?")
    else:
        write(station, bot)
    hours_pass(station, 11)

    assert run_return(station) == 0
    assert say(station, bot, "anybody?") == [Result.NOTHING_DUE]


def test_an_agent_who_takes_over_late_has_the_whole_time(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 11.9)
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=False)
    station.execute("UPDATE conversations SET last_message_at = last_message_at - interval '1 hour'")

    assert run_return(station) == 0
    assert bot_and_status(station) == (False, "handed_over", "wants_person")


def test_a_company_that_wants_it_so_never_gets_the_bot_back_by_itself(station: Station, bot: Bot) -> None:
    set_policy(station, return_after_s=None)
    say(station, bot, PERSON)
    hours_pass(station, 24 * 20)

    assert run_return(station) == 0
    assert in_the_list(station, bot).returns_at is None


def test_the_bot_does_not_come_back_before_the_team_was_promised_to_be_there(station: Station, bot: Bot) -> None:
    [(now,)] = station.rows("SELECT now()")
    day = (now + timedelta(days=3)).astimezone(UTC)
    set_policy(station, hours=f"{DAYS[day.weekday()]} 09:00-17:00")
    station.r.clock.now = lambda: now  # type: ignore[method-assign]
    say(station, bot, PERSON)
    opens = day.replace(hour=9, minute=0, second=0, microsecond=0)
    assert in_the_list(station, bot).returns_at == opens + timedelta(hours=12)
    hours_pass(station, 24)

    assert run_return(station) == 0
    assert say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]
    set_bot(station, bot, enabled=False)
    # an agent who looks in breaks no promise
    assert in_the_list(station, bot).returns_at == opens + timedelta(hours=12)

    station.execute("UPDATE conversations SET opens_at = opens_at - interval '4 days'")
    hours_pass(station, 24)
    assert run_return(station) == 1


def test_a_changed_policy_is_for_later_handovers(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    set_policy(station, return_after_s=3600)
    hours_pass(station, 2)

    assert run_return(station) == 0
    assert say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]
    set_bot(station, bot, enabled=True)
    set_bot(station, bot, enabled=False)
    hours_pass(station, 2)
    assert run_return(station) == 1


def test_what_another_application_holds_is_not_ours_to_come_back_to(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    station.execute("UPDATE conversations SET bot_off_reason = 'another_app'")
    hours_pass(station, 30)

    assert run_return(station) == 0
    assert say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]


def test_what_was_handed_over_before_there_was_a_time_does_not_come_back(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 30)
    station.execute("UPDATE conversations SET bot_off_at = NULL, bot_off_reason = NULL")

    assert run_return(station) == 0
    assert say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]


def test_two_jobs_at_once_say_it_once(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 12.1)

    returned = at_once(lambda: run_return(station), lambda: run_return(station))

    assert sorted(returned) == [0, 1]
    assert len(replies(station)) == 2


def test_an_agent_who_writes_at_the_moment_of_the_return_keeps_the_conversation(station: Station, bot: Bot) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 12.1)

    at_once(lambda: run_return(station), lambda: write(station, bot))

    assert bot_and_status(station)[:2] == (
        False,
        "handed_over",
    )  # before the job it is quiet no more, behind it the agent takes it
    assert len(replies(station)) in (1, 2)


def test_a_job_that_is_killed_while_it_returns_a_conversation_has_said_nothing(
    station: Station, bot: Bot, tmp_path: Path
) -> None:
    say(station, bot, PERSON)
    hours_pass(station, 12.1)
    faults.configure("return.before_commit=raise", tmp_path)
    try:
        with pytest.raises(faults.InjectedFault):
            run_return(station)
    finally:
        faults.configure("", None)
    assert (bot_and_status(station)[0], len(replies(station))) == (False, 1)

    assert run_return(station) == 1
    assert len(replies(station)) == 2


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What they return, each in a thread of its own, begun together."""
    found: list[Any] = []
    begin = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        begin.wait(10)
        found.append(work())

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == len(works)
    return found
