"""A conversation leaves the bot for a reason that is told, and comes back to it once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import faults
from shared.hours import DAYS
from shared.store.answers import receipts
from shared.store.inbox import conversation_list
from shared.triage import texts
from tasks.answers import returns
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot, make_bot
from tests.integration.station import Station

UNKNOWN = "Quantum chromodynamics?"
PERSON = "I want to talk to a human"
HANDED_OVER = texts.default("person", "en")
HERE = texts.default("replies_here", "en")


@pytest.fixture
def bot(station: Station, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Bot:
    monkeypatch.setenv("REDIS_URL", redis_url)  # a conversation's return wakes up delivery
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def _say(station: Station, bot: Bot, *said: str) -> list[Result]:
    results = []
    for text in said:
        station.receive(bot, text)
        results.append(station.answer())
    return results


def _replies(station: Station) -> list[str]:
    return [text for (text,) in station.rows("SELECT text FROM messages WHERE role = 'bot' ORDER BY id")]


def _of(station: Station) -> tuple[bool, str, str | None]:
    [found] = station.rows("SELECT bot_enabled, status, bot_off_reason FROM conversations")
    return found


def _policy(station: Station, **columns: object) -> None:
    for name, value in columns.items():
        station.execute(f"UPDATE assistants SET {name} = %s", value)


def _hours_pass(station: Station, hours: float) -> None:
    station.execute(
        "UPDATE conversations SET last_message_at = last_message_at - %(t)s, bot_off_at = bot_off_at - %(t)s,"
        " last_customer_at = now() - %(t)s".replace("%(t)s", f"interval '{hours} hours'")
    )


def _return(station: Station) -> int:
    """What the job does on the timetable: how many conversations the bot came back to."""
    with station.r.db.connection() as conn:
        return returns.RETURN.batch(Work(conn, station.r.settings, station.r.clock, station.r), None).rows


def _listed(station: Station, bot: Bot) -> conversation_list.Listed:
    with station.r.db.transaction(bot.company_id) as conn:
        found = conversation_list.one(conn, bot.company_id, station.conversation())
    assert found is not None
    return found


# ------------------------------------------------------------------ a person is wished for


@pytest.mark.parametrize(
    ("said", "language"),
    [(PERSON, "en"), ("Kann ich mit einem Menschen reden?", "de"), ("转人工", "ja")],
)
def test_who_wishes_for_a_person_is_handed_over_at_once(station: Station, bot: Bot, said: str, language: str) -> None:
    language = "zh" if said == "转人工" else language
    assert _say(station, bot, said) == [Result.ANSWERED]

    between = "" if language == "zh" else " "
    assert _replies(station) == [between.join(texts.default(name, language) for name in ("person", "replies_here"))]
    assert _of(station) == (False, "handed_over", "wants_person")
    listed = _listed(station, bot)
    assert (listed.attention, listed.bot_off_reason) == ("wants_person", "wants_person")
    assert listed.returns_at is not None
    assert listed.bot_off_at is not None
    assert timedelta(hours=11, minutes=59) < listed.returns_at - listed.bot_off_at <= timedelta(hours=12, minutes=1)
    with station.r.db.transaction(bot.company_id) as conn:
        [receipt] = receipts.of_conversation(conn, bot.company_id, station.conversation())
    assert [receipt[name] for name in ("step", "reason", "bot", "state")] == [
        "handover", "wants_person", "hands_over", "handed_over",
    ]  # fmt: skip
    assert _say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]


def test_what_is_asked_once_the_bot_has_left_is_the_person_s(station: Station, bot: Bot) -> None:
    station.receive(bot, UNKNOWN)
    _policy(station, on_miss="at_once")
    station.answer()
    station.receive(bot, "When does the shop open?")

    assert station.answer() is Result.NOTHING_DUE
    assert len(_replies(station)) == 1


@pytest.mark.parametrize(
    ("now", "when"),
    [
        (datetime(2026, 11, 27, 10, 0, tzinfo=UTC), HERE),
        (datetime(2026, 11, 28, 10, 0, tzinfo=UTC), "They will reply on Monday at 9:00."),
        (datetime(2026, 11, 29, 23, 30, tzinfo=UTC), "They will reply today at 9:00."),  # past midnight in Berlin
    ],
)
def test_outside_the_team_s_hours_the_customer_is_told_when_they_begin(
    station: Station, bot: Bot, now: datetime, when: str
) -> None:
    _policy(station, hours="Mon-Fri 09:00-17:00", time_zone="Europe/Berlin")
    station.r.clock.now = lambda: now  # type: ignore[method-assign]
    station.receive(bot, PERSON)

    station.answer()

    assert _replies(station) == [f"{HANDED_OVER} {when}"]


def test_a_company_s_own_words_stand_in_the_language_that_they_are_for(station: Station, bot: Bot) -> None:
    own = '{"person": {"de": "{name} holt {company}.", "*": "One moment."}, "replies_here": {"*": "Soon."}}'
    _policy(station, texts=own, name="Robin")
    _say(station, bot, "Kann ich mit einem Menschen reden?")
    [(company,)] = station.rows("SELECT name FROM companies")
    station.receive(bot, PERSON, chat=6)
    station.answer()

    assert _replies(station) == [f"Robin holt {company}. Soon.", "One moment. Soon."]


# ------------------------------------------------------------------ nothing relevant is known


@pytest.mark.parametrize("yes", ["yes", "Yes please!", "ok", "👍", "sure", "ja", "gern",
                                 "go ahead", "yes, please connect me",
                                 "Yes. My name is Ada, order 555", "Ja, verbinden Sie mich bitte"])  # fmt: skip
def test_a_yes_to_the_offer_of_a_person_hands_over(station: Station, bot: Bot, yes: str) -> None:
    _say(station, bot, UNKNOWN)
    assert _of(station) == (True, "open", None)
    assert _listed(station, bot).attention == "nothing_relevant"

    assert _say(station, bot, yes) == [Result.ANSWERED]

    assert _of(station) == (False, "handed_over", "offer_accepted")
    assert station.model.asked == []


@pytest.mark.parametrize(("said", "attention"), [("yes", "offer_accepted"), (PERSON, "wants_person")])
def test_a_wish_that_is_only_told_stands_before_the_miss_that_called_a_person(
    station: Station, bot: Bot, said: str, attention: str
) -> None:
    _policy(station, on_wish="tell")
    _say(station, bot, UNKNOWN, said, UNKNOWN)

    assert _of(station) == (True, "open", None)
    assert _listed(station, bot).attention == attention


@pytest.mark.parametrize("no", ["no", "no thanks", "When does the shop open?", "…", "thanks anyway",
                                "yes, but do you deliver to Norway?"])  # fmt: skip
def test_what_is_no_yes_keeps_the_bot(station: Station, bot: Bot, no: str) -> None:
    _say(station, bot, UNKNOWN, no)

    assert _of(station)[:2] == (True, "open")


def test_a_yes_long_after_the_offer_hands_nothing_over(station: Station, bot: Bot) -> None:
    _say(station, bot, UNKNOWN, "When does the shop open?", "yes")

    assert _of(station) == (True, "open", None)


def test_a_company_that_wants_it_so_hands_over_at_the_first_miss(station: Station, bot: Bot) -> None:
    _policy(station, on_miss="at_once")
    _say(station, bot, UNKNOWN)

    assert _replies(station) == [f"{texts.default('missed', 'en')} {HERE}"]
    assert _of(station) == (False, "handed_over", "nothing_relevant")


def test_a_company_that_wants_it_so_hands_over_after_some_misses_in_a_row(station: Station, bot: Bot) -> None:
    _policy(station, on_miss="after_misses", misses_max=2)
    _say(station, bot, UNKNOWN)
    assert _of(station) == (True, "open", None)

    _say(station, bot, UNKNOWN)

    assert _of(station) == (False, "handed_over", "misses")


def test_an_answer_between_two_misses_begins_the_count_anew(station: Station, bot: Bot) -> None:
    _policy(station, on_miss="after_misses", misses_max=2)
    _say(station, bot, UNKNOWN, "When does the shop open?")
    station.execute("UPDATE chunks SET text = 'gone'")
    station.execute("DELETE FROM documents")
    _say(station, bot, UNKNOWN)

    assert station.rows("SELECT step FROM receipts ORDER BY turn_id") == [("unknown",), ("full",), ("unknown",)]
    assert _of(station) == (True, "open", None)


# ------------------------------------------------------------------ silenced by the customer


def test_stop_silences_the_bot_until_start_and_says_so(station: Station, bot: Bot) -> None:
    assert _say(station, bot, "/stop", "When does the shop open?", "hello") == [
        Result.ANSWERED, Result.NO_REPLY, Result.NO_REPLY,
    ]  # fmt: skip
    assert _replies(station) == [texts.filled(texts.default("paused", "en"), name="Assistant")]
    assert _of(station) == (False, "paused", "stop")
    assert _listed(station, bot).attention == "paused_question"

    assert _say(station, bot, "/start", "When does the shop open?") == [Result.ANSWERED] * 2

    assert _of(station) == (True, "open", None)
    assert station.rows("SELECT step, reason, bot FROM receipts ORDER BY turn_id") == [
        ("notice", "stop", "pauses"), ("silence", "paused_question", None), ("silence", "paused", None),
        ("welcome", "start", "resumes"), ("full", "model", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said", ["Robin, when does the shop open?", "when does the shop open, robin?", "@{handle} when does the shop open?"]
)
def test_a_question_to_it_by_name_ends_the_silence(station: Station, bot: Bot, said: str) -> None:
    _policy(station, name="Robin")
    [(handle,)] = station.rows("SELECT handle FROM channels")
    _say(station, bot, "stop")

    assert _say(station, bot, said.format(handle=handle)) == [Result.ANSWERED]

    assert _of(station) == (True, "open", None)
    assert _replies(station)[-1] == "We open at nine [1]."


def test_a_bot_that_is_called_back_and_knows_nothing_calls_a_person(station: Station, bot: Bot) -> None:
    _say(station, bot, "/stop", "Assistant, quantum chromodynamics?")

    assert _of(station) == (True, "open", None)
    assert _listed(station, bot).attention == "nothing_relevant"


def test_a_silenced_bot_hands_over_to_a_person(station: Station, bot: Bot) -> None:
    _say(station, bot, "stop", PERSON)

    assert _of(station) == (False, "handed_over", "wants_person")


def test_a_silenced_bot_says_how_it_is_called_back_and_stays_silent(station: Station, bot: Bot) -> None:
    assert _say(station, bot, "/stop", "/help", "When does the shop open?") == [
        Result.ANSWERED, Result.ANSWERED, Result.NO_REPLY,
    ]  # fmt: skip
    assert _replies(station)[1] == texts.filled(texts.default("paused", "en"), name="Assistant")

    assert _of(station) == (False, "paused", "stop")


def test_a_name_in_the_middle_of_a_question_ends_no_silence(station: Station, bot: Bot) -> None:
    _policy(station, name="Robin")
    _say(station, bot, "stop", "is the Robin Hood hat in stock", "robinson shoes?")

    assert _of(station) == (False, "paused", "stop")


def test_a_silence_never_ends_by_itself(station: Station, bot: Bot) -> None:
    _say(station, bot, "/stop")
    _hours_pass(station, 24 * 20)

    assert _return(station) == 0
    assert _of(station) == (False, "paused", "stop")


def _set_bot(station: Station, bot: Bot, *, enabled: bool, closed: bool = False) -> bool | None:
    with station.r.db.transaction(bot.company_id) as conn:
        return takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=enabled, closed=closed)


def test_a_silence_outlasts_an_agent_and_the_return_without_a_word(station: Station, bot: Bot) -> None:
    _say(station, bot, "/stop")
    _write(station, bot)
    assert _of(station) == (False, "handed_over", "agent")
    assert _listed(station, bot).returns_at is None
    _hours_pass(station, 12.1)

    _return(station)

    assert (_of(station), len(_replies(station))) == ((False, "paused", "stop"), 1)
    assert _say(station, bot, "When does the shop open?", "/start", "When does the shop open?") == [
        Result.NO_REPLY, Result.ANSWERED, Result.ANSWERED,
    ]  # fmt: skip
    assert (_of(station), _replies(station)[-1]) == ((True, "open", None), "We open at nine [1].")


def test_a_preview_of_the_return_leaves_out_who_is_silenced(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 12.1)
    assert _would_return(station) == 1

    _say(station, bot, "/stop")
    _write(station, bot)
    _hours_pass(station, 12.1)

    assert _would_return(station) == 0


def _would_return(station: Station) -> int:
    with station.r.db.connection() as conn:
        return jobs.preview(returns.RETURN, Work(conn, station.r.settings, station.r.clock, station.r)).rows


def test_a_silence_outlasts_the_return_also_where_the_customer_writes_before_the_job(
    station: Station, bot: Bot
) -> None:
    _say(station, bot, "/stop")
    _write(station, bot)
    _hours_pass(station, 12.1)

    assert _say(station, bot, "When does the shop open?") == [Result.NO_REPLY]

    assert (_of(station), len(_replies(station))) == ((False, "paused", "stop"), 1)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("writes", [True, False])
def test_a_silence_outlasts_a_hand_back_and_a_close(station: Station, bot: Bot, closed: bool, writes: bool) -> None:
    _say(station, bot, "/stop")
    if writes:
        _write(station, bot)

    assert _set_bot(station, bot, enabled=True, closed=closed) is False

    assert _of(station) == (False, "closed" if closed else "paused", "stop")
    assert _say(station, bot, "When does the shop open?") == [Result.NO_REPLY]
    assert _of(station) == (False, "paused", "stop")
    assert _say(station, bot, "Assistant, when does the shop open?") == [Result.ANSWERED]
    assert _of(station) == (True, "open", None)
    assert _set_bot(station, bot, enabled=False) is False
    assert _set_bot(station, bot, enabled=True) is True


@pytest.mark.parametrize(
    ("said", "left"), [(["/stop"], (False, "paused", "stop")), (["/stop", "/start"], (True, "open", None))]
)
def test_a_stop_while_a_person_has_the_conversation_holds_once_they_are_done(
    station: Station, bot: Bot, said: list[str], left: tuple[bool, str, str | None]
) -> None:
    _say(station, bot, PERSON)
    assert set(_say(station, bot, *said)) == {Result.NOTHING_DUE}
    assert _of(station) == (False, "handed_over", "wants_person")

    assert _set_bot(station, bot, enabled=True) is left[0]

    assert _of(station) == left


def test_a_wish_that_is_only_told_ends_the_silence_too(station: Station, bot: Bot) -> None:
    _policy(station, on_wish="tell")
    assert _say(station, bot, "/stop", PERSON, "When does the shop open?") == [Result.ANSWERED] * 3

    assert _of(station) == (True, "open", None)
    assert _listed(station, bot).attention == "wants_person"


def test_a_wish_for_a_person_ends_the_silence_for_good(station: Station, bot: Bot) -> None:
    _say(station, bot, "/stop", PERSON)

    assert _set_bot(station, bot, enabled=True) is True
    assert _of(station) == (True, "open", None)


# ------------------------------------------------------------------ the bot comes back


def test_the_bot_comes_back_once_nobody_has_written_for_a_while_and_says_so_once(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    assert _return(station) == 0
    _hours_pass(station, 12.1)

    assert [_return(station), _return(station)] == [1, 0]

    assert _of(station) == (True, "open", None)
    assert _listed(station, bot).attention == "wants_person"  # nobody has looked at it yet
    assert _replies(station)[1:] == [texts.default("returned", "en")]
    station.deliver_all()
    assert station.telegram.texts[-1] == texts.default("returned", "en")
    assert _say(station, bot, "When does the shop open?") == [Result.ANSWERED]
    assert _replies(station)[2:] == ["We open at nine [1]."]


def test_who_writes_before_the_job_has_come_is_answered_and_told_in_the_answer(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 13)

    assert _say(station, bot, "When does the shop open?", "And when does it open?") == [Result.ANSWERED] * 2

    assert _replies(station)[1:] == [
        f"{texts.default('returned', 'en')}\n\nWe open at nine [1].", "We open at nine [1].",
    ]  # fmt: skip
    assert station.rows("SELECT step, bot FROM receipts ORDER BY turn_id") == [
        ("handover", "hands_over"), ("full", "resumes"), ("full", None),
    ]  # fmt: skip
    assert _return(station) == 0


@pytest.mark.parametrize(("said", "status"), [("/stop", "paused"), (PERSON, "handed_over")])
def test_a_bot_that_leaves_with_its_first_answer_does_not_say_that_it_is_back(
    station: Station, bot: Bot, said: str, status: str
) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 13)

    assert _say(station, bot, said) == [Result.ANSWERED]

    assert _of(station)[1] == status
    assert texts.default("returned", "en") not in _replies(station)[1]


def test_a_customer_who_has_been_away_too_long_is_told_with_the_next_answer(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 30)

    assert _return(station) == 1
    assert len(_replies(station)) == 1
    _say(station, bot, "When does the shop open?")
    assert _replies(station)[1].startswith(texts.default("returned", "en"))


@pytest.mark.parametrize("last", ["customer", "agent"])
def test_while_somebody_writes_the_bot_stays_away(station: Station, bot: Bot, last: str) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 11)
    if last == "customer":
        station.receive(bot, "Hello? When does the shop open?")
    else:
        _write(station, bot)
    _hours_pass(station, 11)

    assert _return(station) == 0
    assert _say(station, bot, "anybody?") == [Result.NOTHING_DUE]


def test_an_agent_who_takes_over_late_has_the_whole_time(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 11.9)
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=False)
    station.execute("UPDATE conversations SET last_message_at = last_message_at - interval '1 hour'")

    assert _return(station) == 0
    assert _of(station) == (False, "handed_over", "wants_person")


def test_a_company_that_wants_it_so_never_gets_the_bot_back_by_itself(station: Station, bot: Bot) -> None:
    _policy(station, return_after_s=None)
    _say(station, bot, PERSON)
    _hours_pass(station, 24 * 20)

    assert _return(station) == 0
    assert _listed(station, bot).returns_at is None


def test_the_bot_does_not_come_back_before_the_team_was_promised_to_be_there(station: Station, bot: Bot) -> None:
    [(now,)] = station.rows("SELECT now()")
    day = (now + timedelta(days=3)).astimezone(UTC)
    _policy(station, hours=f"{DAYS[day.weekday()]} 09:00-17:00")
    station.r.clock.now = lambda: now  # type: ignore[method-assign]
    _say(station, bot, PERSON)
    opens = day.replace(hour=9, minute=0, second=0, microsecond=0)
    assert _listed(station, bot).returns_at == opens + timedelta(hours=12)
    _hours_pass(station, 24)

    assert _return(station) == 0
    assert _say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]
    _set_bot(station, bot, enabled=False)
    assert _listed(station, bot).returns_at == opens + timedelta(hours=12)  # an agent who looks in breaks no promise

    station.execute("UPDATE conversations SET opens_at = opens_at - interval '4 days'")
    _hours_pass(station, 24)
    assert _return(station) == 1


def test_a_changed_policy_is_for_later_handovers(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _policy(station, return_after_s=3600)
    _hours_pass(station, 2)

    assert _return(station) == 0
    assert _say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]
    _set_bot(station, bot, enabled=True)
    _set_bot(station, bot, enabled=False)
    _hours_pass(station, 2)
    assert _return(station) == 1


def test_what_another_application_holds_is_not_ours_to_come_back_to(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    station.execute("UPDATE conversations SET bot_off_reason = 'another_app'")
    _hours_pass(station, 30)

    assert _return(station) == 0
    assert _say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]


def test_what_was_handed_over_before_there_was_a_time_does_not_come_back(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 30)
    station.execute("UPDATE conversations SET bot_off_at = NULL, bot_off_reason = NULL")

    assert _return(station) == 0
    assert _say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]


def test_two_jobs_at_once_say_it_once(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 12.1)

    returned = _at_once(lambda: _return(station), lambda: _return(station))

    assert sorted(returned) == [0, 1]
    assert len(_replies(station)) == 2


def test_an_agent_who_writes_at_the_moment_of_the_return_keeps_the_conversation(station: Station, bot: Bot) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 12.1)

    _at_once(lambda: _return(station), lambda: _write(station, bot))

    assert _of(station)[:2] == (
        False,
        "handed_over",
    )  # before the job it is quiet no more, behind it the agent takes it
    assert len(_replies(station)) in (1, 2)


def test_a_job_that_is_killed_while_it_returns_a_conversation_has_said_nothing(
    station: Station, bot: Bot, tmp_path: Path
) -> None:
    _say(station, bot, PERSON)
    _hours_pass(station, 12.1)
    faults.configure("return.before_commit=raise", tmp_path)
    try:
        with pytest.raises(faults.InjectedFault):
            _return(station)
    finally:
        faults.configure("", None)
    assert (_of(station)[0], len(_replies(station))) == (False, 1)

    assert _return(station) == 1
    assert len(_replies(station)) == 2


def test_a_worker_that_fails_before_the_handover_is_stored_has_neither_moved_nor_told(
    station: Station, bot: Bot, tmp_path: Path
) -> None:
    station.receive(bot, PERSON)
    faults.configure("reply.before_commit=raise", tmp_path)
    try:
        assert station.answer() is Result.RETRY
    finally:
        faults.configure("", None)
    assert (_of(station), _replies(station)) == ((True, "open", None), [])

    station.time_passes()
    assert station.answer() is Result.ANSWERED
    assert (_of(station)[0], len(_replies(station))) == (False, 1)


def test_a_wish_that_comes_twice_hands_over_once(station: Station, bot: Bot) -> None:
    from tests.factories import update

    body = update(PERSON, chat=5)
    for _ in range(2):
        station.inbox.journal(bot, body)
        station.inbox.drain_all()
        station.answer()

    assert len(_replies(station)) == 1


def test_an_agent_who_takes_over_while_the_handover_is_being_written_has_it(station: Station, bot: Bot) -> None:
    station.receive(bot, UNKNOWN)
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=False)
    station.answer()

    assert (_of(station), _replies(station)) == ((False, "handed_over", "agent"), [])


# ------------------------------------------------------------------ closed


def test_a_closed_conversation_is_the_bot_s_and_opens_with_the_customer_s_next_message(
    station: Station, bot: Bot
) -> None:
    _say(station, bot, PERSON)
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=True, closed=True)
    assert _of(station) == (True, "closed", None)

    assert _say(station, bot, "When does the shop open?") == [Result.ANSWERED]

    assert _of(station) == (True, "open", None)
    assert _replies(station)[1:] == ["We open at nine [1]."]  # nobody needs to be told: a person was there


# ------------------------------------------------------------------ what was meant


def test_a_model_that_asks_back_keeps_the_conversation_and_is_asked_in_its_context(station: Station, bot: Bot) -> None:
    station.model.text = "[clarify] Do you mean the shop in Bath or the one in York?"
    _say(station, bot, "When does the shop open?")

    assert _replies(station) == ["Do you mean the shop in Bath or the one in York?"]
    assert station.rows("SELECT step, reason FROM receipts") == [("clarify", "model")]
    assert _of(station) == (True, "open", None)
    assert _listed(station, bot).attention is None

    station.model.text = "The shop opens at nine [1]."
    assert _say(station, bot, "the one in York") == [Result.ANSWERED]
    assert _replies(station)[1:] == ["The shop opens at nine [1]."]


def test_a_model_that_only_asks_back_is_stopped_at_the_second_time(station: Station, bot: Bot) -> None:
    station.model.text = "[clarify] Which shop do you mean?"
    _say(station, bot, "When does the shop open?", "When does the shop open, I asked")

    assert station.rows("SELECT step, reason FROM receipts ORDER BY turn_id") == [
        ("clarify", "model"), ("unknown", "uncited"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said", ["[clarify] We open at nine.", "Do you mean Bath?", "[clarify] " + "long " * 80 + "?", "[clarify]"]
)
def test_a_claim_never_passes_for_a_clarifying_question(station: Station, bot: Bot, said: str) -> None:
    station.model.text = said
    _say(station, bot, "When does the shop open?")

    assert station.rows("SELECT step, reason FROM receipts") == [("unknown", "uncited")]


def test_an_answer_with_a_source_loses_the_marker(station: Station, bot: Bot) -> None:
    station.model.text = "[clarify] We open at nine [1]."
    _say(station, bot, "When does the shop open?")

    assert _replies(station) == ["We open at nine [1]."]


# ------------------------------------------------------------------ beside it


def _write(station: Station, bot: Bot) -> int:
    with station.r.db.transaction(bot.company_id) as conn:
        written = takeover.write(conn, station.r.platforms, bot.company_id, station.conversation(), "Ada here.")
    assert written is not None
    return written.message_id


def _at_once(*works: Callable[[], Any]) -> list[Any]:
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
