"""What Telegram's updates mean: their kinds, what came with them, and who wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.model import Attachment, InboundEvent, Me
from tests.unit.fixtures_telegram import CHANNEL, CUSTOMER, GROUP, LOOK_ALIKES, OURSELVES, message, spanning, update
from tests.unit.reading_telegram import events, only, read, read_in_group


def test_private_text_becomes_a_message_that_may_be_answered() -> None:
    assert read(reply_to_message={"message_id": 12}) == InboundEvent(
        kind="message",
        reply=True,
        reason=None,
        sender="4401",
        chat="4401",
        external_id="17",
        dedupe_key="message:4401:17",
        text="Is berth 4 free?",
        reply_to="12",
        sender_name="Ada Byron",
        sent_at=datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("message", ("message", None)),
        ("edited_message", ("edited", "edited")),
        ("channel_post", ("other", "channel_post")),
        ("edited_channel_post", ("edited", "channel_post")),
        ("business_connection", ("account", "business_connection")),
        ("business_message", ("message", None)),
        ("edited_business_message", ("edited", "edited")),
        ("deleted_business_messages", ("deleted", "deleted")),
        ("guest_message", ("other", "guest_message")),
        ("message_reaction", ("reaction", "reaction")),
        ("message_reaction_count", ("reaction", "reaction")),
        ("inline_query", ("other", "inline")),
        ("chosen_inline_result", ("other", "inline")),
        ("callback_query", ("message", None)),
        ("shipping_query", ("other", "payment")),
        ("pre_checkout_query", ("other", "payment")),
        ("purchased_paid_media", ("other", "payment")),
        ("poll", ("other", "poll")),
        ("poll_answer", ("other", "poll")),
        ("my_chat_member", ("account", "membership")),
        ("chat_member", ("other", "membership")),
        ("chat_join_request", ("other", "membership")),
        ("chat_boost", ("other", "boost")),
        ("removed_chat_boost", ("other", "boost")),
    ],
)
def test_each_update_kind_has_its_kind_and_reason(kind: str, expected: tuple[str, str | None]) -> None:
    found = events(update(kind, LOOK_ALIKES[kind]))
    assert {(e.kind, e.reason, e.reply) for e in found} == {(*expected, expected[1] is None)}


def test_the_table_above_leaves_no_kind_out() -> None:
    assert len(LOOK_ALIKES) == 24


@pytest.mark.parametrize("body", [{}, {"update_id": 5}, {"update_id": 5, "future_kind": {"id": 1}}, {"message": None}])
def test_an_update_of_nothing_known_is_one_event_that_says_so(body: dict[str, Any]) -> None:
    event = only(body)
    assert (event.kind, event.reply, event.reason) == ("other", False, "unknown_update")


def test_an_update_of_several_kinds_gives_an_event_for_each_with_its_own_key() -> None:
    found = events({"update_id": 6, "message": message(), "poll": LOOK_ALIKES["poll"], "edited_message": message()})
    assert [e.kind for e in found] == ["message", "other", "edited"]
    assert len({e.dedupe_key for e in found}) == 3


@pytest.mark.parametrize("value", [[], "text", 7, True, 1.5])
def test_a_kind_that_holds_no_object_is_an_event_that_says_so(value: Any) -> None:
    assert only(update("message", value)).reason == "malformed_update"


# Attachments


def test_a_photo_stands_for_its_largest_size() -> None:
    sizes = [{"file_id": "s", "file_size": 10}, {"file_id": "l", "file_size": 90}, {"file_id": "m", "file_size": 40}]
    event = read(text=None, photo=sizes, caption="The mooring")
    assert event.attachments == (Attachment("photo", "l", size_bytes=90),)
    assert event.text == "The mooring"


def test_photo_sizes_without_bytes_are_compared_by_pixels() -> None:
    sizes = [{"file_id": "s", "width": 9, "height": 9}, {"file_id": "l", "width": 90, "height": 90}, {"file_id": "x"}]
    assert [one.id for one in read(text=None, photo=sizes).attachments] == ["l"]


@pytest.mark.parametrize("name", ["document", "voice", "video", "video_note", "audio", "animation", "sticker"])
def test_a_file_alone_may_be_answered_and_has_no_text(name: str) -> None:
    event = read(text=None, **{name: {"file_id": "f-1", "mime_type": "x/y"}})
    assert (event.text, event.reply) == (None, True)
    assert event.attachments == (Attachment(name, "f-1", mime="x/y"),)


@pytest.mark.parametrize("name", ["contact", "location", "dice", "poll"])
def test_what_is_no_file_is_an_attachment_too(name: str) -> None:
    event = read(text=None, **{name: {"id": "p-9"} if name == "poll" else {"x": 1}})
    assert [a.type for a in event.attachments] == [name]
    assert event.reply


def test_fields_repeated_for_old_clients_count_once() -> None:
    animation = read(text=None, animation={"file_id": "a"}, document={"file_id": "a"})
    venue = read(text=None, venue={"title": "Quay"}, location={"latitude": 1.0})
    assert [a.type for e in (animation, venue) for a in e.attachments] == ["animation", "venue"]


# Who wrote it


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"from": {**CUSTOMER, "is_bot": True}}, "from_bot"),
        ({"sender_chat": CHANNEL}, "sender_chat"),
        ({"sender_chat": CHANNEL, "is_automatic_forward": True}, "automatic_forward"),
        ({"chat": CHANNEL}, "channel_post"),
        ({"from": {"first_name": "nobody"}}, "no_sender"),
        ({"chat": {"type": "private"}}, "no_chat"),
        ({"chat": {"id": 4401, "type": "séance"}}, "unknown_chat"),
    ],
)
def test_only_people_in_known_chats_are_answered(fields: dict[str, Any], reason: str) -> None:
    event = read(**fields)
    assert (event.reply, event.reason) == (False, reason)


def test_our_own_message_is_an_echo_by_id() -> None:
    event = read(**{"from": OURSELVES})
    assert (event.kind, event.reply, event.reason) == ("echo", False, "echo")


def test_our_own_message_is_an_echo_by_handle_where_our_id_is_unknown() -> None:
    assert only(update("message", message(**{"from": OURSELVES})), Me(handle="@harbour_bot")).kind == "echo"


def test_an_anonymous_sender_is_the_chat_it_speaks_for() -> None:
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    event = read_in_group(sender_chat=GROUP, **{"from": anonymous})
    assert (event.sender, event.sender_name) == ("-100200300", "Boat owners")


@pytest.mark.parametrize(
    "name",
    [
        "new_chat_members",
        "left_chat_member",
        "pinned_message",
        "forum_topic_created",
        "video_chat_started",
        "new_chat_title",
    ],
)
def test_service_messages_are_not_answered(name: str) -> None:
    event = read(text=None, **{name: {"x": 1}})
    assert (event.kind, event.reply, event.reason) == ("other", False, "service_message")


def test_a_payment_is_not_answered() -> None:
    event = read(text=None, successful_payment={"currency": "EUR"})
    assert (event.kind, event.reason) == ("other", "payment")


def test_an_anonymous_administrator_is_a_person() -> None:
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    text = "@harbour_bot is berth 4 free?"
    fields = {"text": text, "entities": [spanning(text, "@harbour_bot", "mention")], "from": anonymous}
    assert read_in_group(sender_chat=GROUP, **fields).reply
    assert read_in_group(sender_chat=CHANNEL, **fields).reason == "sender_chat"
    assert read_in_group(sender_chat=GROUP, **{"from": anonymous}).reason == "group_without_mention"


def test_a_post_of_the_linked_channel_is_not_answered_also_if_it_mentions_us() -> None:
    text = "@harbour_bot is berth 4 free?"
    entities = [spanning(text, "@harbour_bot", "mention")]
    event = read_in_group(sender_chat=CHANNEL, is_automatic_forward=True, text=text, entities=entities)
    assert (event.kind, event.reply, event.reason) == ("message", False, "automatic_forward")


def test_a_group_that_says_what_it_was_is_the_same_news() -> None:
    event = read_in_group(text=None, migrate_from_chat_id=-77)
    assert (event.kind, event.chat, event.migrated_to) == ("other", "-77", "-100200300")


def test_a_migrated_group_names_its_new_id() -> None:
    event = read_in_group(text=None, migrate_to_chat_id=-1007)
    assert (event.kind, event.migrated_to, event.chat) == ("other", "-1007", "-100200300")


def test_empty_service_fields_do_not_make_a_service_message() -> None:
    assert read(pinned_message=None, delete_chat_photo=False).reply
