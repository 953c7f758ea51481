"""Webhooks recorded by others, where the collection is at hand: each against what it should mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.channels import platform
from shared.model import InboundEvent, Me

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "webhooks" / "whatsapp"

REST = "wamid.HBgNNDkxNTIwOTgzMzM5OBUCABIYHGDEHJVFHJEVCFHJEVBCMTkyODk1OEIyAA=="
BSUID = "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA="
EDIT = "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA="
ADA, PYWA, SHEENA = "491234567890", "972987654321", "US.13491208655302741918"
GROUP = "120363418770915618@g.us"

# name → per event: kind, reason, sender, chat, external_id, text, reply_to
EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "account-banned": [("account", "account", None, None, None, None, None)],
    "ad-referral": [("message", None, ADA, ADA, REST, "Test", None)],
    "batch-two-changes-same-wamid": [
        ("message", None, "PHONE_NUMBER", "PHONE_NUMBER", "wamid.ID", "MESSAGE_BODY", None),
        ("message", None, "PHONE_NUMBER", "PHONE_NUMBER", "wamid.ID", "MESSAGE_BODY2", None),
    ],
    "contacts-request-no-from": [("message", None, SHEENA, SHEENA, BSUID, None, None)],
    "document-zip-double-escaped-mime": [("message", None, ADA, ADA, REST, "RESTFB ANNIVERSARY", None)],
    "edited-image": [("edited", "edited", "16505551234", "16505551234", EDIT, "Updated image caption", "M0")],
    "entry-is-object-not-array": [("other", "unknown_update", None, None, None, None, None)],
    "flow-nfm-reply": [
        ("message", None, "PHONE_NUMBER_ID", "PHONE_NUMBER_ID", "wamid.ID", "name: Email\norderNumber: ID", None)
    ],
    "frequently-forwarded": [("message", None, PYWA, PYWA, "wamid.xyzxyz", "text forwarded many times", None)],
    "group-participants-batch": [
        ("other", "membership", who, GROUP, None, None, None)
        for who in (SHEENA, "16505551234", "16505550000", "16505551111", "16505552222")
    ],
    "image-no-message-id-with-errors": [
        ("message", None, "2423423243", "2423423243", None, "Check out my product!", None),
    ],
    "image-with-url": [("message", None, PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "interactive-button-reply": [("message", None, ADA, ADA, REST, "button-text", None)],
    "interactive-list-reply": [("message", None, ADA, ADA, REST, "list_reply_title", None)],
    "location-double-escaped-unicode": [("message", None, ADA, ADA, REST, None, None)],
    "order": [("message", None, PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "revoked": [
        ("deleted", "deleted", "<WHATSAPP_USER_PHONE_NUMBER>", "<WHATSAPP_USER_PHONE_NUMBER>",
         "<WHATSAPP_MESSAGE_ID>", None, None),
    ],
    # recorded with the sides swapped: the number that is ours tells which is the customer
    "smb-echo-edit": [("echo", "echo", "972123456789", PYWA, "wamid.yyyyyy", "Text was edited", None)],
    "smb-echo-revoke": [("echo", "echo", "972123456789", PYWA, "wamid.yyyyyy", None, None)],
    "smb-echo-text": [
        ("echo", "echo", "<BUSINESS_DISPLAY_PHONE_NUMBER>", "<WHATSAPP_USER_PHONE_NUMBER>", "<WHATSAPP_MESSAGE_ID>",
         "Test message", None),
    ],
    "status-delivered": [("delivery", "delivery", PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "status-delivered-bsuid": [("delivery", "delivery", SHEENA, SHEENA, EDIT, None, None)],
    "status-failed-130472": [("delivery", "delivery", PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "status-failed-131026": [
        ("delivery", "delivery", "REDACTED", "REDACTED",
         "wamid.HBgLMzI0NzY3NTUzNzYVAgARGBIzOTI2MzFGRjdBRjA4M0Y2RDQA", None, None),
    ],
    "status-read": [("read", "read", PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "status-sent": [("delivery", "delivery", PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "sticker-animated": [("message", None, PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "system-user-id-changed-no-contacts": [
        ("other", "service_message", SHEENA, SHEENA, BSUID,
         "User Sheena Nelson changed from US.10101010101010101010 to US.13491208655302741918", None),
    ],
    "template-button-reply": [("message", None, ADA, ADA, REST, "No", "wamid.ID")],
    "text-bsuid-only-group": [
        ("message", "group_without_mention", SHEENA, GROUP, BSUID, "Does it come in another color?", None),
    ],
    "unknown-error-131051": [("message", None, ADA, ADA, REST, None, None)],
    "unreaction-empty-emoji": [("reaction", "reaction", PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "unreaction-no-emoji": [("reaction", "reaction", PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "unsupported-with-type": [("message", None, PYWA, PYWA, "wamid.xyzxyz", None, None)],
    "user-id-update": [("account", "account", "16505551234", "16505551234", None, None, None)],
    "voice-note": [("message", None, PYWA, PYWA, "wamid.xyzxyz", None, None)],
}  # fmt: skip

# name → type, id, mime, name
ATTACHED: dict[str, list[tuple[Any, ...]]] = {
    "ad-referral": [("ad", "ADID", None, "ad")],
    "flow-nfm-reply": [("form", None, None, "flow")],
    "interactive-list-reply": [("choice", None, None, None)],
    "contacts-request-no-from": [("contacts", None, None, "Sheena Nelson 15551234567")],
    "document-zip-double-escaped-mime": [("document", "4937353526352", "application/zip", "RESTFB ANNIVERSARY.zip")],
    "edited-image": [("image", "1234567890", "image/jpeg", None)],
    "image-no-message-id-with-errors": [("image", "b1c68f38-8734-4ad3-b4a1-ef0c10d683", "image/jpeg", None)],
    "image-with-url": [("image", "65463453", "image/jpeg", None)],
    "location-double-escaped-unicode": [("location", None, None, "Saarbrücken")],
    "order": [("order", "354160437058781", None, "3 × HAMBURGER, 2 × FRENCH_FRIES, 2 × SODA")],
    "sticker-animated": [("sticker", "1234567890987654321", "image/webp", None)],
    "unknown-error-131051": [("unsupported", None, None, None)],
    "unsupported-with-type": [("unsupported", None, None, "pool")],
    "voice-note": [("voice", "1234567890987654321", "audio/ogg; codecs=opus", None)],
}

# name → account, payload, targets, status, meaning
DETAILS: dict[str, tuple[Any, ...]] = {
    "account-banned": (None, None, (), "account_update", "account_disable_scheduled"),
    "ad-referral": ("10634295353625", "ADID", (), None, None),
    "edited-image": (
        "106540352242922", None, ("wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA=",), None, None,
    ),
    "flow-nfm-reply": (
        "PHONE_NUMBER_ID", '{"screen_0_name_0":"Email","screen_0_orderNumber_1":"ID","flow_token":"unused"}', (), None,
        None,
    ),
    "image-no-message-id-with-errors": (None, None, (), None, None),
    "interactive-button-reply": ("10634295353625", "unique-button-identifier-here", (), None, None),
    "interactive-list-reply": ("10634295353625", "list_reply_id", (), None, None),
    "revoked": ("<BUSINESS_PHONE_NUMBER_ID>", None, ("<ORIGINAL_WHATSAPP_MESSAGE_ID>",), None, None),
    "smb-echo-edit": ("1122334455667", None, ("wamid.zzzzzz",), "edited", None),
    "smb-echo-revoke": ("1122334455667", None, ("wamid.zzzzzz",), "deleted", None),
    "status-delivered": ("1122334455667", None, ("wamid.xyzxyz",), "delivered", None),
    "status-failed-130472": ("1122334455667", None, ("wamid.xyzxyz",), "failed", "not_delivered"),
    "status-failed-131026": (
        "REDACTED", None, ("wamid.HBgLMzI0NzY3NTUzNzYVAgARGBIzOTI2MzFGRjdBRjA4M0Y2RDQA",), "failed", "unreachable",
    ),
    "status-read": ("1122334455667", None, ("wamid.xyzxyz",), "read", None),
    "status-sent": ("1122334455667", None, ("wamid.xyzxyz",), "sent", None),
    "template-button-reply": ("10634295353625", "No-Button-Payload", (), None, None),
    "unreaction-no-emoji": ("1122334455667", None, ("wamid.yzxyzx=",), "removed", None),
    "user-id-update": ("106540352242922", None, (), "user_id_update", None),
}  # fmt: skip

PRESENT = sorted(path.stem for path in FOLDER.glob("*.json"))

pytestmark = pytest.mark.skipif(not PRESENT, reason="the collection of recorded webhooks is not at hand")


def events_of(name: str) -> list[InboundEvent]:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip("not in the collection at hand")
    return platform("whatsapp").parse(json.loads(path.read_bytes())["body"], Me())


@pytest.mark.parametrize("name", PRESENT)
def test_every_recorded_body_has_an_expectation(name: str) -> None:
    assert name in EXPECTED


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_webhook_means(name: str) -> None:
    events = events_of(name)
    found = [(e.kind, e.reason, e.sender, e.chat, e.external_id, e.text, e.reply_to) for e in events]
    assert found == EXPECTED[name]
    assert all(e.reply == (e.reason is None) for e in events)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_webhook_carries(name: str) -> None:
    event = events_of(name)[0]
    assert [(a.type, a.id, a.mime, a.name) for a in event.attachments] == ATTACHED.get(name, [])


@pytest.mark.parametrize("name", sorted(DETAILS))
def test_recorded_webhook_tells(name: str) -> None:
    event = events_of(name)[0]
    assert (event.account, event.payload, event.targets, event.status, event.meaning) == DETAILS[name]
