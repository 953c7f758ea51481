"""Where several customers write in one chat, the word of one of them does not silence the bot for the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from shared import channels
from shared.triage import texts
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.unit import fixtures_slack as slack
from tests.unit import fixtures_telegram as telegram
from tests.unit import fixtures_whatsapp as whatsapp

ASKS = "When does the shop open?"
Body = dict[str, Any]


def _in_telegram(number: int, text: str) -> Body:
    handle = f"@{telegram.ME.handle}"
    whole = f"{text}{handle}" if text.startswith("/") else f"{handle} {text}"
    kind, word = ("bot_command", whole) if text.startswith("/") else ("mention", handle)
    entities = [telegram.spanning(whole, word, kind)]
    return telegram.update("message", telegram.in_group(text=whole, message_id=number, entities=entities))


def _in_slack(number: int, text: str) -> Body:
    place = {} if number == 1 else {"thread_ts": "1760000000.000001"}  # the first opens the thread
    event = slack.in_channel(text=f"<@U0BERTH> {text}", ts=f"1760000000.{number:06}", **place)
    return slack.callback(event, api_app_id=accounts.OUR_APP)


def _in_whatsapp(number: int, text: str) -> Body:
    said = {"body": f"@{whatsapp.NUMBER} {text}" if not text.startswith("/") else text}
    answers = {"id": "wamid.OURS", "from": whatsapp.NUMBER}
    return whatsapp.messages(whatsapp.message(
        "text", said, group_id=whatsapp.GROUP, id=f"wamid.{number}", context=answers,
    ))  # fmt: skip


@dataclass(frozen=True)
class Group:
    platform: str
    account: str
    handle: str | None
    says: Callable[[int, str], Body]


GROUPS = {
    "telegram": Group("telegram", str(telegram.BOT_ID), telegram.ME.handle, _in_telegram),
    "slack": Group("slack", slack.ME.external_id or "", slack.ME.handle, _in_slack),
    "whatsapp": Group("whatsapp", whatsapp.NUMBER_ID, f"+{whatsapp.NUMBER}", _in_whatsapp),
}


@pytest.fixture(params=GROUPS.values(), ids=list(GROUPS))
def group(request: pytest.FixtureRequest) -> Group:
    assert isinstance(request.param, Group)
    return request.param


@pytest.fixture
def bot(station: Station, group: Group) -> Bot:
    bot = accounts.connect(station.inbox, group.platform, group.account, group.handle)
    station.learn(bot)
    return bot


def _say(station: Station, bot: Bot, group: Group, *said: str, first: int = 1) -> list[Result]:
    results = []
    for number, text in enumerate(said, first):
        accounts.receive(station.inbox, bot, group.platform, group.says(number, text))
        results.append(station.answer())
    return results


def _of(station: Station) -> tuple[bool, str]:
    [found] = station.rows("SELECT bot_enabled, status FROM conversations")
    return found


def test_the_word_stop_ends_an_exchange_and_silences_nobody_s_bot(station: Station, bot: Bot, group: Group) -> None:
    assert _say(station, bot, group, ASKS, "stop", ASKS) == [Result.ANSWERED, Result.NO_REPLY, Result.ANSWERED]

    assert _of(station) == (True, "open")
    assert station.rows("SELECT step, reason, bot FROM receipts ORDER BY turn_id") == [
        ("full", "model", None), ("silence", "stop", None), ("full", "model", None),
    ]  # fmt: skip


def test_the_command_silences_the_bot_and_start_calls_it_back(station: Station, bot: Bot, group: Group) -> None:
    assert _say(station, bot, group, ASKS, "/stop", ASKS) == [Result.ANSWERED, Result.ANSWERED, Result.NO_REPLY]
    assert _of(station) == (False, "paused")
    assert station.rows("SELECT text FROM messages WHERE role = 'bot' ORDER BY seq DESC LIMIT 1") == [
        (texts.filled(texts.default("paused", "en"), name="Assistant"),)
    ]

    assert _say(station, bot, group, "/start", ASKS, first=4) == [Result.ANSWERED] * 2
    assert _of(station) == (True, "open")


@pytest.mark.parametrize(("said", "after"), [("stop", (True, "open")), ("/stop", (False, "paused"))])
def test_while_a_person_has_the_conversation_it_is_the_same(
    station: Station, bot: Bot, group: Group, said: str, after: tuple[bool, str]
) -> None:
    _say(station, bot, group, ASKS)
    [(conversation,)] = station.rows("SELECT id FROM conversations")
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, conversation, enabled=False)
    _say(station, bot, group, said, first=2)
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, conversation, enabled=True)

    assert _of(station) == after


@pytest.mark.parametrize(
    ("platform", "chat", "shared"),
    [
        ("telegram", "-100200300:7", True), ("telegram", "4401", False), ("telegram", "business:bc-1:4401", False),
        ("slack", "C0BOATS:1760000000.000100", True), ("slack", "G0CREW", True), ("slack", "D0ADA", False),
        ("whatsapp", whatsapp.GROUP, True), ("whatsapp", whatsapp.CUSTOMER, False),
        ("whatsapp", whatsapp.USER_ID, False), ("messenger", "5551", False), ("instagram", "5551", False),
        ("widget", "v-1", False), ("standard", "order-4711", False),
    ],
)  # fmt: skip
def test_which_chats_are_shared(platform: str, chat: str, shared: bool) -> None:
    assert channels.platform(platform).is_shared(chat) is shared
