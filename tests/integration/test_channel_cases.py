"""Bodies that went wrong in comparable products: each with an equal here, and the case itself where it is at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared import channels
from shared.model import Me
from shared.triage import texts
from tasks.answers.reply import Result
from tests.factories import Bot, update
from tests.integration import accounts
from tests.integration.station import Station
from tests.unit import fixtures_whatsapp as whatsapp

NUMBER, PAGE, ACCOUNT = "PNID", "700900", "17841400000000001"


def _whatsapp(station: Station) -> Bot:
    return accounts.connect(station.inbox, "whatsapp", NUMBER, "15550001111")


def _ours(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    body = whatsapp.messages(whatsapp.message(kind, content, **more))
    body["entry"][0]["changes"][0]["value"]["metadata"] = {"phone_number_id": NUMBER}
    return body


TWICE = whatsapp.messages(whatsapp.message(), whatsapp.message())
TWICE["entry"][0]["changes"][0]["value"]["metadata"] = {"phone_number_id": NUMBER}


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ("26-wa-dup-in-batch", 1), ("27-wa-button", 1), ("27-wa-contacts", 1), ("27-wa-image", 1),
        ("27-wa-interactive", 1), ("27-wa-location", 1), ("27-wa-unsupported", 1), ("11-wa-flow", 1),
        ("20-wa-stale", 1), (TWICE, 1), (_ours("button", {"payload": "YES_1", "text": "Yes"}), 1),
    ],
)  # fmt: skip
def test_each_whatsapp_message_is_stored_once_and_never_blank(
    station: Station, body: str | dict[str, Any], messages: int
) -> None:
    number = _whatsapp(station)
    said = accounts.case(body) if isinstance(body, str) else body
    accounts.receive(station.inbox, number, "whatsapp", said, said)

    assert station.rows("SELECT count(*) FROM messages WHERE text IS NOT NULL OR attachments IS NOT NULL") == [
        (messages,)
    ]
    assert station.rows("SELECT count(*) FROM turns") == [(messages,)]
    assert station.rows("SELECT unread FROM company_totals") == [(messages,)]


STORY = {
    "mid": "s1",
    "text": "is this one still there?",
    "reply_to": {"story": {"id": "1", "url": "https://h.example/s"}},
}


def _instagram(message: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    parties = {"sender": {"id": "900100"}, "recipient": {"id": ACCOUNT}} if message else {}
    item = {**parties, "timestamp": 1_780_000_000_000, **({"message": message} if message else {}), **more}
    return {"object": "instagram", "entry": [{"id": ACCOUNT, "time": 1_780_000_000_000, "messaging": [item]}]}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("13-ig-story-reply", [("is this one still there?", "story")]),
        ("13-ig-story-unsupported", [(None, "unsupported")]),
        ("14-ig-edit0", []),
        (_instagram(STORY), [("is this one still there?", "story")]),
        (_instagram({"mid": "s2", "is_unsupported": True}), [(None, "unsupported")]),
        (_instagram(None, message_edit={"mid": "s3", "num_edit": 0}), []),
    ],
)
def test_each_instagram_message_is_shown(
    station: Station, body: str | dict[str, Any], shown: list[tuple[str | None, str]]
) -> None:
    account = accounts.connect(station.inbox, "instagram", ACCOUNT)
    stored = accounts.receive(
        station.inbox, account, "instagram", accounts.case(body) if isinstance(body, str) else body
    )  # fmt: skip
    assert station.rows("SELECT text, attachments->0->>'type' FROM messages") == shown
    assert stored.effected + stored.dropped == 1


@pytest.mark.parametrize("case", [True, False])
def test_get_started_is_welcomed(station: Station, case: bool) -> None:
    page = accounts.connect(station.inbox, "messenger", PAGE)
    pressed = {"mid": "m1", "title": "Get Started", "payload": "GET_STARTED"}
    item = {"sender": {"id": "1"}, "recipient": {"id": PAGE}, "timestamp": 1_780_000_000_000, "postback": pressed}
    ours = {"object": "page", "entry": [{"id": PAGE, "messaging": [item]}]}
    accounts.receive(station.inbox, page, "messenger", accounts.case("31-fb-get-started") if case else ours)

    assert station.answer() is Result.ANSWERED
    assert station.rows("SELECT text FROM messages WHERE role = 'bot'") == [(texts.default("welcome", "en"),)]
    assert station.rows("SELECT bot_enabled FROM conversations") == [(True,)]


ASKED = json.dumps(update("Do you deliver to Norway?")).encode()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"[]", None), (b"", None), ("zürich".encode("latin-1"), None), (b'{"a":' + b"[" * 100_000, None),
        (b"\xef\xbb\xbf" + ASKED, "Do you deliver to Norway?"),
        (ASKED.replace(b"deliver", b"deliver\\u0000"), "Do you deliver� to Norway?"),
        (ASKED.replace(b"Norway?", b"Norway? \\ud83d"), "Do you deliver to Norway? �"),
        *((name, text) for name, text in (
            ("35-raw-array", None), ("35-raw-empty", None), ("35-raw-latin1", None), ("35-raw-deep", None),
            ("35-raw-bom", "Do you deliver to Norway?"), ("35-raw-nul", "Do you deliver� to Norway?"),
            ("35-raw-lone-surrogate", "Do you deliver to Norway? �"),
            ("35-raw-entities-null", "Do you deliver to Norway?"),
        )),
    ],
)  # fmt: skip
def test_raw_bodies_are_read_or_refused_whole(raw: bytes | str, text: str | None) -> None:
    if isinstance(raw, str):
        path = accounts.CASES / f"{raw}.json"
        if not path.exists():
            pytest.skip("the cases are not at hand")
        raw = path.read_bytes()
    telegram = channels.platform("telegram")
    if text is None:
        with pytest.raises(ValueError, match="the body is"):
            telegram.decode(raw)
    else:
        assert [event.text for event in telegram.parse(telegram.decode(raw), Me())] == [text]


@pytest.mark.parametrize("name", ["35-raw-big-int-id", "35-raw-string-ids"])
def test_raw_bodies_with_odd_ids_are_events(name: str) -> None:
    telegram = channels.platform("telegram")
    path = accounts.CASES / f"{name}.json"
    if not path.exists():
        pytest.skip("the cases are not at hand")
    assert telegram.parse(telegram.decode(path.read_bytes()), Me())
