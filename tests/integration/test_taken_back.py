"""What a customer takes back, in the form in which each platform tells it: nothing is left to read or to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tasks.answers.reply import Result
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.unit import fixtures_meta as meta
from tests.unit import fixtures_slack as slack
from tests.unit import fixtures_telegram as telegram
from tests.unit import fixtures_whatsapp as whatsapp

Body = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """How one platform tells that somebody wrote, and that they took it back."""

    platform: str
    account: str
    handle: str | None
    wrote: Body
    took_back: Body


def _slack(event: Body) -> Body:
    return slack.callback(event, api_app_id=accounts.OUR_APP)


def _deleted_in(whole: Body, **more: Any) -> Body:
    return _slack({
        "type": "message", "subtype": "message_deleted", "hidden": True, "channel": whole["channel"],
        "channel_type": whole["channel_type"], "ts": "1760000060.000300", "event_ts": "1760000060.000300",
        "deleted_ts": whole["ts"], "previous_message": whole, **more,
    })  # fmt: skip


_DIRECT = slack.message(text="When does the shop open?")
_MENTION = slack.in_channel(text="<@U0BERTH> When does the shop open?")
_TELEGRAM = telegram.message(text="When does the shop open?", business_connection_id="bc-1", message_id=17)
FORMS = {
    "messenger": Form(
        "messenger", meta.PAGE, None, meta.body(meta.message(text="When does the shop open?")),
        meta.body(meta.message(text=None, is_deleted=True)),
    ),
    "instagram unsend": Form(
        "instagram", meta.PAGE, None, meta.body(meta.message(text="When does the shop open?"), kind="instagram"),
        meta.body(meta.message(text=None, is_deleted=True), kind="instagram"),
    ),
    "slack direct message": Form(
        "slack", slack.ME.external_id or "", slack.ME.handle, _slack(_DIRECT), _deleted_in(_DIRECT)
    ),
    "slack mention in a channel": Form(
        "slack", slack.ME.external_id or "", slack.ME.handle, _slack(_MENTION), _deleted_in(_MENTION)
    ),
    "telegram business": Form(
        "telegram", str(telegram.BOT_ID), telegram.ME.handle, telegram.update("business_message", _TELEGRAM),
        telegram.update("deleted_business_messages", {
            "business_connection_id": "bc-1", "chat": telegram.PRIVATE, "message_ids": [16, 17],
        }),
    ),
    "whatsapp revoke": Form(
        "whatsapp", whatsapp.NUMBER_ID, whatsapp.NUMBER,
        whatsapp.messages(whatsapp.message("text", {"body": "When does the shop open?"})),
        whatsapp.messages(whatsapp.message("revoke", {"original_message_id": "wamid.AAA="}, id="wamid.BBB=")),
    ),
    "a program": Form(
        "standard", "", None,
        {"type": "message.received", "data": {"id": "m-17", "conversation": "order-4711", "sender": {"id": "c-1"},
                                             "text": "When does the shop open?"}},
        {"type": "message.deleted", "data": {"id": "m-17", "conversation": "order-4711"}},
    ),
}  # fmt: skip


@pytest.fixture(params=FORMS.values(), ids=list(FORMS))
def form(request: pytest.FixtureRequest) -> Form:
    assert isinstance(request.param, Form)
    return request.param


@pytest.fixture
def bot(station: Station, form: Form) -> Bot:
    bot = accounts.connect(station.inbox, form.platform, form.account, form.handle)
    station.learn(bot)
    return bot


def _state(station: Station) -> tuple[Any, ...]:
    """(unread of the conversation, unread of the company, what the message says, how its turn is)"""
    [found] = station.rows("SELECT unread_of(customer_seq, read_seq, read_beyond) FROM conversations")
    [(total,)] = station.rows("SELECT unread FROM company_totals")
    [(text,)] = station.rows("SELECT text FROM messages")
    return (*found, total, text, [state for (state,) in station.rows("SELECT state FROM turns")])


def test_what_is_taken_back_before_an_answer_is_neither_unread_nor_answered(
    station: Station, bot: Bot, form: Form
) -> None:
    accounts.receive(station.inbox, bot, form.platform, form.wrote)
    assert _state(station) == (1, 1, "When does the shop open?", ["waiting"])

    accounts.receive(station.inbox, bot, form.platform, form.took_back, form.took_back)

    assert _state(station) == (0, 0, None, ["cancelled"])
    assert station.answer() is Result.NOTHING_DUE
    assert station.model.asked == []


def test_what_is_taken_back_before_it_comes_asks_nothing(station: Station, bot: Bot, form: Form) -> None:
    accounts.receive(station.inbox, bot, form.platform, form.took_back, form.wrote)

    assert _state(station) == (0, 0, None, [])
    assert station.answer() is Result.NOTHING_DUE
