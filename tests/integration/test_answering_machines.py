"""Machines that send the bot's words back, and answers that come too fast."""

from __future__ import annotations

import pytest

from shared.store.answers import replies
from tasks.answers import manners
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tests.factories import Bot, make_bot
from tests.integration.said_and_answered import bot_and_attention, bot_said, say, steps
from tests.integration.station import Station


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


@pytest.mark.parametrize("said", ["Hello", "Quantum chromodynamics?", "When does the shop open?"])
def test_a_machine_that_sends_the_bot_s_words_back_gets_no_answer(station: Station, bot: Bot, said: str) -> None:
    say(station, bot, said)
    [reply] = bot_said(station)
    enabled, attention = bot_and_attention(station)

    assert say(station, bot, reply, reply) == [Result.NO_REPLY] * 2

    assert steps(station)[1:] == [("silence", "echo")] * 2
    assert bot_and_attention(station) == (enabled, attention)
    assert bot_said(station) == [reply]


def test_who_asks_ten_things_in_two_minutes_is_answered_ten_times(station: Station, bot: Bot) -> None:
    asked = [f"When does the shop open in week {week}?" for week in range(10)]

    assert say(station, bot, *asked) == [Result.ANSWERED] * 10


def test_a_machine_that_stays_below_the_hour_s_limit_comes_to_an_end_within_the_day(station: Station, bot: Bot) -> None:
    say(station, bot, "When does the shop open?")
    many = replies.DAY_ANSWERS_MAX - 1
    station.execute(
        f"UPDATE conversations"
        f" SET day_answers_until = day_answers_until + interval '{many * replies.DAY_ANSWER_EVERY_S} s'"
    )

    assert say(station, bot, "And now?") == [Result.NO_REPLY]

    assert steps(station)[1:] == [("silence", "loop")]
    assert bot_and_attention(station) == (True, "loop")
    station.execute("UPDATE conversations SET silent_until = NULL, day_answers_until = now() + interval '20 hours'")
    assert say(station, bot, "And now?") == [Result.ANSWERED]


def test_the_silence_lasts_for_ten_minutes_or_until_a_person_gives_the_conversation_back(
    station: Station, bot: Bot
) -> None:
    def too_many() -> None:
        station.execute("UPDATE conversations SET day_answers_until = now() + interval '1 day'")
        assert say(station, bot, "And now?") == [Result.NO_REPLY]
        station.execute("UPDATE conversations SET day_answers_until = NULL")

    say(station, bot, "When does the shop open?")
    too_many()
    _pass(station, manners.SILENT_S - 60)
    assert say(station, bot, "And now?") == [Result.NO_REPLY]
    _pass(station, 61)
    assert say(station, bot, "And now?") == [Result.ANSWERED]

    too_many()
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=True)
    assert bot_and_attention(station) == (True, None)
    assert say(station, bot, "And now?") == [Result.ANSWERED]


def _pass(station: Station, seconds: float) -> None:
    station.execute(f"UPDATE conversations SET silent_until = silent_until - interval '{seconds} s'")
