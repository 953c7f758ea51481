"""An older message that asks because it was edited, and one that is written just then: what was answered between them
is not asked again."""

from __future__ import annotations

from typing import Any

import pytest

from shared.store.inbox import conversations
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.unit import fixtures_slack as slack

IN_THREAD = {"thread_ts": slack.THREAD}


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = accounts.connect(station.inbox, "slack", slack.ME.external_id or "", slack.ME.handle)
    station.learn(bot)
    return bot


def _receive(station: Station, bot: Bot, *events: dict[str, Any]) -> None:
    bodies = (slack.callback(event, api_app_id=accounts.OUR_APP) for event in events)
    accounts.receive(station.inbox, bot, "slack", *bodies)


def _says(number: int, text: str, *, asks: bool) -> dict[str, Any]:
    words = f"<@U0BERTH> {text}" if asks else text
    return slack.in_channel(text=words, ts=f"176000000{number}.000100", **IN_THREAD)


def _edited(number: int, text: str) -> dict[str, Any]:
    """That a mention was added to the message."""
    return slack.mention(text=f"<@U0BERTH> {text}", ts=f"176000000{number}.000100", **IN_THREAD)


@pytest.mark.parametrize("edited_first", [True, False])
def test_what_was_answered_between_is_not_asked_again(station: Station, bot: Bot, edited_first: bool) -> None:
    older, newer = _says(1, "when does the shop open?", asks=False), _says(3, "and on Sunday, when?", asks=True)
    _receive(station, bot, older, _says(2, "do you open on Monday?", asks=True))
    assert station.answer() is Result.ANSWERED

    steps = [_edited(1, "when does the shop open?"), newer]
    _receive(station, bot, *(steps if edited_first else steps[::-1]))
    assert station.rows("SELECT first_seq, last_seq FROM turns WHERE state = 'waiting'") == [(1, 4)]
    assert station.answer() is Result.ANSWERED
    assert station.answer() is Result.NOTHING_DUE

    assert station.model.questions()[-1].endswith("when does the shop open?\nand on Sunday, when?")
    assert "do you open on Monday?" in str(station.model.asked[-1][:-1]), "it is told as what was said before"


def test_a_person_s_answer_between_counts_too(station: Station, bot: Bot) -> None:
    _receive(station, bot, _says(1, "when does the shop open?", asks=False), _says(2, "on Monday?", asks=True))
    [(conversation,)] = station.rows("SELECT id FROM conversations")
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.write(conn, station.r.platforms, bot.company_id, conversation, "At ten.")
        conversations.set_bot(conn, bot.company_id, conversation, enabled=True)

    _receive(station, bot, _edited(1, "when does the shop open?"), _says(3, "and on Sunday?", asks=True))

    assert station.answer() is Result.ANSWERED
    assert station.model.questions()[-1].endswith("when does the shop open?\nand on Sunday?")


def test_what_was_taken_back_is_nothing_of_a_burst(station: Station, bot: Bot) -> None:
    _receive(station, bot, _says(1, "hello there!", asks=True), _says(2, "oops", asks=True))
    at = "1760000150.000100"
    _receive(station, bot, {
        "type": "message", "subtype": "message_deleted", "channel": slack.CHANNEL, "channel_type": "channel",
        "deleted_ts": "1760000002.000100", "ts": at, "event_ts": at, "previous_message": _says(2, "oops", asks=True),
    })  # fmt: skip
    station.answer()
    assert station.rows("SELECT step FROM receipts") == [("courtesy",)]
