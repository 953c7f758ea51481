"""The greeting and away messages that a business's own app sends by itself take no conversation from the bot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from shared.store.inbox import conversation_list, message_pages
from tasks.answers.reply import Result
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.unit import fixtures_telegram as telegram
from tests.unit import fixtures_whatsapp as whatsapp

Body = dict[str, Any]
AT = 1_760_000_000
ASKS, AWAY = "When does the shop open?", "Thanks for your message! We are away and answer soon."


@dataclass(frozen=True)
class App:
    """asks, says: the customer's message, and one of the business's own app so many seconds later. again: the
    customer's next message."""

    platform: str
    account: str
    handle: str | None
    asks: Body
    says: Callable[[int], Body]
    again: Body


def _whatsapp_echo(after_s: int) -> Body:
    return whatsapp.echoes(whatsapp.echo("text", {"body": AWAY}, timestamp=str(AT + after_s)))


def _telegram_echo(after_s: int) -> Body:
    owner = {"id": 9900, "is_bot": False, "first_name": "Bo"}
    return telegram.update("business_message", telegram.message(
        text=AWAY, business_connection_id="bc-1", message_id=18, date=AT + after_s, is_from_offline=True,
        **{"from": owner},
    ))  # fmt: skip


APPS = {
    "whatsapp": App(
        "whatsapp", whatsapp.NUMBER_ID, whatsapp.NUMBER,
        whatsapp.messages(whatsapp.message("text", {"body": ASKS}, timestamp=str(AT))), _whatsapp_echo,
        whatsapp.messages(whatsapp.message("text", {"body": ASKS}, timestamp=str(AT + 60), id="wamid.CCC=")),
    ),
    "telegram": App(
        "telegram", str(telegram.BOT_ID), telegram.ME.handle,
        telegram.update("business_message", telegram.message(text=ASKS, business_connection_id="bc-1", date=AT)),
        _telegram_echo,
        telegram.update("business_message", telegram.message(
            text=ASKS, business_connection_id="bc-1", message_id=19, date=AT + 60,
        )),
    ),
}  # fmt: skip


@pytest.fixture(params=APPS.values(), ids=list(APPS))
def app(request: pytest.FixtureRequest) -> App:
    assert isinstance(request.param, App)
    return request.param


@pytest.fixture
def bot(station: Station, app: App) -> Bot:
    bot = accounts.connect(station.inbox, app.platform, app.account, app.handle)
    station.learn(bot)
    return bot


@pytest.mark.parametrize(("after_s", "machine"), [(0, True), (1, True), (30, False)])
def test_what_the_business_s_app_says_at_once_is_no_person_s(
    station: Station, bot: Bot, app: App, after_s: int, machine: bool
) -> None:
    accounts.receive(station.inbox, bot, app.platform, app.asks, app.says(after_s))

    expected = (True, "open") if machine else (False, "handed_over")
    assert station.rows("SELECT bot_enabled, status FROM conversations") == [expected]
    assert station.rows("SELECT role, text FROM messages ORDER BY seq") == [("customer", ASKS), ("agent", AWAY)]
    assert station.answer() is (Result.ANSWERED if machine else Result.NOTHING_DUE)


def test_what_a_machine_said_is_marked_for_agents_and_for_the_model(station: Station, bot: Bot, app: App) -> None:
    accounts.receive(station.inbox, bot, app.platform, app.asks, app.says(1))
    assert station.answer() is Result.ANSWERED

    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        shown = message_pages.page(conn, bot.company_id, listed.id)
    assert [(one.role, one.automatic) for one in shown] == [("customer", None), ("agent", "at_once"), ("bot", None)]
    accounts.receive(station.inbox, bot, app.platform, app.again)
    station.answer()
    said = [line["content"] for line in station.model.asked[-1] if line["role"] == "assistant"]
    assert f"(automatic reply of another system) {AWAY}" in "\n".join(said)
