"""Several streams stored in one transaction: as much as each alone, and what needs a look of its own gets it."""

from __future__ import annotations

import psycopg
import pytest
from redis.exceptions import RedisError

from shared.errors import DatabaseUnavailable
from shared.store.inbound import balance, ledger
from tests.factories import Bot, Inbox, make_bot, update

CHATS = range(12)


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url)


def _written(inbox: Inbox, bot: Bot, text: str = "hello") -> list[str]:
    """One message in each chat; the streams that they are in."""
    streams = sorted({inbox.journal(bot, update(f"{text} {chat}", chat=chat)) for chat in CHATS})
    assert len(streams) > 3
    return streams


def _closes(inbox: Inbox) -> bool:
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        return balance.take(conn, inbox.reader).closes


def _stored(inbox: Inbox) -> tuple[int, int]:
    """Messages, and the transactions that stored them."""
    [(messages, transactions)] = inbox.rows("SELECT count(*), count(DISTINCT created_at) FROM messages")
    return messages, transactions


def test_all_streams_are_stored_in_one_transaction_each_with_its_own_count(inbox: Inbox, bot: Bot) -> None:
    streams = _written(inbox, bot)

    stored, alone = inbox.drain.drain_together(streams)

    assert stored is not None
    assert (stored.requests, stored.effected, stored.turns, alone) == (len(CHATS), len(CHATS), len(CHATS), [])
    assert _stored(inbox) == (len(CHATS), 1)
    assert inbox.reader.backlog() == 0
    counted = dict(inbox.rows("SELECT stream, requests FROM journal_progress WHERE requests > 0"))
    assert sorted(counted) == streams
    assert sum(counted.values()) == len(CHATS)
    assert _closes(inbox)


def test_nothing_new_is_nothing(inbox: Inbox, bot: Bot) -> None:
    streams = _written(inbox, bot)
    inbox.drain.drain_together(streams)

    assert inbox.drain.drain_together(streams) == (None, [])


def test_what_a_dead_holder_left_is_looked_at_alone(inbox: Inbox, bot: Bot) -> None:
    streams = _written(inbox, bot)
    inbox.reader.new(streams[1], 1)

    stored, alone = inbox.drain.drain_together(streams)
    rest = inbox.drain_all()

    assert stored is not None
    assert alone == [streams[1]]
    assert stored.effected + rest.effected == len(CHATS)
    assert rest.repeats == 0
    assert _stored(inbox)[0] == len(CHATS)
    assert _closes(inbox)


def test_a_crash_between_commit_and_acknowledgement_repeats_nothing(
    inbox: Inbox, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = _written(inbox, bot)

    def dies(*_: object) -> None:
        raise RedisError

    with monkeypatch.context() as patched:
        patched.setattr(inbox.reader, "done", dies)
        with pytest.raises(RedisError):
            inbox.drain.drain_together(streams)

    assert inbox.drain.drain_together(streams) == (None, streams)
    rest = inbox.drain_all()
    assert (rest.repeats, rest.effected) == (len(CHATS), 0)
    assert _stored(inbox) == (len(CHATS), 1)
    assert _closes(inbox)


def test_a_poison_event_parts_the_streams_and_alone_is_a_dead_letter(inbox: Inbox, bot: Bot) -> None:
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'poison')")
    streams = _written(inbox, bot)
    inbox.journal(bot, update("poison", chat=CHATS[0]))

    assert inbox.drain.drain_together(streams) == (None, streams)
    assert _stored(inbox)[0] == 0

    rest = inbox.drain_all()
    assert (rest.dead_letters, rest.effected, rest.repeats) == (1, len(CHATS), 0)
    assert _stored(inbox)[0] == len(CHATS)
    assert _closes(inbox)


def test_a_stream_that_somebody_else_holds_is_left_to_them(inbox: Inbox, bot: Bot) -> None:
    streams = _written(inbox, bot)

    with inbox.db.transaction() as conn:
        assert ledger.try_lock_shards(conn, streams[:2]) == streams[:2]
        stored, alone = inbox.drain.drain_together(streams)

    assert stored is not None
    assert alone == []
    left = sum(inbox.client.xlen(stream) for stream in streams[:2])
    assert stored.requests == len(CHATS) - left
    assert inbox.reader.backlog() == left > 0


def test_a_database_that_is_away_loses_nothing(inbox: Inbox, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = _written(inbox, bot)

    def away(*_: object) -> None:
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "add_raw", away)
        with pytest.raises(DatabaseUnavailable):
            inbox.drain.drain_together(streams)

    assert inbox.drain_all().effected == len(CHATS)
    assert _closes(inbox)
