"""Webhooks of Messenger and Instagram recorded by others, where the collection is at hand: what each should mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.channels import platform
from shared.model import Me

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "webhooks"
US, THEM = "12345654332", "987654321432"
MID = "mid.1457764197618:41d102a3e1ae206a38"
LONG = (
    "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQxNDUyNjkxNjAwMDk4OjM0MDI4MjM2Njg0MTcxMDMwMDk0OTEyODUyNTYwOTEwODQ0ODU4Mjoz"
    "MDc2OTU4MTA5OTY0OTI5MzAzMjAwODc1MDUxMTE2MTM0NAZDZD"
)

# name → per event: kind, reply, reason, account, sender, chat, external_id, text, reply_to
EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "messenger/account-linking": [
        ("account", False, "account_linking", US, THEM, THEM, None, None, None),
    ],
    "messenger/attachments-three-in-one": [
        ("message", True, None, "PAGE_ID", "USER_ID", "USER_ID", "mid.1458696618141:b4ef9d19ec21086067", None, None),
    ],
    "messenger/delivery": [
        ("delivery", False, "delivery", US, THEM, THEM, "mid.1458668856218:ed81099e15d3f4f233", None, None),
    ],
    "messenger/echo-sender-is-page": [
        ("echo", False, "echo", "PAGE_ID", "PAGE_ID", "USER_ID", "mid.1457764197618:41d102a3e1ae206a38",
         "hello, text message world!", None),
    ],
    "messenger/echo-template-receipt": [
        ("echo", False, "echo", "17175299999834678", "17175299999834678", "1256299999730577",
         "mid.1480199999925:83392d9f65", None, None),
    ],
    "messenger/entry-without-messaging": [("other", False, "unknown_update", "1", None, None, None, None, None)],
    "messenger/feed-comment-add": [
        ("other", False, "comment", "1234567890321", "1234567890321", None, "901097836652708_903438993085259",
         "and the next one", None),
    ],
    "messenger/feed-two-entries-changes": [
        ("other", False, "page_change", "1234567890321", None, None, None, None, None),
        ("other", False, "page_change", "1234567890321", None, None, None, None, None),
    ],
    "messenger/game-play-string-timestamps": [
        ("other", False, "game_play", "PAGE_ID", "USER_ID", "USER_ID", None, None, None),
    ],
    "messenger/handover-app-roles": [("handover", False, "handover", US, THEM, THEM, None, None, None)],
    "messenger/handover-pass-thread": [
        ("handover", False, "handover", "PAGE_ID", "USER_ID", "USER_ID", None, None, None),
    ],
    "messenger/handover-request-thread": [
        ("handover", False, "handover", "PAGE_ID", "USER_ID", "USER_ID", None, None, None),
    ],
    "messenger/message-deleted": [("deleted", False, "deleted", US, THEM, THEM, "message_id", None, None)],
    "messenger/message-edit": [("edited", False, "edited", US, THEM, THEM, MID, "hello, world!", None)],
    "messenger/message-unsupported": [("message", True, None, US, THEM, THEM, "message_id", None, None)],
    "messenger/optin": [("optin", False, "optin", US, THEM, THEM, None, None, None)],
    "messenger/optin-user-ref": [("optin", False, "optin", US, THEM, THEM, None, None, None)],
    "messenger/policy-enforcement-block": [
        ("account", False, "policy_enforcement", US, None, None, None, None, None),
    ],
    "messenger/postback-guest-user-ref": [
        ("message", True, None, US, THEM, f"user_ref:{THEM}", None, "hey", None),
    ],
    "messenger/postback-referral": [("message", True, None, US, THEM, THEM, None, "USER_DEFINED_PAYLOAD", None)],
    "messenger/prior-message": [
        ("message", True, None, US, THEM, THEM, "mid.1457744567618:41d102a3e1ae206a38", "Thanks for messaging me!",
         None),
    ],
    "messenger/quick-reply": [
        ("message", True, None, "1234567890321", THEM, THEM, "mid.1458696618141:b4ef9d19ec21086067",
         "quick reply text", None),
    ],
    "messenger/reaction-react-emoji": [
        ("reaction", False, "reaction", "PAGE_ID", "USER_ID", "USER_ID", "original_message_id", "😢", None),
    ],
    "messenger/reaction-unreact": [
        ("reaction", False, "reaction", "PAGE_ID", "USER_ID", "USER_ID", "original_message_id", None, None),
    ],
    "messenger/read-watermark": [("read", False, "read", US, THEM, THEM, None, None, None)],
    "messenger/referral": [("referral", False, "referral", US, THEM, THEM, None, None, None)],
    "messenger/reply-to-mid": [
        ("message", True, None, US, THEM, THEM, MID, "hello, world!",
         "very_long_id_representing_the_original_message"),
    ],
    "messenger/standby-echo": [("echo", False, "echo", US, US, THEM, MID, "hello, world!", None)],
    "messenger/sticker": [("message", True, None, US, THEM, THEM, "mid.12345654332:226a70a704", None, None)],
    "messenger/unknown-event-type": [
        ("other", False, "unknown_update", "PAGE_ID", "USER_ID", "USER_ID", None, None, None),
    ],
    "instagram/attachment-ig-reel": [("message", True, None, "123", "567", "567", "890", None, None)],
    "instagram/attachment-unsupported-type": [
        ("message", True, None, "17841452691600098", "5614879045272581", "5614879045272581", LONG, None, None),
    ],
    "instagram/change-comment": [
        ("other", False, "comment", None, None, None, "123456789", "This is an example.", None),
    ],
    "instagram/change-mention": [("other", False, "mention", None, None, None, "17887498072083520", None, None)],
    "instagram/dashboard-test-event-entry-id-0": [
        ("message", True, None, "23245", "12334", "12334", "random_mid", "random_text", None),
    ],
    "instagram/postback-icebreaker": [
        ("message", True, None, "123", "567", "567", "MESSAGE-ID", "SELECTED-ICEBREAKER-REPLY-OR-CTA-BUTTON", None),
    ],
    "instagram/quick-reply-no-text": [("message", True, None, "123", "567", "567", "890", "QR-PAYLOAD", None)],
    "instagram/seen-iso-time": [
        ("read", False, "read", "chatwoot-app-user-id-1", "Sender-id-1", "Sender-id-1", "message-id-1", None, None),
    ],
    "instagram/story-mention": [("message", True, None, "123", "567", "567", "890", None, None)],
    "instagram/story-mention-echo": [
        ("echo", False, "echo", "Sender-id-1", "Sender-id-1", "chatwoot-app-user-id-1", "message-id-1", None, None),
    ],
}  # fmt: skip

# name → field → value of the only event
MORE: dict[str, dict[str, Any]] = {
    "messenger/account-linking": {"status": "account_linking", "payload": "linked"},
    "messenger/delivery": {"status": "delivered", "targets": ("mid.1458668856218:ed81099e15d3f4f233",)},
    "messenger/echo-sender-is-page": {"ref": "DEVELOPER_DEFINED_METADATA_STRING", "app": "1517776481860111"},
    "messenger/echo-template-receipt": {"ref": None, "app": "1559999994822905"},
    "messenger/handover-app-roles": {"status": "app_roles"},
    "messenger/handover-pass-thread": {"status": "pass", "app": "NEW_OWNER_APP_ID", "payload": "METADATA"},
    "messenger/handover-request-thread": {"status": "request", "app": "REQUESTED_OWNER_APP_ID"},
    "messenger/message-deleted": {"targets": ("message_id",)},
    "messenger/message-edit": {"targets": (MID,)},
    "messenger/policy-enforcement-block": {"status": "policy_enforcement", "payload": "block"},
    "messenger/postback-referral": {"payload": "USER_DEFINED_PAYLOAD"},
    "messenger/quick-reply": {"payload": "PAYLOAD_QUICK_REPLY"},
    "messenger/reaction-react-emoji": {"status": "added", "targets": ("original_message_id",)},
    "messenger/reaction-unreact": {"status": "removed", "targets": ("original_message_id",)},
    "messenger/referral": {"payload": "ref_data_in_m_dot_me_param"},
    "instagram/postback-icebreaker": {"payload": "CUSTOMER-RESPONSE-PAYLOAD"},
    "instagram/seen-iso-time": {"status": "read", "targets": ("message-id-1",)},
}

# name → type and id of each attachment
ATTACHED: dict[str, list[tuple[str, str | None]]] = {
    "messenger/attachments-three-in-one": [("image", None), ("fallback", None), ("location", None)],
    "messenger/echo-template-receipt": [
        ("template", None),
        ("template", None),
        ("image", None),
        ("template", None),
        ("image", None),
    ],
    "messenger/message-unsupported": [("unsupported", None)],
    "messenger/sticker": [("sticker", "56789012345678")],
    "instagram/attachment-ig-reel": [("ig_reel", "123")],
    "instagram/attachment-unsupported-type": [("unsupported", None)],
    "instagram/story-mention": [("story_mention", None)],
    "instagram/story-mention-echo": [("story_mention", None)],
}

TIMES = {
    "messenger/game-play-string-timestamps": "2016-03-22T17:47:36.463000+00:00",
    "messenger/optin": "2009-02-13T23:31:30+00:00",
    "instagram/dashboard-test-event-entry-id-0": "2018-05-27T22:23:44+00:00",
    "instagram/seen-iso-time": "2021-09-08T06:34:04+00:00",
}

SIGNATURES = {"messenger/signature-vector-sha1-legacy"}  # in test_meta.py

PRESENT = sorted(f"{path.parent.name}/{path.stem}" for kind in ("messenger", "instagram")
                 for path in (FOLDER / kind).glob("*.json"))  # fmt: skip

pytestmark = pytest.mark.skipif(not PRESENT, reason="the collection of recorded webhooks is not at hand")


def events_of(name: str) -> list[Any]:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip("not in the collection at hand")
    return list(platform(name.partition("/")[0]).parse(json.loads(path.read_bytes())["body"], Me()))


@pytest.mark.parametrize("name", PRESENT)
def test_every_recorded_body_has_an_expectation(name: str) -> None:
    assert name in EXPECTED or name in SIGNATURES


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_webhook_means(name: str) -> None:
    found = [
        (e.kind, e.reply, e.reason, e.account, e.sender, e.chat, e.external_id, e.text, e.reply_to)
        for e in events_of(name)
    ]
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(MORE))
def test_recorded_webhook_also_says(name: str) -> None:
    (event,) = events_of(name)
    assert {field: getattr(event, field) for field in MORE[name]} == MORE[name]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_webhook_carries(name: str) -> None:
    found = [(a.type, a.id) for event in events_of(name) for a in event.attachments]
    assert found == ATTACHED.get(name, [])


@pytest.mark.parametrize("name", sorted(TIMES))
def test_recorded_webhook_has_its_time(name: str) -> None:
    (event,) = events_of(name)
    assert event.sent_at.isoformat() == TIMES[name]


def test_recorded_place_has_its_coordinates() -> None:
    (event,) = events_of("messenger/attachments-three-in-one")
    assert [(a.latitude, a.longitude) for a in event.attachments][2] == (52.3765533, 9.7389123)
    assert [a.url for a in event.attachments] == ["http://image.url", "<URL_OF_THE_ATTACHMENT>", None]


def test_recorded_marks_are_times() -> None:
    for name in ("delivery", "read-watermark"):
        (event,) = events_of(f"messenger/{name}")
        assert event.until.isoformat() == "2016-03-22T17:47:36.253000+00:00"
