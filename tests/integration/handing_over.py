"""What tests of handovers arrange and look at."""

from __future__ import annotations

import pytest

from shared.store.inbox import conversation_list
from tasks.answers import returns
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tasks.operations.jobs import Work
from tests.factories import Bot, make_bot
from tests.integration.station import Station

PERSON = "I want to talk to a human"


def say(station: Station, bot: Bot, *said: str) -> list[Result]:
    results = []
    for text in said:
        station.receive(bot, text)
        results.append(station.answer())
    return results


def replies(station: Station) -> list[str]:
    return [text for (text,) in station.rows("SELECT text FROM messages WHERE role = 'bot' ORDER BY id")]


def bot_and_status(station: Station) -> tuple[bool, str, str | None]:
    [found] = station.rows("SELECT bot_enabled, status, bot_off_reason FROM conversations")
    return found


def set_policy(station: Station, **columns: object) -> None:
    for name, value in columns.items():
        station.execute(f"UPDATE assistants SET {name} = %s", value)


def hours_pass(station: Station, hours: float) -> None:
    station.execute(
        "UPDATE conversations SET last_message_at = last_message_at - %(t)s, bot_off_at = bot_off_at - %(t)s,"
        " last_customer_at = now() - %(t)s".replace("%(t)s", f"interval '{hours} hours'")
    )


def run_return(station: Station) -> int:
    """What the job does on the timetable: how many conversations the bot came back to."""
    with station.r.db.connection() as conn:
        return returns.RETURN.batch(Work(conn, station.r.settings, station.r.clock, station.r), None).rows


def in_the_list(station: Station, bot: Bot) -> conversation_list.Listed:
    with station.r.db.transaction(bot.company_id) as conn:
        found = conversation_list.one(conn, bot.company_id, station.conversation())
    assert found is not None
    return found


def set_bot(station: Station, bot: Bot, *, enabled: bool, closed: bool = False) -> bool | None:
    with station.r.db.transaction(bot.company_id) as conn:
        return takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=enabled, closed=closed)


# ------------------------------------------------------------------ beside it


def bot_that_returns(station: Station, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Bot:
    """A bot that knows something, on a machine whose commands find the broker."""
    monkeypatch.setenv("REDIS_URL", redis_url)  # a conversation's return wakes up delivery
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def write(station: Station, bot: Bot) -> int:
    with station.r.db.transaction(bot.company_id) as conn:
        written = takeover.write(conn, station.r.platforms, bot.company_id, station.conversation(), "Ada here.")
    assert written is not None
    return written.message_id
