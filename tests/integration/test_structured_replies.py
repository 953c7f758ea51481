"""What customers choose and fill in is stored, shown to agents, and read by the model."""

from __future__ import annotations

import pytest

from shared.store.inbox import conversation_list, message_pages
from shared.triage import texts
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


def _shown(station: Station, bot: Bot) -> tuple[conversation_list.Listed, list[message_pages.Shown]]:
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        return listed, message_pages.page(conn, bot.company_id, listed.id)


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


PLACE = ("location", {"latitude": 53.5, "longitude": 9.9, "name": "Dock 4"})
CARD = ("contacts", [{"name": {"formatted_name": "Bo"}, "phones": [{"phone": "+49 1", "wa_id": "491"}]}])
ORDER = ("order", {"catalog_id": "77", "text": "without a box", "product_items": [
    {"product_retailer_id": "BOOT-43", "quantity": "2", "item_price": 49.9, "currency": "EUR"},
]})  # fmt: skip


def _send(station: Station, number: Bot, *each: tuple[str, object]) -> Result:
    sent = len(station.rows("SELECT 1 FROM messages"))
    told = [whatsapp.message(kind, said, id=f"wamid.{sent + place}") for place, (kind, said) in enumerate(each)]
    accounts.receive(station.inbox, number, "whatsapp", whatsapp.messages(*told))
    return station.answer()


def _steps(station: Station) -> list[tuple[str, str]]:
    return station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")


@pytest.mark.parametrize("said", [PLACE, CARD])
def test_what_says_something_without_words_is_acknowledged_once_and_never_called_unreadable(
    station: Station, number: Bot, said: tuple[str, object]
) -> None:
    assert [_send(station, number, said), _send(station, number, said)] == [Result.ANSWERED, Result.NO_REPLY]

    assert _steps(station) == [("notice", "received"), ("silence", "received_again")]
    assert station.rows("SELECT text FROM messages WHERE role = 'bot'") == [(texts.default("received", "en"),)]
    assert station.rows("SELECT bot_enabled, attention FROM conversations") == [(True, None)]
    assert station.model.asked == []


def test_a_greeting_with_a_place_is_no_greeting_alone(station: Station, number: Bot) -> None:
    _send(station, number, ("text", {"body": "Hello"}), PLACE)
    assert _steps(station) == [("notice", "received")]


def test_a_place_is_the_answer_to_what_the_bot_asked(station: Station, number: Bot) -> None:
    station.model.text = "[clarify] Which shop do you mean?"
    _send(station, number, ("text", {"body": "When does the shop open?"}))
    station.model.text = "It opens at nine [1]."

    assert _send(station, number, PLACE) is Result.ANSWERED

    assert _steps(station) == [("clarify", "model"), ("full", "model")]
    assert station.model.questions()[-1] == "location: Dock 4; 53.5, 9.9"


def test_a_picture_is_still_what_nobody_here_can_read(station: Station, number: Bot) -> None:
    _send(station, number, PLACE, ("image", {"id": "31337", "mime_type": "image/jpeg"}))
    assert _steps(station) == [("notice", "no_text")]


@pytest.mark.parametrize(("policy", "after"), [("hand_over", (False, "order")), ("tell", (True, "order"))])
def test_an_order_is_a_person_s_matter(station: Station, number: Bot, policy: str, after: tuple[bool, str]) -> None:
    station.execute("UPDATE assistants SET on_wish = %s", policy)

    assert _send(station, number, ORDER) is Result.ANSWERED

    assert station.rows("SELECT bot_enabled, attention FROM conversations") == [after]
    assert station.model.asked == []
