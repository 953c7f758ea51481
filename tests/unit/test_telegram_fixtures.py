"""Updates recorded by others, where the collection is at hand: each against what it should mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.channels import platform
from shared.channels.http import Response
from shared.channels.telegram.send import outcome
from shared.model import Me

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "webhooks" / "telegram"

RICH = "it's me\nmario\nCodes Colors  EI136 EI136 redOnecapiscored blue\nbold\nprefixboldsuffix"

# name → per event: kind, reply, reason, sender, external_id, text, reply_to
EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "callback-query": [("message", True, None, "222222222", "666728699048485871", "thedata", "69587")],
    "callback-query-inaccessible-message": [
        ("message", True, None, "222222222", "666728699048485871", "thedata", "69587"),
    ],
    "callback-query-null-message": [("message", True, None, "222222222", "666728699048485871", "thedata", None)],
    "caption-without-media-or-text": [("message", True, None, "23", "1", "test", None)],
    "channel-post": [("other", False, "channel_post", "456", "123", "Ciao", None)],
    "chat-join-request": [("other", False, "membership", "123456789", None, None, None)],
    "command-start-entity": [("message", True, None, "10081232", "428640", "/test", None)],
    "contact": [("message", True, None, "12345", "123456", None, None)],
    "deleted-business-messages": [
        ("deleted", False, "deleted", "456", "123", None, None),
        ("deleted", False, "deleted", "456", "321", None, None),
    ],
    "dice": [("message", True, None, "12345", "123456", None, None)],
    "document": [("message", True, None, "23", "1", None, None)],
    "edited-channel-post": [("edited", False, "channel_post", "456", "123", "Ciao", None)],
    "edited-message": [("edited", False, "edited", "999999999", "23762", "Editing this message", "23758")],
    "forum-topic-message": [("message", False, "group_without_mention", "123456", "35", "lòklò", "33")],
    "group-text-large-update-id": [("message", False, "group_without_mention", "23", "1", "test", None)],
    "guest-message": [("other", False, "guest_message", "12345678", "123456", "test", None)],
    "left-chat-member": [("other", False, "service_message", "12345", "123456", None, None)],
    "migrate-to-chat-id": [("other", False, "service_message", "12345", "123456", None, None)],
    "my-chat-member-kicked": [("account", False, "membership", "0", None, None, None)],
    "new-chat-members": [("other", False, "service_message", "12345", "123456", None, None)],
    "photo": [("message", True, None, "11111111", "456901", "asdasdasdasdasdasd", None)],
    "pinned-message-supergroup": [("other", False, "service_message", "408258968", "20225", None, None)],
    "poll-answer": [("other", False, "poll", "123456789", None, None, None)],
    "pre-checkout-query": [("other", False, "payment", "222222222", None, None, None)],
    "rich-message": [("message", False, "from_bot", "987654321", "1234", RICH, None)],
    "sticker": [("message", True, None, "12345", "123456", None, None)],
    "supergroup-story-no-text": [("message", False, "no_content", "6962620676", "134545", None, None)],
    "text": [("message", True, None, "12345678", "123456", "aaaaaaaaaa", None)],
    "text-emoji-entities": [("message", True, None, "321654", "123", "test bold underline 😆👍 look here", None)],
    "unknown-update-kind": [("other", False, "unknown_update", None, None, None, None)],
    "update-many-kinds-at-once": [
        ("message", True, None, "1111111", "1365", "Bold and italics", "1334"),
        ("edited", False, "edited", "1111111", "1365", "Edited text", None),
        ("other", False, "inline", "1111111", None, None, None),
        ("other", False, "inline", "1111111", None, None, None),
        ("message", False, "inline", "1111111", "4382bfdwdsb323b2d9", "Data from button callback", None),
    ],
    "voice": [("message", True, None, "12345", "123456", None, None)],
}

ATTACHED = {
    "contact": [("contact", None, None)],
    "dice": [("dice", None, None)],
    "document": [("document", "AwADBAADbXXXXXXXXXXXGBdhD2l6_XX", "application/png")],
    "photo": [("photo", "SEES", None)],
    "sticker": [("sticker", "yhufjikjhgjkghjffghgf", None)],
    "voice": [("voice", "dfghjjghdjhgd", "audio/ogg")],
}

REFUSALS = {
    "send-error-too-long": ("failed", "message_too_long", None),
    "send-error-too-many-requests": ("retry", "rate_limited", 14.0),
    "send-error-user-deactivated": ("failed", "deactivated", None),
}

PRESENT = sorted(path.stem for path in FOLDER.glob("*.json"))

pytestmark = pytest.mark.skipif(not PRESENT, reason="the collection of recorded updates is not at hand")


def body_of(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip("not in the collection at hand")
    body: dict[str, Any] = json.loads(path.read_bytes())["body"]
    return body


@pytest.mark.parametrize("name", PRESENT)
def test_every_recorded_body_has_an_expectation(name: str) -> None:
    assert name in EXPECTED or name in REFUSALS


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_update_means(name: str) -> None:
    events = platform("telegram").parse(body_of(name), Me())
    found = [(e.kind, e.reply, e.reason, e.sender, e.external_id, e.text, e.reply_to) for e in events]
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(ATTACHED))
def test_recorded_update_carries(name: str) -> None:
    (event,) = platform("telegram").parse(body_of(name), Me())
    assert [(a.type, a.id, a.mime) for a in event.attachments] == ATTACHED[name]


def test_recorded_migration_names_the_new_chat() -> None:
    (event,) = platform("telegram").parse(body_of("migrate-to-chat-id"), Me())
    assert event.migrated_to == "123456789"


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_recorded_refusal_means(name: str) -> None:
    body = body_of(name)
    result = outcome(Response(body["error_code"], body))
    assert (result.status, result.meaning, result.retry_after_s) == REFUSALS[name]
