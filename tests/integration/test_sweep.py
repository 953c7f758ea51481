"""The sweeper's look: once per interval for the whole fleet, less often while looking changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from shared.embedded import Database as Server
from shared.store.db.pool import Database
from shared.store.operations import overdue
from shared.store.operations.overdue import PAUSE_MAX_S, Overdue
from tests.factories import Inbox, make_bot, update


@pytest.fixture
def db(database: Server) -> Iterator[Database]:
    opened = Database(database.url, max_size=6, timeout_s=4)
    opened.open()
    yield opened
    opened.close()


def _look(db: Database, limit: int = 200) -> Overdue | None:
    with db.transaction() as conn:
        return overdue.look(conn, every_s=2.0, grace_s=1.0, limit=limit)


def _owner(server: Server, query: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(server.admin_url, autocommit=True) as conn:
        cursor = conn.execute(query)
        return list(cursor.fetchall()) if cursor.description else []


def _interval_passes(server: Server) -> None:
    _owner(server, b"UPDATE sweeps SET next_at = now()")


def _pause_s(server: Server) -> float:
    [(seconds,)] = _owner(server, b"SELECT pause_s FROM sweeps")
    return float(str(seconds))


@pytest.fixture
def inbox(database: Server, redis_url: str) -> Iterator[Inbox]:
    inbox = Inbox(database, redis_url)
    yield inbox
    inbox.close()


def test_of_many_sweepers_one_looks_in_an_interval(database: Server, db: Database) -> None:
    looked: list[Overdue | None] = []
    at_once = threading.Barrier(5)

    def run() -> None:
        at_once.wait(10)
        looked.append(_look(db))

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(found is not None for found in looked) == [False, False, False, False, True]
    assert _look(db) is None
    _interval_passes(database)
    assert _look(db) == Overdue(0, 0)


def test_what_is_overdue_is_counted_to_the_bound_and_what_is_only_due_is_not(inbox: Inbox, db: Database) -> None:
    bot = make_bot(inbox.server.admin_url)
    for chat in range(7):
        inbox.journal(bot, update("hello", chat=chat))
    inbox.drain_all()
    _owner(inbox.server, b"UPDATE turns SET due_at = now() - interval '0.2 seconds'")
    assert _look(db) == Overdue(0, 0)  # a wake-up on time needs no second one
    _owner(inbox.server, b"UPDATE turns SET due_at = now() - interval '1 minute'")
    _interval_passes(inbox.server)

    assert _look(db) == Overdue(7, 0)
    _interval_passes(inbox.server)
    assert _look(db, limit=5) == Overdue(5, 0)


def test_a_lease_that_ended_without_an_answer_is_overdue(inbox: Inbox, db: Database) -> None:
    bot = make_bot(inbox.server.admin_url)
    inbox.journal(bot, update("hello"))
    inbox.drain_all()
    _owner(inbox.server, b"UPDATE turns SET state = 'answering', due_at = now() - interval '2 seconds'")

    assert _look(db) == Overdue(1, 0)


def test_a_fleet_that_is_behind_is_woken_less_often_up_to_a_cap_and_soon_again_when_it_moves(
    inbox: Inbox, db: Database
) -> None:
    bot = make_bot(inbox.server.admin_url)
    for chat in range(3):
        inbox.journal(bot, update("hello", chat=chat))
    inbox.drain_all()
    _owner(inbox.server, b"UPDATE turns SET due_at = now() - interval '1 minute'")
    pauses = []
    for _ in range(5):
        _interval_passes(inbox.server)
        _look(db)
        pauses.append(_pause_s(inbox.server))

    assert pauses == [2.0, 4.0, 8.0, PAUSE_MAX_S, PAUSE_MAX_S]

    _owner(inbox.server, b"UPDATE turns SET state = 'answered' WHERE id = (SELECT min(id) FROM turns)")
    _interval_passes(inbox.server)
    assert _look(db) == Overdue(2, 0)
    assert _pause_s(inbox.server) == 2.0


def test_rings_that_did_not_go_out_are_made_up_for_at_the_next_interval(inbox: Inbox, db: Database) -> None:
    bot = make_bot(inbox.server.admin_url)
    inbox.journal(bot, update("hello"))
    inbox.drain_all()
    _owner(inbox.server, b"UPDATE turns SET due_at = now() - interval '1 minute'")
    for _ in range(3):
        _interval_passes(inbox.server)
        _look(db)
    assert _pause_s(inbox.server) == 8.0

    with db.transaction() as conn:
        overdue.look_again_soon(conn, every_s=2.0)

    assert _owner(inbox.server, b"SELECT next_at < now() + interval '2.1 seconds', pause_s, overdue FROM sweeps") == [
        (True, 2.0, 0)
    ]
