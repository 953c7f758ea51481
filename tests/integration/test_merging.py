"""Two conversations that become one: nothing is asked again, what was read stays read, and the archive joins, too."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shared.store.inbox import conversations, message_pages
from shared.store.lifecycle import archive, archive_restore, archive_runs
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.station import Station
from tests.integration.test_moved_chats import GROUP, NEW, OLD, SUPERGROUP, came, receive, said, went

Conn = psycopg.Connection[Any]


@pytest.fixture
def bot(station: Station) -> Bot:
    return make_bot(station.inbox.server.admin_url)


@pytest.fixture
def owner(station: Station) -> Iterator[Conn]:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        yield conn


def _archive(owner: Conn, bot: Bot, keep: int) -> int:
    """All but the newest `keep` messages of each conversation; returns how many went."""
    later = datetime.now(UTC) + timedelta(days=1)
    run = archive_runs.begin_run(owner)
    with owner.transaction():
        found = archive.pick(owner, bot.company_id, before=later, keep=keep, limit=10_000, after=None)
        return archive.move(owner, bot.company_id, found, run).messages


def _settle(station: Station) -> None:
    station.execute("UPDATE turns SET state = 'no_reply', finished_at = now(), epoch = epoch + 1")


def _texts(station: Station, bot: Bot) -> list[str | None]:
    [(conversation,)] = station.rows("SELECT id FROM conversations")
    with station.r.db.transaction(bot.company_id) as conn:
        page = message_pages.page(conn, bot.company_id, conversation, limit=500)
    assert [line.seq for line in page] == list(range(1, len(page) + 1))
    return [line.text for line in page]


# ------------------------------------------------------------------ what is asked


@pytest.mark.parametrize("waits", ["old", "new", "both"])
@pytest.mark.parametrize("more", [True, False])
def test_an_answered_question_is_never_asked_again(station: Station, bot: Bot, waits: str, more: bool) -> None:
    station.learn(bot)
    for chat, name in ((GROUP, "old"), (SUPERGROUP, "new")):
        receive(station, bot, said(f"when do you open, {name} answered?", chat))
        assert station.answer() is Result.ANSWERED
    for chat, name in ((GROUP, "old"), (SUPERGROUP, "new")):
        if waits in (name, "both"):
            receive(station, bot, said(f"when do you open, {name} waits?", chat))
    asked = len(station.model.asked)

    receive(station, bot, went())
    if more:
        receive(station, bot, said("and on Sunday, when do you open?", SUPERGROUP))
    while station.answer() is not Result.NOTHING_DUE:
        pass

    turns = station.rows("SELECT first_seq, last_seq FROM turns WHERE state = 'answered' ORDER BY id")
    covered = [seq for first, last in turns for seq in range(first, last + 1)]
    customers = [seq for (seq,) in station.rows("SELECT seq FROM messages WHERE role = 'customer' ORDER BY seq")]
    assert sorted(covered) == customers, "each is asked in one turn, and no other message is"
    assert len(station.model.asked) > asked


def test_a_question_that_a_person_had_answered_is_not_asked(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station, bot, said("do you deliver?", SUPERGROUP))
    station.execute("UPDATE turns SET state = 'cancelled', epoch = epoch + 1, finished_at = now()")
    receive(station, bot, said("when do you open?", GROUP), went())
    assert station.rows("SELECT text FROM messages ORDER BY seq") == [("do you deliver?",), ("when do you open?",)]
    assert station.rows("SELECT first_seq, last_seq FROM turns WHERE state = 'waiting'") == [(2, 2)]


def test_an_answer_in_the_making_whose_messages_move_begins_again(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station, bot, said("one answered, when do you open?", GROUP))
    station.answer()
    receive(station, bot, said("two answered, when do you open?", SUPERGROUP))
    station.answer()
    receive(station, bot, said("when do you open on Sunday?", GROUP))
    station.model.meanwhile.append(lambda: receive(station, bot, went()))

    while station.answer() is not Result.NOTHING_DUE:
        pass

    assert station.rows("SELECT count(*) FROM messages WHERE role = 'bot'") == [(3,)]
    assert sorted(station.rows("SELECT first_seq, last_seq FROM turns WHERE state = 'answered'")) == [
        (1, 1), (3, 3), (5, 5),
    ]  # fmt: skip


# ------------------------------------------------------------------ what is read


def _unread(station: Station) -> set[str]:
    rows = station.rows(
        "SELECT m.text FROM (SELECT *, row_number() OVER (PARTITION BY conversation_id ORDER BY seq) AS number"
        " FROM messages WHERE role = 'customer') m JOIN conversations c ON c.id = m.conversation_id"
        " WHERE m.number > c.read_seq AND NOT c.read_beyond @> m.number"
    )
    return {text for (text,) in rows}


@pytest.mark.parametrize("seed", range(4))
def test_what_was_read_is_read_and_nothing_else(station: Station, bot: Bot, owner: Conn, seed: int) -> None:
    chance = random.Random(seed)
    for n in range(12):
        receive(station, bot, said(f"m{n}", chance.choice((GROUP, SUPERGROUP))))
    _settle(station)
    for number in range(1, 13):
        if chance.random() < 0.4:
            station.execute(
                "UPDATE conversations SET read_beyond = read_beyond + int8multirange(int8range(%s, %s))"
                " WHERE chat = %s",
                number, number + 1, str(chance.choice((OLD, NEW))),
            )  # fmt: skip
    station.execute("UPDATE company_totals t SET unread = (SELECT sum(unread_of(customer_seq, read_seq, read_beyond))"
                    " FROM conversations)")  # fmt: skip
    if seed % 2:
        receive(station, bot, said("m12", GROUP))
    before = _unread(station)

    receive(station, bot, came(), went())

    assert _unread(station) == before
    assert station.rows("SELECT unread_of(customer_seq, read_seq, read_beyond) FROM conversations") == [(len(before),)]
    assert station.rows("SELECT unread FROM company_totals") == [(len(before),)]


def test_twenty_thousand_that_were_read_are_one_range(station: Station, bot: Bot) -> None:
    receive(station, bot, said("unread", GROUP), said("read", SUPERGROUP))
    station.execute(
        "INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text)"
        " SELECT company_id, id, channel_id, n, 'customer', 'm' || n FROM conversations, generate_series(2, 20000) n"
        " WHERE chat = %s", str(NEW),
    )  # fmt: skip
    station.execute(
        "UPDATE conversations SET message_count = 20000, customer_seq = 20000, read_seq = 20000 WHERE chat = %s",
        str(NEW),
    )
    _settle(station)

    receive(station, bot, went())

    assert station.rows("SELECT customer_seq, read_seq, read_beyond::text FROM conversations") == [
        (20_001, 0, "{[2,20002)}")
    ]
    assert _unread(station) == {"unread"}


# ------------------------------------------------------------------ the archive


@pytest.mark.parametrize("archived", ["old", "new", "both"])
def test_archived_messages_become_one_conversation_too(station: Station, bot: Bot, owner: Conn, archived: str) -> None:
    station.learn(bot)
    bodies: dict[str, list[dict[str, Any]]] = {"old": [], "new": []}
    for name, chat in (("old", GROUP), ("new", SUPERGROUP)):
        for n in range(3):
            body = said(f"{name} {n}: when do you open?", chat)
            bodies[name].append(body)
            receive(station, bot, body)
            station.answer()
    station.deliver_all()
    station.execute("UPDATE conversations SET read_seq = 1")
    station.execute("UPDATE company_totals SET unread = unread - 2")
    kept = {"old": OLD, "new": NEW}.get(archived)
    if kept is not None:
        station.execute(
            "UPDATE conversations SET last_message_at = now() + interval '9 days' WHERE chat <> %s", str(kept)
        )
    went_away = _archive(owner, bot, keep=2)
    assert went_away == (8 if archived == "both" else 4)

    receive(station, bot, went())

    customers = [text for text in _texts(station, bot) if text is not None and text.endswith("open?")]
    assert sorted(customers) == sorted(f"{name} {n}: when do you open?" for name in ("old", "new") for n in range(3))
    for name in ("old", "new"):
        assert [text for text in customers if text.startswith(name)] == [
            f"{name} {n}: when do you open?" for n in range(3)
        ]
    assert station.rows("SELECT message_count, customer_seq, archived_seq FROM conversations") == [(12, 6, went_away)]
    assert station.rows("SELECT unread_of(customer_seq, read_seq, read_beyond) FROM conversations") == [(4,)]
    receive(station, bot, *bodies["old"], *bodies["new"], went())
    assert station.rows("SELECT message_count FROM conversations") == [(12,)]
    _restored(owner, bot)
    assert [seq for (seq,) in station.rows("SELECT seq FROM messages ORDER BY seq")] == list(range(1, 13))
    [(conversation,)] = station.rows("SELECT id FROM conversations")
    for table in ("messages", "turns", "outbound"):
        assert {one for (one,) in station.rows(f"SELECT conversation_id FROM {table}")} == {conversation}
    assert station.rows(
        "SELECT count(*) FROM turns t JOIN receipts r ON r.turn_id = t.id JOIN messages a ON a.id = r.message_id"
        " JOIN messages q ON q.seq = t.first_seq WHERE q.role = 'customer' AND a.seq = t.first_seq + 1"
    ) == [(6,)]  # fmt: skip
    assert _unread(station) == {f"{name} {n}: when do you open?" for name in ("old", "new") for n in (1, 2)}


def _restored(owner: Conn, bot: Bot) -> None:
    for place in archive_restore.places(owner, company_id=bot.company_id):
        with owner.transaction():
            while archive_restore.restore_newest(owner, place):
                pass


def test_another_company_s_archive_is_refused(station: Station, bot: Bot) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), station.r.db.transaction(bot.company_id) as conn:
        conn.execute("SELECT archive_move(%s, 1, 2, 0)", (bot.company_id + 1,))
    with pytest.raises(psycopg.errors.InsufficientPrivilege), station.r.db.transaction(bot.company_id) as conn:
        conn.execute("SELECT archive_change_contact(%s, 1, 2, 3)", (bot.company_id + 1,))
    with station.r.db.transaction(bot.company_id) as conn:
        assert conversations.lock(conn, bot.company_id, 1) is None
