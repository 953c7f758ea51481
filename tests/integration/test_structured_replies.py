"""What customers choose and fill in is stored, shown to agents, and read by the model."""

from __future__ import annotations

import pytest

from shared.store.inbox import conversation_list, messages
from tasks.answers.reply import Result
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.unit import fixtures_whatsapp as whatsapp

FORM = '{"flow_token":"t","size":"43","reason":"the shop sent the wrong one"}'


@pytest.fixture
def number(station: Station) -> Bot:
    bot = accounts.connect(station.inbox, "whatsapp", whatsapp.NUMBER_ID, whatsapp.NUMBER)
    station.learn(bot)
    return bot


def _shown(station: Station, bot: Bot) -> tuple[conversation_list.Listed, list[messages.Shown]]:
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        return listed, messages.page(conn, bot.company_id, listed.id)


def test_a_form_is_stored_shown_and_asked_about(station: Station, number: Bot) -> None:
    reply = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": FORM}}
    asks = whatsapp.message("text", {"body": "When does the shop open?"}, id="wamid.Q")
    accounts.receive(
        station.inbox, number, "whatsapp", whatsapp.messages(whatsapp.message("interactive", reply), asks)
    )  # fmt: skip

    listed, [form, _] = _shown(station, number)
    assert form.text == "size: 43\nreason: the shop sent the wrong one"
    assert form.attachments is not None
    assert form.attachments[0]["type"] == "form"
    assert form.attachments[0]["fields"] == [["size", "43"], ["reason", "the shop sent the wrong one"]]
    assert listed.last_message_preview == "When does the shop open?"
    assert station.answer() is Result.ANSWERED
    assert "size: 43\nreason: the shop sent the wrong one" in station.model.questions()[0]


def test_a_place_that_comes_with_a_question_is_told_to_the_model_in_words(station: Station, number: Bot) -> None:
    place = whatsapp.message("location", {"latitude": 53.5, "longitude": 9.9, "name": "Dock 4"})
    asks = whatsapp.message("text", {"body": "When does the shop open?"}, id="wamid.Q")

    accounts.receive(station.inbox, number, "whatsapp", whatsapp.messages(place))
    listed, _ = _shown(station, number)
    assert listed.last_message_preview == "location: Dock 4; 53.5, 9.9"

    accounts.receive(station.inbox, number, "whatsapp", whatsapp.messages(asks))
    assert station.answer() is Result.ANSWERED
    assert station.model.questions() == ["location: Dock 4; 53.5, 9.9\nWhen does the shop open?"]


def test_who_comes_from_an_advertisement_and_greets_is_greeted(station: Station, number: Bot) -> None:
    led = {"source_type": "ad", "source_id": "9", "headline": "Boots", "source_url": "https://fb.me/x"}
    greets = whatsapp.message("text", {"body": "Hello!"}, referral=led)

    accounts.receive(station.inbox, number, "whatsapp", whatsapp.messages(greets))

    assert station.answer() is Result.ANSWERED
    assert station.rows("SELECT step FROM receipts") == [("courtesy",)]
    listed, [message, _] = _shown(station, number)
    assert listed.referral == "9"
    assert message.attachments is not None
    assert message.attachments[0]["fields"] == [["headline", "Boots"], ["link", "https://fb.me/x"]]


def test_the_product_asked_about_stands_in_the_prompt(station: Station, number: Bot) -> None:
    context = {"referred_product": {"catalog_id": "77", "product_retailer_id": "BOOT-43"}}
    asks = whatsapp.message("text", {"body": "When does the shop open?"}, context=context)

    accounts.receive(station.inbox, number, "whatsapp", whatsapp.messages(asks))

    assert station.answer() is Result.ANSWERED
    assert station.model.questions() == ["When does the shop open?\nproduct: product: BOOT-43; catalog: 77"]


@pytest.mark.parametrize(("name", "holds"), [("11-wa-flow", ["43", "too small"]), ("27-wa-location", ["1.5", "2.5"])])
def test_cases_of_structured_replies_are_shown(
    station: Station, name: str, holds: list[str]
) -> None:  # fmt: skip
    number = accounts.connect(station.inbox, "whatsapp", "PNID", "15550001111")
    accounts.receive(station.inbox, number, "whatsapp", accounts.case(name))
    _, [message] = _shown(station, number)
    assert all(word in f"{message.text} {message.attachments}" for word in holds)
