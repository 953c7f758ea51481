"""Edits, deletions and reactions, in any order and any number of times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from shared.embedded import Database
from shared.model import Attachment
from tasks.answers import reply
from tests.factories import Bot, make_bot
from tests.integration.station import Station
from tests.scripted import event, message, receive, speak

PHOTO = Attachment("image", id="file-1", mime="image/png")


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url)
    speak(station.inbox)
    yield station
    station.close()


def test_an_edit_keeps_the_newest_wording_only(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("Where is my odrer?", "1"))

    stored = receive(station.inbox, bot, event("edited", "Where is my order?", targets=("1",), at_s=9))

    assert station.rows("SELECT text, edited_at IS NOT NULL, deleted_at FROM messages") == [
        ("Where is my order?", True, None)
    ]
    assert station.rows("SELECT last_message_preview, message_count, customer_seq FROM conversations") == [
        ("Where is my order?", 1, 1)
    ]
    assert stored.chats


def test_a_deletion_takes_the_words_the_preview_and_the_waiting_turn(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("My card is 4111…", "1", attachments=(PHOTO,)))
    assert station.rows("SELECT count(*) FROM media") == [(1,)]

    receive(station.inbox, bot, event("deleted", targets=("1",), at_s=9))

    assert station.rows("SELECT text, attachments, deleted_at IS NOT NULL FROM messages") == [(None, None, True)]
    assert station.rows("SELECT last_message_preview FROM conversations") == [("",)]
    assert station.rows("SELECT state FROM turns") == [("cancelled",)]
    assert station.rows("SELECT count(*) FROM media") == [(0,)]
    station.time_passes()
    assert station.answer() is reply.Result.NOTHING_DUE


def test_a_deletion_of_one_of_two_leaves_a_turn_about_the_other(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station.inbox, bot, message("Forget this", "1"), message("When does the shop open?", "2"))

    receive(station.inbox, bot, event("deleted", targets=("1",), at_s=9))

    station.time_passes()
    assert station.answer() is reply.Result.ANSWERED
    assert all("Forget this" not in question for question in station.model.questions())


def test_an_edit_while_the_answer_is_written_has_it_written_to_the_new_words(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station.inbox, bot, message("When does the shop close?", "1"))
    station.time_passes()
    station.model.meanwhile.append(
        lambda: receive(station.inbox, bot, event("edited", "When does the shop open?", targets=("1",), at_s=9))
    )

    assert station.answer() is reply.Result.CANCELLED
    station.time_passes()
    assert station.answer() is reply.Result.ANSWERED

    assert "When does the shop open?" in station.model.questions()[-1]
    assert station.rows("SELECT count(*) FROM messages WHERE role = 'bot'") == [(1,)]


def test_a_deletion_while_the_answer_is_written_leaves_no_answer(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station.inbox, bot, message("When does the shop open?", "1"))
    station.time_passes()
    station.model.meanwhile.append(lambda: receive(station.inbox, bot, event("deleted", targets=("1",), at_s=9)))

    assert station.answer() is reply.Result.CANCELLED
    station.time_passes()

    assert station.answer() is reply.Result.NOTHING_DUE
    assert station.rows("SELECT state FROM turns") == [("cancelled",)]
    assert station.rows("SELECT count(*) FROM messages WHERE role = 'bot'") == [(0,)]


def test_an_edit_of_what_was_answered_long_ago_asks_for_no_answer(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station.inbox, bot, message("When does the shop open?", "1"))
    station.time_passes()
    station.answer()

    receive(station.inbox, bot, event("edited", "When does the shop open today?", targets=("1",), at_s=9))

    station.time_passes()
    assert station.answer() is reply.Result.NOTHING_DUE


def test_one_chat_s_edit_leaves_another_chat_s_message_of_that_number_alone(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("mine", "1", chat="5"), message("theirs", "1", chat="6"))

    receive(station.inbox, bot, event("edited", "mine, better", targets=("1",), chat="5", at_s=9))

    assert station.rows("SELECT text FROM messages ORDER BY text") == [("mine, better",), ("theirs",)]


def test_a_post_elsewhere_that_was_edited_makes_nothing(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, event("edited", "news", targets=("1",), reason="channel_post"))

    assert station.rows("SELECT 1 FROM conversations UNION ALL SELECT 1 FROM early_changes") == []


STORY = {
    "said": message("first", "m1", at_s=0),
    "edit 1": event("edited", "second", targets=("m1",), at_s=10),
    "edit 2": event("edited", "third", targets=("m1",), at_s=20),
    "deleted": event("deleted", targets=("m1",), at_s=30),
}


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=strategies.data(), with_deletion=strategies.booleans(), in_one=strategies.booleans())
def test_whatever_the_order_and_however_often_the_end_is_the_same(
    station: Station, data: strategies.DataObject, with_deletion: bool, in_one: bool
) -> None:
    for table in ("outbound", "turns", "media", "messages", "early_changes", "conversations", "company_totals"):
        station.execute(f"DELETE FROM {table}")
    bot = make_bot(station.inbox.server.admin_url)
    names = [name for name in STORY if with_deletion or name != "deleted"]
    copies = data.draw(strategies.lists(strategies.sampled_from(names), max_size=3))
    order = data.draw(strategies.permutations([*names, *copies]))

    if in_one:
        receive(station.inbox, bot, *(STORY[name] for name in order))
    else:
        for name in order:
            receive(station.inbox, bot, STORY[name])

    expected = (None, True) if with_deletion else ("third", False)
    assert station.rows("SELECT text, deleted_at IS NOT NULL FROM messages") == [expected]
    assert station.rows("SELECT count(*) FROM early_changes") == [(0,)]
    assert station.rows("SELECT message_count, customer_seq FROM conversations") == [(1, 1)]
    assert station.rows("SELECT last_message_preview FROM conversations") == [("" if with_deletion else "third",)]
    waiting = station.rows("SELECT count(*) FROM turns WHERE state = 'waiting'")
    assert waiting == [(0 if with_deletion else 1,)]


def test_the_newest_reaction_of_each_person_counts_also_before_its_message(station: Station, bot: Bot) -> None:
    added = event("reaction", "❤", targets=("m1",), status="added", at_s=10)
    removed = event("reaction", targets=("m1",), status="removed", at_s=20)
    other = event("reaction", "👍", targets=("m1",), status="added", sender="6", at_s=5)

    receive(station.inbox, bot, removed, other)
    receive(station.inbox, bot, added)
    receive(station.inbox, bot, message("nice", "m1"), other)

    assert station.rows("SELECT sender, emoji FROM message_reactions ORDER BY sender") == [("5", None), ("6", "👍")]
    assert station.rows("SELECT count(*) FROM turns") == [(1,)]
