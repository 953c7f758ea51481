"""Every kind of Telegram message: what is stored of it, what people read, and that none is blank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.channels import platform
from shared.channels.telegram import contents
from shared.model import Attachment, InboundEvent
from shared.store.inbox import media
from tests.unit.fixtures_telegram import GROUP, ME, OURSELVES, message, update

PAGE = Path(__file__).resolve().parents[2] / "docs" / "channels" / "telegram.md"

FILE = {"file_id": "f-1", "file_unique_id": "u-1", "file_size": 48_211}
ADA = {"user_id": 4402, "first_name": "Grace", "last_name": "Hopper"}
QUAY = {"latitude": 53.5436, "longitude": 9.9886}

SENT: dict[str, tuple[Any, str, str | None, str | None]] = {
    "photo": ([{**FILE, "width": 90, "height": 90}], "photo", None, None),
    "animation": ({**FILE, "file_name": "wave.mp4"}, "animation", "wave.mp4", None),
    "audio": ({**FILE, "performer": "Ina", "title": "Harbour", "file_name": "1.mp3"}, "audio", "Ina – Harbour", None),
    "document": ({**FILE, "file_name": "berths.pdf", "mime_type": "application/pdf"}, "document", "berths.pdf", None),
    "live_photo": ({**FILE, "duration": 2}, "live_photo", None, None),
    "sticker": ({**FILE, "emoji": "⛵", "set_name": "boats"}, "sticker", None, "sticker: emoji: ⛵"),
    "video": ({**FILE, "file_name": "quay.mp4", "duration": 61}, "video", "quay.mp4", None),
    "video_note": ({**FILE, "length": 240, "duration": 9}, "video_note", None, None),
    "voice": ({**FILE, "duration": 12, "mime_type": "audio/ogg"}, "voice", None, None),
    "checklist": ({"title": "Before casting off", "tasks": [{"id": 1, "text": "fuel", "completion_date": 5},
                                                           {"id": 2, "text": "ropes", "completion_date": 0}]},
                  "checklist", "Before casting off", "checklist: Before casting off; done: fuel; to do: ropes"),
    "contact": ({"phone_number": "+49 40 123", **ADA}, "contact", "Grace Hopper",
                "contact: Grace Hopper; phone: +49 40 123"),
    "dice": ({"emoji": "🎯", "value": 6}, "dice", None, "dice: emoji: 🎯; value: 6"),
    "game": ({"title": "Regatta", "description": "Sail home first", "photo": []}, "game", "Regatta",
             "game: Regatta; description: Sail home first"),
    "location": ({**QUAY, "live_period": 900}, "location", None, "location: 53.5436, 9.9886; live for: 900 s"),
    "paid_media": ({"star_count": 25, "paid_media": [{"type": "preview"}]}, "paid_media", None,
                   "paid media: Telegram Stars: 25; files: 1"),
    "poll": ({"id": "p-9", "question": "Which berth?", "options": [{"text": "4", "voter_count": 0}, {"text": "7"}],
              "type": "quiz", "is_anonymous": False}, "poll", "Which berth?",
             "poll: Which berth?; option: 4; option: 7; kind: quiz"),
    "venue": ({"location": QUAY, "title": "Old quay", "address": "Pier 3"}, "venue", "Old quay",
              "venue: Old quay; 53.5436, 9.9886; address: Pier 3"),
    "invoice": ({"title": "Berth 4", "description": "One week", "start_parameter": "b4", "currency": "EUR",
                 "total_amount": 4550}, "invoice", "Berth 4",
                "invoice: Berth 4; description: One week; amount: 45.50 EUR"),
    "giveaway": ({"chats": [], "winner_count": 3, "winners_selection_date": 1_760_000_000,
                  "prize_description": "A week"}, "giveaway", "A week", "giveaway: A week; winners: 3"),
    "giveaway_winners": ({"winner_count": 1, "winners": [{"id": 4402, "first_name": "Grace"}]}, "giveaway_winners",
                         None, "giveaway winners: winners: 1; winner: Grace"),
    "users_shared": ({"request_id": 1, "users": [ADA]}, "users_shared", None, "users shared: person: Grace Hopper"),
    "chat_shared": ({"request_id": 2, "chat_id": -100200300, "title": "Boat owners"}, "chat_shared", None,
                    "chat shared: title: Boat owners; chat id: -100200300"),
    "web_app_data": ({"button_text": "Book", "data": '{"berth":4}'}, "web_app_data", "Book",
                     'web app data: Book; data: {"berth":4}'),
    "gift": ({"gift": {"id": "g", "star_count": 50}, "text": "Thank you"}, "gift", None,
             "gift: Telegram Stars: 50; text: Thank you"),
    "unique_gift": ({"gift": {"base_name": "Anchor"}, "origin": "upgrade", "text": "Yours"}, "unique_gift", "Anchor",
                    "unique gift: Anchor; text: Yours"),
    "passport_data": ({"data": [{"type": "passport", "hash": "x", "data": "secret"}], "credentials": {"data": "x"}},
                      "passport_data", None, "passport data: document: passport"),
}  # fmt: skip
"""Field of the message → (what it holds, stored as, its name, all of it in words)."""


def read(**fields: Any) -> InboundEvent:
    [event] = platform("telegram").parse(update("message", message(text=None, **fields)), ME)
    return event


def test_the_samples_leave_no_kind_out() -> None:
    assert list(SENT) == [one.field for one in contents.CONTENTS]


@pytest.mark.parametrize("field", SENT)
def test_each_kind_is_stored_with_what_people_read_of_it(field: str) -> None:
    value, kind, name, words = SENT[field]
    event = read(**{field: value})
    [attachment] = event.attachments
    assert (event.kind, event.reply) == ("message", True)
    assert (attachment.type, attachment.name, attachment.in_words()) == (kind, name, words)


@pytest.mark.parametrize("field", SENT)
def test_each_kind_survives_fields_of_the_wrong_sort(field: str) -> None:
    value = SENT[field][0]
    whole = value[0] if isinstance(value, list) else value
    odds: tuple[Any, ...] = (None, [], {}, "x" * 100_000, -1, 1e308, True, [[1]], [{"text": {"text": 1}}])
    for nonsense in odds:
        odd = dict.fromkeys(whole, nonsense)
        [attachment] = read(**{field: [odd] if field == "photo" else odd}).attachments
        assert attachment.type == SENT[field][1]
        assert len(attachment.in_words() or "") < 10_000


@pytest.mark.parametrize("field", ["animation", "audio", "document", "live_photo", "video", "video_note", "voice"])
def test_a_file_is_fetched_by_its_id_and_shown_with_its_size(field: str) -> None:
    [file] = read(**{field: SENT[field][0]}).attachments
    assert (file.id, file.size_bytes) == ("f-1", 48_211)
    assert media.fetchable(file)


def test_a_place_is_where_it_is_also_as_a_number() -> None:
    [venue] = read(venue=SENT["venue"][0], location=QUAY).attachments
    assert (venue.type, venue.latitude, venue.longitude) == ("venue", 53.5436, 9.9886)


@pytest.mark.parametrize(("latitude", "longitude"), [(91, 0), (0, 181), ("1", "2"), (float("nan"), 0), (None, 1)])
def test_a_place_nowhere_on_earth_has_no_numbers_for_it(latitude: Any, longitude: Any) -> None:
    [where] = read(location={"latitude": latitude, "longitude": longitude}).attachments
    assert where.in_words() is None or "," not in str(where.in_words())


def test_a_polls_options_come_one_by_one() -> None:
    [poll] = read(poll=SENT["poll"][0]).attachments
    assert (poll.id, poll.fields) == ("p-9", (("option", "4"), ("option", "7"), ("kind", "quiz")))


def test_of_identity_documents_only_the_kind_is_kept() -> None:
    assert "secret" not in repr(read(passport_data=SENT["passport_data"][0]).attachments)


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [("EUR", 1250, "12.50 EUR"), ("JPY", 1250, "1250 JPY"), ("KWD", 1250, "1.250 KWD"), ("XTR", 5, "5 Telegram Stars")],
)
def test_an_amount_has_its_currencys_decimals(currency: str, amount: int, shown: str) -> None:
    [invoice] = read(invoice={"currency": currency, "total_amount": amount}).attachments
    assert invoice.fields == (("amount", shown),)


@pytest.mark.parametrize("field", ["story", "hologram_of_2031"])
def test_what_nobody_here_knows_is_unsupported_and_answered_in_a_private_chat(field: str) -> None:
    event = read(**{field: {"id": 2}})
    assert (event.reply, event.text) == (True, None)
    assert event.attachments == (Attachment("unsupported", name=field),)


def test_a_message_of_nothing_at_all_is_unsupported() -> None:
    assert read().attachments == (Attachment("unsupported"),)


def test_what_nobody_here_knows_is_stored_in_a_group_and_not_answered() -> None:
    event = read(story={"id": 2}, chat=GROUP, reply_to_message={"message_id": 5, "from": OURSELVES})
    assert (event.kind, event.reply, event.reason) == ("message", False, "no_content")
    assert [one.type for one in event.attachments] == ["unsupported"]


def test_an_edit_to_what_nobody_here_knows_leaves_what_there_is() -> None:
    [event] = platform("telegram").parse(update("edited_message", message(text=None, story={"id": 2})), ME)
    assert event.attachments == ()


def test_a_message_in_blocks_is_read_as_lines() -> None:
    blocks = [
        {"type": "heading", "text": "Berths", "size": 2},
        {
            "type": "paragraph",
            "text": ["free: ", {"type": "bold", "text": ["4 ", {"type": "italic", "text": "and 7"}]}],
        },
        {"type": "table", "cells": [[{"text": "Berth"}, {"text": "Price"}], [{"text": "4"}, {"text": "45 €"}]]},
        {"type": "list", "items": [{"text": "power"}, {"text": "water"}]},
    ]
    assert read(rich_message={"blocks": blocks}).text == (
        "Berths\nfree: 4 and 7\nBerth Price  4 45 €\npower water"
    )  # fmt: skip


def test_a_deeply_nested_message_in_blocks_is_read_too() -> None:
    text: Any = "down here"
    for _ in range(50_000):
        text = {"type": "bold", "text": [text]}
    assert read(rich_message={"blocks": [{"type": "paragraph", "text": text}]}).text == "down here"


def test_the_page_says_how_each_kind_is_shown() -> None:
    assert contents.table() in PAGE.read_text(), (
        "put what shared.channels.telegram.contents.table() makes into the page"
    )
