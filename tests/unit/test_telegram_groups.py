"""Which messages in Telegram's groups and topics are for us, and where they are answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fixtures_telegram import BOT_ID, CUSTOMER, OURSELVES, in_group, spanning, update
from tests.unit.reading_telegram import only, read, read_in_group

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
