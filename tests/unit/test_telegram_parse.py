"""What a Telegram update says, and whether the bot may answer it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.channels import platform
from shared.channels.telegram.update import READERS, WANTED
from shared.model import Attachment, InboundEvent, Me
from tests.unit.fixtures_telegram import (
    BOT_ID,
    CHANNEL,
    CUSTOMER,
    GROUP,
    LOOK_ALIKES,
    ME,
    OURSELVES,
    PRIVATE,
    in_group,
    message,
    spanning,
    update,
)

TELEGRAM = platform("telegram")


def events(body: dict[str, Any], me: Me = ME) -> list[InboundEvent]:
    return TELEGRAM.parse(body, me)


def only(body: dict[str, Any], me: Me = ME) -> InboundEvent:
    (event,) = events(body, me)
    return event


def read(**fields: Any) -> InboundEvent:
    return only(update("message", message(**fields)))


def read_in_group(**fields: Any) -> InboundEvent:
    return only(update("message", in_group(**fields)))


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


# Groups


def test_a_group_message_that_does_not_mention_us_is_not_answered() -> None:
    event = read_in_group()
    assert (event.kind, event.reply, event.reason) == ("message", False, "group_without_mention")


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("@harbour_bot is berth 4 free?", "@harbour_bot", "mention"),
        ("⛵️👨‍👩‍👧 ahoy @HARBOUR_Bot!", "@HARBOUR_Bot", "mention"),
        ("/berth@Harbour_bot 4", "/berth@Harbour_bot", "bot_command"),
        ("/ask is berth 4 free?", "/ask", "bot_command"),
        ("/ASK@harbour_bot is berth 4 free?", "/ASK@harbour_bot", "bot_command"),
    ],
)
def test_a_mention_in_a_group_may_be_answered(text: str, word: str, kind: str) -> None:
    assert read_in_group(text=text, entities=[spanning(text, word, kind)]).reply


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("@harbour_bot is berth 4 free?", ["@harbour_bot"], "is berth 4 free?"),
        ("⛵️👨‍👩‍👧 ahoy @HARBOUR_Bot, is berth 4 free?", ["@HARBOUR_Bot"], "⛵️👨‍👩‍👧 ahoy is berth 4 free?"),
        ("Is berth 4 free, @harbour_bot", ["@harbour_bot"], "Is berth 4 free,"),
        ("/ask is berth 4 free?", ["/ask"], "is berth 4 free?"),
        ("/ask@harbour_bot is berth 4 free?", ["/ask@harbour_bot"], "is berth 4 free?"),
        ("/ask @harbour_bot: is 4 free?", ["/ask", "@harbour_bot"], "is 4 free?"),
        ("/start@harbour_bot spring", ["/start@harbour_bot"], "/start@harbour_bot spring"),
        ("@other_bot is berth 4 free?", ["@other_bot"], "@other_bot is berth 4 free?"),
        ("@harbour_bot", ["@harbour_bot"], "@harbour_bot"),
        ("/ask", ["/ask"], "/ask"),
    ],
)
def test_what_only_says_that_it_is_for_us_is_taken_out(text: str, words: list[str], said: str) -> None:
    entities = [spanning(text, word, "bot_command" if word[0] == "/" else "mention") for word in words]
    assert read_in_group(text=text, entities=entities).text == said
    edited = only(update("edited_message", in_group(text=text, entities=entities)))
    assert edited.text == said


def test_overlapping_and_foreign_entities_take_nothing_else_out() -> None:
    text = "@harbour_bot @harbour_bot x"
    spans = [{"type": "mention", "offset": o, "length": 12} for o in (0, 0, 13, 5, 400)]
    assert read_in_group(text=text, entities=[*spans, {"type": "mention"}, None, 7]).text == "x"


def test_a_mention_in_a_caption_may_be_answered() -> None:
    caption = "😀 @harbour_bot what is this?"
    fields = {"caption": caption, "caption_entities": [spanning(caption, "@harbour_bot", "mention")]}
    assert read_in_group(text=None, photo=[{"file_id": "p"}], **fields).reply


def test_a_mention_without_user_name_counts_by_our_id() -> None:
    entity = {"type": "text_mention", "offset": 0, "length": 2, "user": {"id": BOT_ID}}
    assert read_in_group(text="Is berth 4 free?", entities=[entity]).reply


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("/berth 4", "/berth", "bot_command"),
        ("/berth@other_bot 4", "/berth@other_bot", "bot_command"),
        ("/ask@other_bot is berth 4 free?", "/ask@other_bot", "bot_command"),
        ("Who knows what /ask does?", "/ask", "bot_command"),
        ("/asking", "/asking", "bot_command"),
        ("@harbour_bots are great", "@harbour_bots", "mention"),
        ("@other_bot hello", "@other_bot", "mention"),
        ("harbour_bot@example.org", "harbour_bot@example.org", "email"),
    ],
)
def test_a_group_message_for_somebody_else_is_not_answered(text: str, word: str, kind: str) -> None:
    assert not read_in_group(text=text, entities=[spanning(text, word, kind)]).reply


def test_a_reply_to_our_message_in_a_group_may_be_answered() -> None:
    event = read_in_group(reply_to_message=in_group(message_id=11, **{"from": OURSELVES}))
    assert (event.reply, event.reply_to) == (True, "11")


def test_a_reply_to_somebody_else_in_a_group_is_not_answered() -> None:
    assert not read_in_group(reply_to_message=in_group(message_id=11)).reply


@pytest.mark.parametrize("opening", [{"forum_topic_created": {"name": "Berths"}}, {}])
def test_a_message_in_a_topic_that_we_opened_is_no_reply_to_us(opening: dict[str, Any]) -> None:
    root = in_group(message_id=33, text=None, **{"from": OURSELVES}, **opening)
    event = read_in_group(message_thread_id=33, is_topic_message=True, reply_to_message=root)
    assert (event.reply, event.reason) == (False, "group_without_mention")


def test_a_message_that_answers_the_opening_of_our_topic_is_no_reply_to_us_without_a_thread_either() -> None:
    root = in_group(message_id=33, text=None, forum_topic_created={"name": "Berths"}, **{"from": OURSELVES})
    assert not read_in_group(reply_to_message=root).reply


def test_a_topic_of_a_forum_is_a_conversation_of_its_own() -> None:
    assert read_in_group(message_thread_id=33, is_topic_message=True).chat == "-100200300:33"
    assert read(message_thread_id=33, is_topic_message=True).chat == "4401:33"


@pytest.mark.parametrize(
    "fields",
    [
        {"message_thread_id": 33},  # a thread of replies, or the comments on a channel's post
        {"message_thread_id": 33, "is_topic_message": False},
        {"message_thread_id": 33, "is_topic_message": "yes"},
        {"message_thread_id": 1, "is_topic_message": True},  # General, which is the group itself
        {"message_thread_id": "x", "is_topic_message": True},
        {"is_topic_message": True},
    ],
)
def test_outside_of_topics_a_group_is_one_conversation(fields: dict[str, Any]) -> None:
    assert read_in_group(**fields).chat == "-100200300"


def test_a_button_under_a_message_in_a_topic_is_answered_there() -> None:
    carrier = in_group(message_id=16, message_thread_id=33, is_topic_message=True, **{"from": OURSELVES})
    event = only(update("callback_query", {"id": "cb-4", "from": CUSTOMER, "message": carrier, "data": "x"}))
    assert event.chat == "-100200300:33"


def test_a_chat_without_a_type_is_a_group_if_its_id_is_negative() -> None:
    assert read(chat={"id": -5}).reason == "group_without_mention"
    assert read(chat={"id": 4401}).reply


# Buttons


def test_a_pressed_button_says_its_data_in_reply_to_our_message() -> None:
    event = only(update("callback_query", LOOK_ALIKES["callback_query"]))
    assert (event.text, event.reply, event.sender, event.chat) == ("book:4", True, "4401", "4401")
    assert (event.external_id, event.dedupe_key, event.reply_to) == ("cb-1", "callback:cb-1", "16")


def test_a_button_whose_message_is_too_old_is_answered_in_the_private_chat() -> None:
    event = only(update("callback_query", {"id": "cb-2", "from": CUSTOMER, "message": None, "data": "book:5"}))
    assert (event.reply, event.chat, event.reply_to) == (True, "4401", None)


def test_a_button_in_a_group_may_be_answered_there() -> None:
    carrier = in_group(message_id=16, **{"from": OURSELVES})
    event = only(update("callback_query", {"id": "cb-3", "from": CUSTOMER, "message": carrier, "data": "x"}))
    assert (event.reply, event.chat) == (True, "-100200300")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"id": "c", "from": CUSTOMER, "inline_message_id": "i", "data": "x"}, "inline"),
        ({"id": "c", "from": CUSTOMER, "game_short_name": "g"}, "no_content"),
        ({"id": "c", "data": "x"}, "no_sender"),
    ],
)
def test_a_button_that_nobody_can_be_answered_for(query: dict[str, Any], reason: str) -> None:
    event = only(update("callback_query", query))
    assert (event.reply, event.reason) == (False, reason)


# Reactions


@pytest.mark.parametrize(
    ("before", "now", "text", "status"),
    [
        ([], ["👍"], "👍", "added"),
        (["👍"], ["❤"], "❤", "changed"),
        (["👍"], ["👍", "❤"], "👍 ❤", "changed"),
        (["👍", "❤"], ["❤"], "❤", "changed"),
        (["❤"], [], None, "removed"),
    ],
)
def test_a_reaction_is_all_that_somebody_shows_now(
    before: list[str], now: list[str], text: str | None, status: str
) -> None:
    lists = {
        name: [{"type": "emoji", "emoji": emoji} for emoji in emojis]
        for name, emojis in (("old_reaction", before), ("new_reaction", now))
    }
    event = only(update("message_reaction", {**LOOK_ALIKES["message_reaction"], **lists}))
    assert (event.kind, event.text, event.status, event.targets) == ("reaction", text, status, ("17",))


def test_reactions_without_a_character_are_named() -> None:
    listed = [{"type": "custom_emoji", "custom_emoji_id": "5"}, {"type": "paid"}, {"type": "of 2031"}]
    event = only(update("message_reaction", {**LOOK_ALIKES["message_reaction"], "new_reaction": listed}))
    assert event.text == ":custom_emoji: ⭐ ?"


def test_what_a_webhook_asks_for_are_kinds_that_are_read() -> None:
    assert set(WANTED) <= set(READERS)
    assert {"message", "edited_message", "callback_query", "message_reaction"} <= set(WANTED)


# Business chats


def test_a_business_chat_is_kept_apart_from_the_bots_own_chat_with_the_same_person() -> None:
    event = only(update("business_message", LOOK_ALIKES["business_message"]))
    assert (event.reply, event.sender, event.chat) == (True, "4401", "business:bc-1:4401")
    assert event.dedupe_key == "business_message:business:bc-1:4401:17"


@pytest.mark.parametrize("fields", [{"from": {"id": 8, "first_name": "Owner"}}, {"sender_business_bot": {"id": 9}}])
def test_what_the_business_itself_wrote_is_an_echo(fields: dict[str, Any]) -> None:
    event = only(update("business_message", message(business_connection_id="bc-1", **fields)))
    assert (event.kind, event.reply) == ("echo", False)


def test_each_deleted_message_is_an_event() -> None:
    found = events(update("deleted_business_messages", LOOK_ALIKES["deleted_business_messages"]))
    assert [(e.kind, e.external_id, e.sender) for e in found] == [("deleted", "17", "4401"), ("deleted", "18", "4401")]
    assert len({e.dedupe_key for e in found}) == 2


# Keys


def test_the_same_message_under_another_update_id_has_the_same_key() -> None:
    first, again = (only(update("message", message(), number)) for number in (1, 2))
    assert first.dedupe_key == again.dedupe_key


def test_equal_message_ids_of_two_chats_have_two_keys() -> None:
    assert read().dedupe_key != read(chat={**PRIVATE, "id": 5}).dedupe_key


def test_two_edits_within_a_second_have_two_keys() -> None:
    first, second = (only(update("edited_message", message(edit_date=1_760_000_060), n)) for n in (1, 2))
    assert first.dedupe_key != second.dedupe_key


@pytest.mark.parametrize("message_id", [None, 0, "x", True, 1.5, 10**30])
def test_messages_without_a_usable_id_are_told_apart_by_their_updates(message_id: Any) -> None:
    first, second = (only(update("message", message(message_id=message_id), n)) for n in (1, 2))
    assert first.external_id is None
    assert first.dedupe_key != second.dedupe_key


def test_content_without_any_id_has_a_key_of_its_content() -> None:
    one, same, other = ({"poll": {"a": 1, "b": [2]}}, {"poll": {"b": [2], "a": 1}}, {"poll": {"a": 1, "b": [3]}})
    assert only(one).dedupe_key == only(same).dedupe_key != only(other).dedupe_key


def test_a_long_callback_id_gives_a_bounded_key() -> None:
    event = only(update("callback_query", {"id": "x" * 100_000, "from": CUSTOMER, "data": "y"}))
    assert len(event.dedupe_key) <= 200
    assert event.external_id is None


# Text and time


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("  two  spaces ", "  two  spaces "),
        ("a\x00b", "a\ufffdb"),
        ("lone \ud83d half", "lone \ufffd half"),
        ("é" * 20_000, "é" * 16_000),
    ],
)
def test_text_is_kept_as_written_but_storable(sent: str, stored: str) -> None:
    assert read(text=sent).text == stored


@pytest.mark.parametrize("sent", ["", " \n\t ", 7, None, ["a"]])
def test_nothing_to_read_is_no_text(sent: Any) -> None:
    event = read(text=sent, photo=[{"file_id": "p"}])
    assert (event.text, event.reply) == (None, True)


@pytest.mark.parametrize("date", [0, -1, None, "1760000000", True, 10**20, 1e300, float("nan")])
def test_a_date_that_makes_no_sense_is_unknown(date: Any) -> None:
    assert read(date=date).sent_at is None


# Order


@pytest.mark.parametrize("kind", sorted(LOOK_ALIKES))
def test_every_kind_is_ordered_by_its_chat_or_its_person(kind: str) -> None:
    value = LOOK_ALIKES[kind]
    chat = value.get("chat") or value.get("message", {}).get("chat") or value.get("from") or value.get("user") or {}
    assert TELEGRAM.shard_key(update(kind, value)) == str(chat.get("id", ""))


@pytest.mark.parametrize("body", [{}, {"message": []}, {"message": {"chat": {"id": [1]}}}, {"x": {"chat": {"id": 1}}}])
def test_an_unknown_chat_has_no_order(body: dict[str, Any]) -> None:
    assert TELEGRAM.shard_key(body) == ""
