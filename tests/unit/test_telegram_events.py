"""Telegram's buttons, reactions, business chats and deletions; keys, texts and dates of its events."""

from __future__ import annotations

from typing import Any

import pytest

from shared.channels.telegram.update import READERS, WANTED
from tests.unit.fixtures_telegram import CUSTOMER, LOOK_ALIKES, OURSELVES, PRIVATE, in_group, message, update
from tests.unit.reading_telegram import TELEGRAM, events, only, read

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


def test_who_pressed_a_button_is_named_in_full_and_speaks_what_the_device_speaks() -> None:
    ada = {"id": 4401, "first_name": "Ada", "last_name": "Byron", "username": "ada", "language_code": "pt-br"}
    event = only(update("callback_query", {"id": "cb-9", "from": ada, "data": "x"}))
    assert (event.sender_name, event.language) == ("Ada Byron", "pt")
    nameless = {"id": 4401, "username": "ada"}
    event = only(update("callback_query", {"id": "cb-9", "from": nameless, "data": "x"}))
    assert (event.sender_name, event.language) == ("ada", None)


def test_a_message_is_in_the_language_of_its_sender_s_device() -> None:
    ada = {"id": 4401, "first_name": "Ada", "language_code": "pt-br"}
    assert only(update("message", message(**{"from": ada}))).language == "pt"
