"""What Messenger and Instagram say happened, and what of it the bot may answer."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.channels import platform
from shared.channels.meta import webhook as meta_webhook
from shared.channels.meta.event import read_time
from shared.model import Attachment, InboundEvent, Me
from shared.triage.classify import classify
from tests.unit.fixtures_meta import (
    AT_MS,
    CUSTOMER,
    ECHO,
    LOOK_ALIKES,
    ME,
    MID,
    OUR_APP,
    PAGE,
    attached,
    body,
    change,
    item,
    message,
)

AT = datetime.fromtimestamp(AT_MS / 1000, UTC)


def parse(whole: dict[str, Any], me: Me = ME) -> list[InboundEvent]:
    return platform("messenger").parse(whole, me)


def one(name: str) -> InboundEvent:
    [event] = parse(LOOK_ALIKES[name])
    return event


def test_a_link_that_led_to_get_started_is_the_referral() -> None:
    pressed = {"mid": "m_g1", "title": "Get Started", "payload": "GET_STARTED", "referral": {"ref": "spring"}}

    [event] = parse(body(item(postback=pressed)))

    assert (event.text, event.payload, event.referral, event.reply) == ("Get Started", "GET_STARTED", "spring", True)
    assert classify(event.text or "").what == "start"


ANSWERED = {
    "text", "reply", "quick_reply", "image", "location", "sticker", "story_reply", "ad", "unsupported", "postback",
    "tested",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LOOK_ALIKES))
def test_only_what_a_customer_says_to_us_is_answered(name: str) -> None:
    event = one(name)
    assert event.reply == (name in ANSWERED)
    assert event.reply == (event.reason is None)
    assert event.account == PAGE


@pytest.mark.parametrize("name", sorted(set(LOOK_ALIKES) - {"policy", "optin", "mention"}))
def test_the_customer_is_the_other_side_whoever_acts(name: str) -> None:
    event = one(name)
    assert event.sender == (PAGE if name == "echo" else CUSTOMER)
    assert event.chat == (None if name == "comment" else CUSTOMER)


def test_a_text_is_a_message() -> None:
    event = one("text")
    assert (event.kind, event.external_id, event.text, event.sent_at) == ("message", MID, "Do you ship to Malta?", AT)
    assert event.dedupe_key == f"message:{CUSTOMER}:{MID}"


def test_presses_say_their_title_and_keep_their_value() -> None:
    assert [(one(name).text, one(name).payload) for name in ("quick_reply", "postback")] == [
        ("Yes", "SHIP_YES"), ("Track my order", "TRACK"),
    ]  # fmt: skip
    [untitled] = parse(body(item(postback={"payload": "TRACK"})))
    assert (untitled.text, untitled.reply) == ("TRACK", True)
    [empty] = parse(body(item(postback={"title": ""})))
    assert (empty.kind, empty.reason) == ("message", "no_content")


def test_attachments_keep_what_they_are() -> None:
    assert one("image").attachments == (Attachment("image", url="https://cdn.example/1.jpg"),)
    assert one("location").attachments == (Attachment("location", latitude=35.9, longitude=14.5),)
    assert one("sticker").attachments[0].type == "sticker"
    assert one("story_reply").attachments == (Attachment("story", id="178", url="https://cdn.example/story"),)
    assert one("unsupported").attachments == (Attachment("unsupported"),)


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("ig_post", {"ig_post_media_id": 178, "title": "Boots"}, Attachment("ig_post", "178", name="Boots")),
        ("share", {"url": "https://a.example"}, Attachment("share", url="https://a.example")),
        ("unsupported_type", {}, Attachment("unsupported")),
        ("Not A Type!", {}, Attachment("unsupported")),
        ("image", {"url": "h" * 5000}, Attachment("image")),
        ("location", {"coordinates": {"lat": "north", "long": 999}}, Attachment("location")),
    ],
)  # fmt: skip
def test_an_attachment_of_a_kind(kind: str, payload: dict[str, Any], expected: Attachment) -> None:
    [event] = parse(body(attached(kind, **payload)))
    assert event.attachments == (expected,)


def test_a_reply_names_the_message_that_it_quotes() -> None:
    assert one("reply").reply_to == "m_before"
    assert one("story_reply").reply_to is None


def test_an_advertisement_that_led_here_is_the_hidden_value() -> None:
    assert (one("ad").kind, one("ad").payload, one("referral").payload) == ("message", "6045", "winter")


def test_an_echo_gives_back_our_reference_and_names_the_application() -> None:
    event = one("echo")
    assert (event.kind, event.reason, event.ref, event.app) == ("echo", "echo", "sb.1.2", OUR_APP)
    assert (event.external_id, event.targets, event.text) == (MID, (MID,), "We do.")


def test_what_the_page_says_is_an_echo_also_where_nothing_says_so() -> None:
    unmarked = {name: value for name, value in ECHO.items() if name != "is_echo"}
    [event] = parse(body(item(ours=True, message=unmarked)))
    assert (event.kind, event.sender, event.chat) == ("echo", PAGE, CUSTOMER)


def test_an_account_that_writes_to_itself_is_not_answered() -> None:
    to_itself = {**message(is_self=True), "sender": {"id": PAGE}}
    [event] = parse(body(to_itself))
    assert (event.kind, event.reply) == ("echo", False)


def test_a_deletion_an_edit_and_a_reaction_speak_of_a_message() -> None:
    found = [(one(n).kind, one(n).targets, one(n).text, one(n).status) for n in ("deleted", "edit", "reaction")]
    assert found == [
        ("deleted", (MID,), None, None), ("edited", (MID,), "To Malta?", None), ("reaction", (MID,), "❤", "added"),
    ]  # fmt: skip


def test_reactions_are_told_apart_by_their_time() -> None:
    first, again = copy.deepcopy(LOOK_ALIKES["reaction"]), copy.deepcopy(LOOK_ALIKES["reaction"])
    again["entry"][0]["messaging"][0]["timestamp"] += 1
    assert parse(first)[0].dedupe_key != parse(again)[0].dedupe_key


def test_receipts_say_what_arrived_and_until_when() -> None:
    found = [(one(n).kind, one(n).status, one(n).targets, one(n).until) for n in ("delivery", "read", "seen")]
    assert found == [
        ("delivery", "delivered", (MID, "m_2"), AT), ("read", "read", (), AT), ("read", "read", (MID,), None),
    ]  # fmt: skip


def test_a_guest_is_a_chat_of_its_own() -> None:
    event = one("optin")
    assert (event.kind, event.sender, event.chat, event.payload) == ("optin", "guest-7", "user_ref:guest-7", "news")
    echo = {"sender": {"id": PAGE}, "recipient": {"user_ref": "guest-7"}, "message": ECHO}
    [event] = parse(body(echo))
    assert (event.kind, event.sender, event.chat) == ("echo", PAGE, "user_ref:guest-7")


def test_a_handover_says_which_application_it_names() -> None:
    assert (one("pass").status, one("pass").app, one("pass").payload) == ("pass", OUR_APP, "yours")
    assert (one("take").status, one("take").app) == ("take", OUR_APP)


def test_what_another_application_hears_is_kept_and_not_answered() -> None:
    event = one("standby")
    assert (event.kind, event.reason, event.text) == ("message", "standby", "Do you ship to Malta?")


def test_comments_are_told_and_not_answered() -> None:
    event = one("comment")
    assert (event.kind, event.reason, event.sender, event.sender_name) == ("other", "comment", CUSTOMER, "Ada Byron")
    assert (event.external_id, event.reply_to, event.text, event.chat) == ("9_1", "9_0", "Nice", None)


def test_secrets_of_linking_and_consent_stay_in_the_raw_body() -> None:
    linked = item(account_linking={"status": "linked", "authorization_code": "planted"})
    optin = item(optin={"type": "notification_messages", "payload": "news", "notification_messages_token": "planted"})
    assert "planted" not in repr(parse(body(linked, optin)))


def test_a_batch_keeps_every_page_and_the_order() -> None:
    other = {"sender": {"id": "1"}, "recipient": {"id": "800"}, "message": {"mid": "m_9", "text": "Hi"}}
    whole = {"entry": [*body(message(), item(read={"watermark": 1}))["entry"], *body(other, page="800")["entry"]]}
    assert [(e.account, e.kind, e.text) for e in parse(whole)] == [
        (PAGE, "message", "Do you ship to Malta?"), (PAGE, "read", None), ("800", "message", "Hi"),
    ]  # fmt: skip
    assert meta_webhook.account(whole) is None
    assert meta_webhook.account(LOOK_ALIKES["text"]) == PAGE


def test_the_dashboards_test_belongs_to_whom_it_is_sent_to() -> None:
    for whole in (body(message(), page="0"), {"field": "messages", "value": message()}, {"messaging": [message()]}):
        [event] = parse(whole)
        assert (event.account, event.sender, event.text) == (PAGE, CUSTOMER, "Do you ship to Malta?")


def test_numbers_and_objects_may_stand_where_texts_and_lists_are_usual() -> None:
    whole = {"entry": {"id": int(PAGE), "messaging": {**message(mid=5), "sender": {"id": int(CUSTOMER)}}}}
    [event] = parse(whole)
    assert (event.account, event.sender, event.external_id) == (PAGE, CUSTOMER, "5")


@pytest.mark.parametrize(
    "value",
    [1_760_000_000, "1760000000", 1_760_000_000_000, "1760000000000", 1.76e12, "2025-10-09T08:53:20+0000",
     "2025-10-09T08:53:20Z", "2025-10-09T08:53:20"],
)  # fmt: skip
def test_a_time_may_be_written_in_many_ways(value: Any) -> None:
    assert read_time(value) == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", [None, 0, -1, True, "", "soon", "0001-01-01", 10**400, float("nan"), float("inf"), []]
)
def test_nonsense_is_no_time(value: Any) -> None:
    assert read_time(value) is None


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        ({}, "unknown_update"),
        ({"entry": []}, "unknown_update"),
        ({"entry": [{}]}, "unknown_update"),
        (body(), "unknown_update"),
        ({"entry": ["x"]}, "malformed_update"),
        ({"entry": [{"messaging": ["x"]}]}, "malformed_update"),
        (body(item(message="x")), "malformed_update"),
        (change("messages", "x"), "malformed_update"),
    ],
)
def test_what_is_not_understood_has_a_reason(whole: dict[str, Any], reason: str) -> None:
    assert [(event.kind, event.reason) for event in parse(whole)] == [("other", reason)]


def test_one_item_that_says_two_things_is_two_events() -> None:
    events = parse(body({**message(), **item(read={"watermark": AT_MS})}))
    assert [event.kind for event in events] == ["message", "read"]


def test_of_more_than_a_thousand_updates_the_rest_stays_in_the_raw_body() -> None:
    events = parse(body(*(message(mid=f"m_{number}") for number in range(1500))))
    assert len(events) == 1001
    assert {event.kind for event in events[:1000]} == {"message"}
    assert events[1000].reason == "too_many_events"


def test_one_customer_is_one_shard_and_several_are_their_pages() -> None:
    key = platform("instagram").shard_key
    assert key(LOOK_ALIKES["text"]) == key(LOOK_ALIKES["echo"]) == key(LOOK_ALIKES["tested"]) == f"{PAGE}:{CUSTOMER}"
    stranger = {**message(), "sender": {"id": "1"}}
    assert key(body(message(), stranger)) == PAGE
    assert key(LOOK_ALIKES["comment"]) == PAGE
    assert key({}) == ""


@pytest.mark.parametrize(("action", "word"), [("block", "block"), ("warning", "warning"), ("something-new", None)])
def test_what_the_platform_does_to_a_page_that_broke_its_rules_is_said_by_its_word(
    action: str, word: str | None
) -> None:
    item = {"recipient": {"id": "1"}, "timestamp": 1_760_000_000_000, "policy_enforcement": {"action": action}}
    [event] = meta_webhook.parse({"object": "page", "entry": [{"id": "1", "messaging": [item]}]}, Me())
    assert (event.kind, event.reason, event.meaning) == ("account", "policy_enforcement", word)


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("value", "external_id", "sent_at"),
    [
        ({"comment_id": "c-1", "id": "i-1", "created_time": 1_760_000_000}, "c-1", 1_760_000_000),
        ({"id": "i-1", "post_id": "p-1"}, "i-1", None),
        ({"post_id": "p-1"}, "p-1", None),
        ({}, None, None),
    ],
)
def test_what_happens_on_a_page_has_its_own_id_and_time_or_the_entry_s(
    value: dict[str, Any], external_id: str | None, sent_at: int | None
) -> None:
    [event] = parse(change("feed", value))
    assert event.external_id == external_id
    assert event.sent_at == read_time(sent_at if sent_at is not None else AT_MS + 50)


def test_a_parent_is_what_a_comment_replies_to_unless_it_is_the_post() -> None:
    for parent, reply_to in (("9_0", "9_0"), ("700100_9", None)):
        [event] = parse(change("feed", {"item": "comment", "parent_id": parent, "post_id": "700100_9"}))
        assert event.reply_to == reply_to
