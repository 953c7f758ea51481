"""The intake thread drains a backlog several streams at a time: one that fails takes nothing from the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from celery import Task
from redis.exceptions import ConnectionError as RedisAway

from shared.embedded import Database
from shared.store.inbound import balance
from tasks.context import Process
from tasks.inbound.batch import Stored
from tasks.inbound.drain import Drain
from tasks.wakeups import WakeupCoalescer
from tests.factories import Bot, update
from tests.integration.station import Station
from workers import intake
from workers.intake import IntakeThread
from workers.sandbox.waiting import wait_until

MUCH = intake.TOGETHER_BELOW + 16
WITHIN_S = 20.0


class Silent(WakeupCoalescer):
    """There is no broker here."""

    def request(self, task: Task, *, due_s: float | None = None) -> None:
        pass


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, JOURNAL_SHARDS=16)
    yield station
    station.close()


@pytest.fixture
def thread(station: Station) -> Iterator[IntakeThread]:
    """Its steps are called by the test; the first one has met a backlog."""
    thread = IntakeThread(Process(station.r, Silent()))
    yield thread
    thread.stop()


def _written(station: Station, bot: Bot, text: str) -> list[str]:
    """A message in each of many chats; the streams that they are in."""
    return sorted({station.inbox.journal(bot, update(text, chat=chat + 1)) for chat in range(MUCH)})


def _stored(station: Station) -> int:
    return int(station.rows("SELECT count(*) FROM messages")[0][0])


def _closes(station: Station) -> bool:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        return balance.take(conn, station.inbox.reader).at_rest


def test_a_stream_that_fails_again_and_again_keeps_no_other_from_its_turn(
    station: Station, bot: Bot, thread: IntakeThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(station, bot, "one")
    thread.step()
    streams = _written(station, bot, "two")
    drain, failing = Drain.drain, streams[0]
    assert len(streams) > intake.HANDS + 1
    its_own, hands = station.inbox.client.xlen(failing), set[str]()

    def fails(self: Drain, stream: str) -> Stored | None:
        hands.add(threading.current_thread().name)
        if stream == failing:
            raise RedisAway("gone")
        return drain(self, stream)

    monkeypatch.setattr(Drain, "drain", fails)
    for _ in range(2):  # the first round ends with the error, the second one begins behind it
        with pytest.raises(RedisAway):
            thread.step()
    # what other hands had begun goes on behind the one that failed
    wait_until(lambda: station.inbox.reader.backlog() == its_own, "the other streams stored", WITHIN_S)
    monkeypatch.setattr(Drain, "drain", drain)
    assert _stored(station) == 2 * MUCH - its_own

    thread.step()

    assert _stored(station) == 2 * MUCH
    assert station.rows("SELECT count(DISTINCT dedupe_key) FROM messages") == [(2 * MUCH,)]
    assert len(hands) > 1
    station.execute("UPDATE turns SET state = 'cancelled'")  # nobody answers here
    assert _closes(station)


def test_a_stop_in_the_middle_of_a_backlog_leaves_the_rest_in_the_journal(
    station: Station, bot: Bot, thread: IntakeThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(station, bot, "one")
    thread.step()
    _written(station, bot, "two")
    drain = Drain.drain

    def stops(self: Drain, stream: str) -> Stored | None:
        thread.stopping.set()
        return drain(self, stream)

    monkeypatch.setattr(Drain, "drain", stops)
    thread.step()
    stored, waiting = _stored(station), station.inbox.reader.backlog()
    assert stored + waiting == 2 * MUCH
    assert 0 < waiting < MUCH, "those that had begun were stored, the others were left"

    monkeypatch.setattr(Drain, "drain", drain)
    station.inbox.drain_all()
    assert _stored(station) == 2 * MUCH
