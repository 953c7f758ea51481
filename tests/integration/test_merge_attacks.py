"""Merges while everything else goes on: at once, in every order, killed between, and under whoever reads or sends."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared import faults
from shared.errors import DatabaseUnavailable
from shared.store.inbox import merged, message_pages, moving
from shared.store.inbox.conversations import ChatKey
from shared.store.lifecycle import archive, archive_runs
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.station import Station
from tests.integration.test_moved_chats import GROUP, NEW, OLD, SUPERGROUP, receive, said, went
from workers.sandbox.waiting import wait_until

Conn = psycopg.Connection[Any]
WITHIN_S = 60


@pytest.fixture
def bot(station: Station) -> Bot:
    return make_bot(station.inbox.server.admin_url)


@pytest.fixture
def owner(station: Station) -> Iterator[Conn]:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        yield conn


def _two(station: Station, bot: Bot) -> None:
    for n in range(3):
        receive(station, bot, said(f"old {n}: when do you open?", GROUP), said(f"new {n}?", SUPERGROUP))


def _whole(station: Station, count: int = 6) -> None:
    """One conversation with every message, in gapless places, and counts that agree."""
    assert station.rows("SELECT message_count, customer_seq FROM conversations") == [(count, count)]
    assert [seq for (seq,) in station.rows("SELECT seq FROM messages ORDER BY seq")] == list(range(1, count + 1))
    for table in ("messages", "turns", "outbound"):
        assert station.rows(f"SELECT count(*) FROM {table} WHERE conversation_id NOT IN (SELECT id FROM conversations)"
                            ) == [(0,)]  # fmt: skip
    assert station.rows("SELECT unread FROM company_totals") == station.rows(
        "SELECT sum(unread_of(customer_seq, read_seq, read_beyond))::bigint FROM conversations"
    )


def _move(station: Station, bot: Bot, before: int | str, now: int | str) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        key = ChatKey(bot.company_id, bot.channel_id, str(before))
        moving.move_chat(conn, key, str(now), for_good=True)


def _blocked(owner: Conn) -> bool:
    row = owner.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return row is not None and bool(row[0])


@pytest.mark.parametrize("turn", range(4))
def test_two_merges_at_once_in_both_directions(station: Station, bot: Bot, turn: int) -> None:
    _two(station, bot)
    ways = [(OLD, NEW), (NEW, OLD)] if turn % 2 else [(NEW, OLD), (OLD, NEW)]
    start = threading.Barrier(2)

    def go(way: tuple[int, int]) -> None:
        start.wait(WITHIN_S)
        try:
            _move(station, bot, *way)
        except DatabaseUnavailable:  # as intake does, once more
            _move(station, bot, *way)

    with ThreadPoolExecutor(2) as pool:
        for ended in [pool.submit(go, way) for way in ways]:
            ended.result(WITHIN_S)
    _whole(station)


NEWS = (("a", "b"), ("b", "c"), ("c", "d"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("between", [True, False])
def test_three_moves_told_in_any_order(station: Station, bot: Bot, order: tuple[int, ...], between: bool) -> None:
    chats = ("a", "b", "c", "d")
    receive(station, bot, *(said(f"{chat}?", {"id": -n, "type": "group", "title": chat}) for n, chat in
                            enumerate(chats, start=1)))  # fmt: skip
    for n, chat in enumerate(chats, start=1):
        station.execute("UPDATE conversations SET chat = %s WHERE chat = %s", chat, str(-n))
    ids = [id_ for (id_,) in station.rows("SELECT id FROM conversations ORDER BY id")]
    for step in order:
        _move(station, bot, *NEWS[step])
        if between:
            _move(station, bot, *NEWS[step])
    for step in order:  # what came under an old id meanwhile follows with the news told once more
        _move(station, bot, *NEWS[step])

    assert station.rows("SELECT chat FROM conversations") == [("d",)]
    _whole(station, 4)
    with station.r.db.transaction(bot.company_id) as conn:
        assert {merged.current(conn, bot.company_id, id_) for id_ in ids} == {ids[0]}
        follows = moving.follow(conn, [ChatKey(bot.company_id, bot.channel_id, chat) for chat in "abc"])
    assert {key.chat: to.chat for key, to in follows.items()} == dict.fromkeys("abc", "d")


def test_a_merge_while_a_part_is_being_sent(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station, bot, said("one, when do you open?", SUPERGROUP), said("two, when do you open?", GROUP))
    while station.answer() is not Result.NOTHING_DUE:
        pass
    station.telegram.meanwhile = lambda: receive(station, bot, went())

    station.deliver_all()

    assert sorted(station.rows("SELECT state FROM outbound")) == [("sent",), ("sent",)]
    assert len(station.telegram.sent) == 2
    assert station.rows("SELECT count(*) FROM conversations") == [(1,)]
    assert station.rows("SELECT message_count, customer_seq FROM conversations") == [(4, 2)]


def test_a_merge_while_the_archive_takes_its_messages(station: Station, bot: Bot, owner: Conn) -> None:
    _two(station, bot)
    station.execute("UPDATE turns SET state = 'no_reply', finished_at = now(), epoch = epoch + 1")
    later, run = datetime.now(UTC) + timedelta(days=1), archive_runs.begin_run(owner)
    with psycopg.connect(station.inbox.server.admin_url) as mover, ThreadPoolExecutor(1) as pool:
        found = archive.pick(mover, bot.company_id, before=later, keep=1, limit=100, after=None)
        assert archive.move(mover, bot.company_id, found, run).messages == 4
        moving_on = pool.submit(receive, station, bot, went())
        wait_until(lambda: moving_on.done() or _blocked(owner), "the other merge waits", 20)
        assert not moving_on.done()
        mover.commit()
        moving_on.result(WITHIN_S)

    [(conversation,)] = station.rows("SELECT id FROM conversations")
    with station.r.db.transaction(bot.company_id) as conn:
        page = message_pages.page(conn, bot.company_id, conversation, limit=100)
    assert sorted(one.seq for one in page) == list(range(1, 7))
    assert sorted(str(one.text) for one in page) == sorted(
        [f"old {n}: when do you open?" for n in range(3)] + [f"new {n}?" for n in range(3)]
    )


def test_the_archive_is_not_written_anew(station: Station, bot: Bot, owner: Conn) -> None:
    _two(station, bot)
    station.execute("UPDATE turns SET state = 'no_reply', finished_at = now(), epoch = epoch + 1")
    later, run = datetime.now(UTC) + timedelta(days=1), archive_runs.begin_run(owner)
    with owner.transaction():
        found = archive.pick(owner, bot.company_id, before=later, keep=1, limit=100, after=None)
        archive.move(owner, bot.company_id, found, run)
    bodies = "SELECT body::text FROM archive_segments ORDER BY 1"
    before = station.rows(bodies)

    receive(station, bot, went())

    assert station.rows(bodies) == before
    _move(station, bot, NEW, "elsewhere")
    receive(station, bot, said("third?", {"id": -9, "type": "group", "title": "x"}))
    _move(station, bot, "elsewhere", -9)
    [(conversation,)] = station.rows("SELECT id FROM conversations")
    with station.r.db.transaction(bot.company_id) as conn:
        page = message_pages.page(conn, bot.company_id, conversation, limit=100)
    assert sorted(one.seq for one in page) == list(range(1, 8))


@pytest.mark.parametrize("point", ["intake.before_commit", "intake.after_commit"])
def test_a_death_in_the_merge_s_transaction_repeats_and_loses_nothing(
    station: Station, bot: Bot, point: str, tmp_path: Path
) -> None:
    _two(station, bot)
    station.inbox.journal(bot, went())
    faults.configure(f"{point}=raise", tmp_path)
    try:
        with pytest.raises(Exception, match=r".*"):
            station.inbox.drain_all()
    finally:
        faults.configure("", None)
    station.inbox.drain_all()
    _whole(station)
    assert station.rows("SELECT count(*) FROM merged_conversations") == [(1,)]


def test_who_reads_an_old_id_meanwhile_always_finds_it(station: Station, bot: Bot) -> None:
    _two(station, bot)
    ids = [id_ for (id_,) in station.rows("SELECT id FROM conversations ORDER BY id")]
    began = threading.Event()
    found: list[list[str | None]] = []

    def read() -> None:
        for _ in range(30):
            began.set()
            with station.r.db.transaction(bot.company_id) as conn:
                page = merged.find(conn, bot.company_id, ids[1], lambda now: message_pages.page(
                    conn, bot.company_id, now, limit=100) or None)  # fmt: skip
            found.append([one.text for one in page or []])

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        assert began.wait(WITHIN_S)
        receive(station, bot, went())
        reading.result(WITHIN_S)
    read()
    assert {len(page) for page in found} <= {3, 6}
    assert len(found[-1]) == 6
