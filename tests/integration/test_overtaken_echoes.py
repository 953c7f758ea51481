"""A machine's echo that comes before the customer's message: once that is here, the bot has its conversation back, and
all questions are answered, whatever the order of the requests."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tasks.answers.reply import Result
from tasks.inbox import takeover
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.integration.test_automatic_replies import PAGE, _body, _item, _state

QUESTION, SECOND = "When does the shop open?", "And on Sunday, when does the shop open?"
MACHINE = "Thanks for writing! We answer soon."


@pytest.fixture
def page(station: Station) -> Bot:
    bot = accounts.connect(station.inbox, "messenger", PAGE)
    station.learn(bot)
    return bot


def _receive(station: Station, page: Bot, *items: dict[str, Any]) -> None:
    accounts.receive(station.inbox, page, "messenger", *(_body(item) for item in items))


def _asks(at_ms: int = 0, text: str = QUESTION) -> dict[str, Any]:
    return _item(at_ms, echo=False, text=text)


def _echo(at_ms: int = 500, text: str = MACHINE) -> dict[str, Any]:
    return _item(at_ms, echo=True, text=text)


STORY = (_asks(0), _echo(500), _asks(30_000, SECOND), _echo(30_400))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_of_the_requests_ends_the_same(station: Station, page: Bot, order: tuple[int, ...]) -> None:
    _receive(station, page, *(STORY[place] for place in order))

    assert _state(station)[:2] == (True, "open")
    assert set(station.rows("SELECT automatic FROM messages WHERE role = 'agent'")) == {("at_once",)}
    while station.answer() is not Result.NOTHING_DUE:
        pass
    asked = "\n".join(station.model.questions())
    assert (asked.count(QUESTION), asked.count(SECOND)) == (1, 1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_person_keeps_the_conversation_in_any_order(station: Station, page: Bot, order: tuple[int, ...]) -> None:
    story = (_asks(0), _echo(500), _echo(1_900, "Hi, this is Ann."))
    _receive(station, page, *(story[place] for place in order))
    assert _state(station)[:2] == (False, "handed_over")
    assert station.answer() is Result.NOTHING_DUE


@pytest.mark.parametrize("late_ms", [-1_501, 501])
def test_a_message_that_it_cannot_reply_to_changes_nothing(station: Station, page: Bot, late_ms: int) -> None:
    _receive(station, page, _echo(), _asks(late_ms))
    assert _state(station)[:2] == (False, "handed_over")


def test_after_the_bot_s_answer_it_is_judged_by_what_was_asked_since(station: Station, page: Bot) -> None:
    _receive(station, page, _asks(0))
    assert station.answer() is Result.ANSWERED
    _receive(station, page, _echo(60_500), _asks(60_000, SECOND))
    assert _state(station)[:2] == (True, "open")
    assert station.answer() is Result.ANSWERED
    assert station.model.questions()[-1].endswith(SECOND)


@pytest.mark.parametrize("by", ["taking it", "writing", "taking it and giving it back"])
def test_who_took_it_meanwhile_keeps_it(station: Station, page: Bot, by: str) -> None:
    _receive(station, page, _echo())
    [(conversation,)] = station.rows("SELECT id FROM conversations")
    with station.r.db.transaction(page.company_id) as conn:
        if by == "writing":
            takeover.write(conn, station.r.platforms, page.company_id, conversation, "Hello?")
        else:
            takeover.set_bot(conn, page.company_id, conversation, enabled=False)
    if by == "taking it and giving it back":
        with station.r.db.transaction(page.company_id) as conn:
            takeover.set_bot(conn, page.company_id, conversation, enabled=True)

    _receive(station, page, _asks())

    assert _state(station)[:2] == ((True, "open") if by.endswith("back") else (False, "handed_over"))


def test_a_message_that_came_before_gives_nothing_back(station: Station, page: Bot) -> None:
    asks = _asks()
    _receive(station, page, asks)
    station.answer()
    _receive(station, page, _echo(70_000, "Hi, this is Ann."), asks)
    assert _state(station)[:2] == (False, "handed_over")


def test_another_application_that_has_it_keeps_it(station: Station, page: Bot) -> None:
    handover = {"sender": {"id": "88002"}, "recipient": {"id": PAGE}, "timestamp": 1_780_000_000_450,
                "take_thread_control": {"previous_owner_app_id": accounts.OUR_APP, "metadata": ""}}  # fmt: skip
    _receive(station, page, _echo(), handover, _asks())
    assert _state(station)[:2] == (False, "handed_over")


def test_the_return_is_counted(station: Station, page: Bot) -> None:
    accounts.receive(station.inbox, page, "messenger", _body(_echo()))
    stored = accounts.receive(station.inbox, page, "messenger", _body(_asks()))
    assert stored.bot_moves == [(True, "automatic")]
