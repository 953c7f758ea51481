"""A model asks back what the customer means."""

from __future__ import annotations

import pytest

from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.handing_over import bot_and_status, in_the_list, replies, say
from tests.integration.station import Station


@pytest.fixture
def bot(station: Station, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Bot:
    monkeypatch.setenv("REDIS_URL", redis_url)  # a conversation's return wakes up delivery
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


# ------------------------------------------------------------------ what was meant


def test_a_model_that_asks_back_keeps_the_conversation_and_is_asked_in_its_context(station: Station, bot: Bot) -> None:
    station.model.text = "[clarify] Do you mean the shop in Bath or the one in York?"
    say(station, bot, "When does the shop open?")

    assert replies(station) == ["Do you mean the shop in Bath or the one in York?"]
    assert station.rows("SELECT step, reason FROM receipts") == [("clarify", "model")]
    assert bot_and_status(station) == (True, "open", None)
    assert in_the_list(station, bot).attention is None

    station.model.text = "The shop opens at nine [1]."
    assert say(station, bot, "the one in York") == [Result.ANSWERED]
    assert replies(station)[1:] == ["The shop opens at nine [1]."]


def test_a_model_that_only_asks_back_is_stopped_at_the_second_time(station: Station, bot: Bot) -> None:
    station.model.text = "[clarify] Which shop do you mean?"
    say(station, bot, "When does the shop open?", "When does the shop open, I asked")

    assert station.rows("SELECT step, reason FROM receipts ORDER BY turn_id") == [
        ("clarify", "model"), ("unknown", "uncited"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said", ["[clarify] We open at nine.", "Do you mean Bath?", "[clarify] " + "long " * 80 + "?", "[clarify]"]
)
def test_a_claim_never_passes_for_a_clarifying_question(station: Station, bot: Bot, said: str) -> None:
    station.model.text = said
    say(station, bot, "When does the shop open?")

    assert station.rows("SELECT step, reason FROM receipts") == [("unknown", "uncited")]


def test_an_answer_with_a_source_loses_the_marker(station: Station, bot: Bot) -> None:
    station.model.text = "[clarify] We open at nine [1]."
    say(station, bot, "When does the shop open?")

    assert replies(station) == ["We open at nine [1]."]
