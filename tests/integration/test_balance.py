"""The balance: every request and every event is somewhere, and repetitions are told apart from duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from shared import channels
from shared.store.db.pool import Conn
from shared.store.inbound import balance, dead_letters
from shared.store.inbound.balance import Balance
from tasks.inbound import intake
from tests.factories import Bot, Inbox, make_bot, update


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url)


@pytest.fixture
def owner(inbox: Inbox) -> Iterator[Conn]:
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        yield conn


def _requests(found: Balance) -> tuple[int, int, int, int, int]:
    assert found.closes
    return (
        found.requests_received,
        found.requests_stored,
        found.requests_in_flight,
        found.redrives,
        found.repeats,
    )


def test_nothing_received_is_a_balance_at_rest(inbox: Inbox, owner: Conn) -> None:
    found = balance.take(owner, inbox.reader)

    assert _requests(found) == (0, 0, 0, 0, 0)
    assert found.at_rest


def test_a_platform_s_duplicate_is_a_request_of_its_own_and_a_dropped_event(
    inbox: Inbox, bot: Bot, owner: Conn
) -> None:
    body = update("hello", chat=5)
    for _ in range(3):
        inbox.journal(bot, body)
    inbox.drain_all()

    found = balance.take(owner, inbox.reader)

    assert _requests(found) == (3, 3, 0, 0, 0)
    assert found.events == {"dropped": 2, "effected": 1}
    assert found.dropped == {"duplicate": 2}


def test_our_own_repetition_is_no_duplicate_and_no_second_request(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    stream = inbox.journal(bot, update("hello", chat=5))
    _store_without_acknowledging(inbox, stream)
    before = balance.take(owner, inbox.reader)

    inbox.drain_all()

    assert _requests(before) == (1, 1, 0, 0, 0)  # stored, though it still lies in the stream
    found = balance.take(owner, inbox.reader)
    assert _requests(found) == (1, 1, 0, 0, 1)
    assert found.events == {"effected": 1}


def _store_without_acknowledging(inbox: Inbox, stream: str) -> None:
    """As a holder that dies between the commit and XACK."""
    entries = inbox.reader.new(stream, 10)
    with inbox.db.transaction() as conn:
        intake.store_batch(
            conn, {stream: entries}, channels.build(inbox.settings.channels), inbox.settings, recovering=False
        )


def test_what_was_read_and_not_stored_is_in_flight(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    stream = inbox.journal(bot, update("hello", chat=5))
    inbox.reader.new(stream, 10)  # a holder reads and dies
    inbox.journal(bot, update("and again", chat=5))

    assert _requests(balance.take(owner, inbox.reader)) == (2, 0, 2, 0, 0)


def test_a_dead_letter_counts_as_stored_with_one_dead_letter(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    inbox.journal(bot, b"not json", key="5")
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()

    found = balance.take(owner, inbox.reader)

    assert _requests(found) == (2, 2, 0, 0, 0)
    assert found.events == {"effected": 1, "dead_letter": 1}


def test_a_dead_letter_that_is_set_aside_again_counts_once(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    stream = inbox.journal(bot, b"not json", key="5")
    [entry] = inbox.reader.new(stream, 10)
    with inbox.db.transaction() as conn:
        intake.set_aside(conn, stream, entry, "ValueError", recovering=False)

    inbox.drain_all()

    found = balance.take(owner, inbox.reader)
    assert _requests(found) == (1, 1, 0, 0, 1)
    assert found.events == {"dead_letter": 1}


def test_a_redrive_that_fails_again_leaves_the_dead_letter_and_the_balance_closed(
    inbox: Inbox, bot: Bot, owner: Conn
) -> None:
    inbox.journal(bot, b"not json", key="5")
    inbox.drain_all()
    [row] = dead_letters.listed(owner)
    dead_letters.redrive(owner, inbox.reader, row.place, datetime.now(UTC))
    under_way = balance.take(owner, inbox.reader)

    inbox.drain_all()

    assert _requests(under_way) == (2, 1, 1, 0, 0)
    found = balance.take(owner, inbox.reader)
    assert _requests(found) == (2, 1, 0, 1, 0)
    assert found.events == {"dead_letter": 1}
    assert [again.place for again in dead_letters.listed(owner)] == [row.place]


def test_a_redrive_that_works_turns_the_dead_letter_into_an_effect(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    owner.execute("ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'poison')")
    inbox.journal(bot, update("poison", chat=5))
    inbox.drain_all()
    owner.execute("ALTER TABLE messages DROP CONSTRAINT no_poison")
    [row] = dead_letters.listed(owner)

    dead_letters.redrive(owner, inbox.reader, row.place, datetime.now(UTC))
    inbox.drain_all()

    found = balance.take(owner, inbox.reader)
    assert _requests(found) == (2, 1, 0, 1, 0)
    assert found.events == {"effected": 1}


def test_a_discarded_event_is_dropped_with_the_person_s_reason(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    inbox.journal(bot, b"not json", key="5")
    inbox.drain_all()
    [row] = dead_letters.listed(owner)

    assert dead_letters.discard(owner, row.place, "garbage")
    assert not dead_letters.discard(owner, row.place, "garbage")

    found = balance.take(owner, inbox.reader)
    assert found.events == {"dropped": 1}
    assert found.dropped == {"discarded: garbage": 1}
    with pytest.raises(ValueError, match="no place of a dead letter"):
        dead_letters.discard(owner, "nowhere", "garbage")


def test_what_a_restored_backup_does_not_know_is_missing_until_it_is_written_off_by_number(
    inbox: Inbox, bot: Bot, owner: Conn
) -> None:
    for number in range(3):
        inbox.journal(bot, update("hello", chat=number))
    inbox.drain_all()
    owner.execute("UPDATE journal_progress SET requests = requests - 1 WHERE requests > 0")
    missing = balance.take(owner, inbox.reader).missing
    assert missing >= 1

    assert not balance.write_off(owner, inbox.reader, missing + 1)
    assert balance.take(owner, inbox.reader).missing == missing
    assert balance.write_off(owner, inbox.reader, missing)

    assert _requests(balance.take(owner, inbox.reader)) == (3, 3, 0, 0, 0)
    inbox.journal(bot, update("hello", chat=9))
    inbox.drain_all()
    assert _requests(balance.take(owner, inbox.reader)) == (4, 4, 0, 0, 0)


def test_turns_and_parts_under_way_keep_the_balance_from_rest(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()
    waiting = balance.take(owner, inbox.reader)
    owner.execute("UPDATE turns SET state = 'answered'")

    found = balance.take(owner, inbox.reader)

    assert (waiting.turns, waiting.at_rest) == ({"waiting": 1}, False)
    assert (found.turns, found.at_rest) == ({"answered": 1}, True)


def test_the_balance_closes_while_messages_are_being_stored(inbox: Inbox, bot: Bot, owner: Conn) -> None:
    for chat in range(60):
        inbox.journal(bot, update("hello", chat=chat))
    seen = []
    for stream in inbox.reader.streams:
        inbox.drain.drain(stream)
        seen.append(balance.take(owner, inbox.reader))

    assert all(found.closes and found.requests_received == 60 for found in seen)
    assert [found.requests_stored for found in seen] == sorted(found.requests_stored for found in seen)
    assert seen[-1].requests_in_flight == 0
