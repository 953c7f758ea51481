"""Structured replies on WhatsApp are labels and values, in words for whoever reads text alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.channels.whatsapp.webhook import parse
from shared.model import Attachment, InboundEvent, Me
from tests.unit.fixtures_whatsapp import ME, message, messages

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "channels"


def _read(kind: str, content: Any, **fields: Any) -> InboundEvent:
    (event,) = parse(messages(message(kind, content, **fields)), ME)
    return event


def _form(response: Any, **fields: Any) -> InboundEvent:
    told = response if isinstance(response, str) else json.dumps(response)
    reply = {"name": "flow", "body": "Sent", "response_json": told, **fields}
    return _read("interactive", {"type": "nfm_reply", "nfm_reply": reply})


def test_a_form_s_answers_are_what_the_customer_says() -> None:
    event = _form({"flow_token": "t1", "size": "43", "reason": "too small"})
    assert (event.kind, event.reply, event.text) == ("message", True, "size: 43\nreason: too small")
    assert event.attachments == (
        Attachment("form", name="flow", fields=(("size", "43"), ("reason", "too small"))),
    )  # fmt: skip


def test_answers_of_any_depth_are_told_and_none_of_our_own_fields() -> None:
    event = _form(
        {"screen_0_Choose_one_1": ["0_Blue", "1_Red"], "terms": True, "count": 2, "nothing": None, "empty": "",
         "address": {"city": "Köln", "lines": [{"street": "Ring 1"}, {"street": "c/o Ada"}]},
         "wa_flow_response_params": {"title": "ours"}, "flow_token": "x"}
    )  # fmt: skip
    [form] = event.attachments
    assert form.fields == (
        ("Choose one", "0_Blue, 1_Red"), ("terms", "yes"), ("count", "2"), ("address city", "Köln"),
        ("address lines street", "Ring 1"), ("address lines street", "c/o Ada"),
    )  # fmt: skip


@pytest.mark.parametrize("told", ["{", "[]", "null", "7", "", '{"flow_token":"t"}'])
def test_a_form_without_answers_says_what_stands_on_it(told: str) -> None:
    event = _form(told)
    assert (event.text, event.attachments) == ("Sent", ())


def test_a_hostile_form_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = {"a": deep}
    event = _form({"deep": deep, **{f"q{i}": "y" * 5000 for i in range(500)}})
    [form] = event.attachments
    assert len(form.fields) <= 60
    assert all(len(label) <= 80 and len(value) <= 500 for label, value in form.fields)


def test_the_line_under_a_list_s_title_is_kept() -> None:
    event = _read(
        "interactive", {"type": "list_reply", "list_reply": {"id": "r1", "title": "Norway", "description": "5 days"}}
    )
    assert (event.text, event.payload) == ("Norway", "r1")
    assert [one.in_words() for one in event.attachments] == ["choice: description: 5 days"]


def test_a_reply_of_a_kind_that_nobody_knows_yet_says_what_it_holds() -> None:
    event = _read(
        "interactive", {"type": "call_permission_reply", "call_permission_reply": {"response": "accept", "days": 7}}
    )
    assert [one.in_words() for one in event.attachments] == ["choice: days: 7"]
    assert event.payload == "accept"


def test_an_order_tells_its_things_prices_and_note() -> None:
    items = [{"product_retailer_id": "BOOT-43", "quantity": 2, "item_price": 49.9, "currency": "EUR"}]
    event = _read("order", {"catalog_id": "77", "text": "Without a box, please", "product_items": items})
    assert event.text == "Without a box, please"
    assert [one.in_words() for one in event.attachments] == [
        "order: 2 × BOOT-43; price of BOOT-43: 49.9 EUR; note: Without a box, please"
    ]


def test_a_contact_s_card_is_told_whole() -> None:
    card = {
        "name": {"formatted_name": "Mira T"}, "phones": [{"phone": "+49 1"}, {"phone": "+49 2"}],
        "emails": [{"email": "m@example.org"}], "org": {"company": "Boats"},
        "addresses": [{"street": "Ring 1", "zip": "50667", "city": "Köln"}],
    }  # fmt: skip
    [contact] = _read("contacts", [card]).attachments
    assert contact.in_words() == (
        "contacts: Mira T +49 1; phone: +49 2; email: m@example.org; company: Boats; address: Ring 1 50667 Köln"
    )


def test_the_product_that_is_asked_about_stands_beside_the_question() -> None:
    context = {"referred_product": {"catalog_id": "77", "product_retailer_id": "BOOT-43"}}
    event = _read("text", {"body": "Is it waterproof?"}, context=context)
    assert (event.text, event.reply) == ("Is it waterproof?", True)
    assert [one.in_words() for one in event.attachments] == ["product: product: BOOT-43; catalog: 77"]


def test_the_advertisement_that_led_here_stands_beside_the_first_message() -> None:
    led = {"source_type": "ad", "source_id": "9", "headline": "Boots -20 %", "source_url": "https://fb.me/x"}
    event = _read("text", {"body": "Still on?"}, referral=led)
    assert (event.text, event.referral) == ("Still on?", "9")
    assert [one.in_words() for one in event.attachments] == [
        "ad: ad; headline: Boots -20 %; link: https://fb.me/x"
    ]  # fmt: skip


def test_an_advertisement_without_words_is_a_referral_and_no_message() -> None:
    event = _read("text", {"body": ""}, referral={"source_id": "9", "headline": "Boots"})
    assert (event.kind, event.reason, event.referral) == ("referral", "referral", "9")


def test_what_is_stored_of_an_attachment_reads_as_what_it_was() -> None:
    for one in (Attachment("form", fields=(("a", "1"), ("a", "2"))), Attachment("image", id="3")):
        assert Attachment.from_json(json.loads(json.dumps(one.as_json()))) == one
    assert Attachment("image", id="3").in_words() is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("11-wa-flow", "size: 43\nreason: too small", ["form: flow; size: 43; reason: too small"]),
        ("27-wa-button", "Yes", []),
        ("27-wa-interactive", "Norway", ["choice: description: d"]),
        ("27-wa-contacts", None, ["contacts: Mira T +49 000"]),
        ("27-wa-location", None, ["location: X; 1.5, 2.5"]),
        ("27-wa-image", "Do you deliver to Norway?", [None]),
        ("27-wa-unsupported", None, [None]),
    ],
)
def test_cases_of_structured_replies(name: str, text: str | None, words: list[str | None]) -> None:
    path = CASES / f"{name}.json"
    if not path.exists():
        pytest.skip("the cases are not at hand")
    (event,) = parse(json.loads(path.read_bytes()), Me())
    assert (event.text, [one.in_words() for one in event.attachments]) == (text, words)
