"""News on a real Redis: who watches is told in order, and nobody waits for it."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from shared.clock import FixedClock
from shared.embedded import Valkey
from shared.live.hub import WAITING_MAX, Hub, Watcher
from shared.live.publisher import REST_S, Publisher
from shared.live.stream import AnswerStream
from shared.live.topics import (
    AnswerId,
    Chat,
    Moved,
    News,
    PartialAnswer,
    Stored,
    Went,
    Withdrawn,
    channel_name,
    decode,
    encode,
)
from shared.resilience.loop import Loop
from shared.store.db.redis import connect, connect_async

WITHIN_S = 20.0
CHAT = Chat(1, 2, "visitor")
ANSWER = AnswerId(7, 1)


@pytest.fixture
def publisher(redis_url: str) -> Iterator[Publisher]:
    client = connect(redis_url)
    publisher = Publisher(client)
    yield publisher
    publisher.close()
    client.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    loop.start()
    yield loop
    loop.stop()


class Ear:
    """A plain subscriber, for looking at what is published."""

    def __init__(self, url: str, topic: str) -> None:
        self._client = connect(url)
        database = int(self._client.connection_pool.connection_kwargs.get("db") or 0)
        self._subscription = self._client.pubsub()  # type: ignore[no-untyped-call]
        self._subscription.subscribe(channel_name(database, topic))
        assert self._subscription.get_message(timeout=WITHIN_S)["type"] == "subscribe"

    def next(self) -> News | Moved | None:
        message = self._subscription.get_message(timeout=WITHIN_S)
        assert message is not None, "nothing was published"
        return decode(message["data"])

    def close(self) -> None:
        self._subscription.close()
        self._client.close()


@pytest.fixture
def ear(redis_url: str) -> Iterator[Ear]:
    ear = Ear(redis_url, CHAT.topic)
    yield ear
    ear.close()


# Words


@pytest.mark.parametrize(
    "news",
    [
        Stored(),
        Stored(ANSWER),
        PartialAnswer(ANSWER, "half a"),
        Withdrawn(ANSWER),
        Went("-100"),
        Moved(1),
        Moved(1, 2, 3),
    ],
)
def test_what_is_said_is_understood(news: News | Moved) -> None:
    assert decode(encode(news)) == news


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"[]", b"{}", b'{"k":"new"}', b'{"k":"piece"}', b'{"k":"piece","t":1,"e":1}']
)
def test_what_is_not_understood_is_nothing(raw: bytes) -> None:
    assert decode(raw) is None


# Publishing


def test_news_comes_in_the_order_in_which_it_was_told(publisher: Publisher, ear: Ear) -> None:
    told: list[News] = [PartialAnswer(ANSWER, "a" * length) for length in range(1, 50)]
    for news in [*told, Stored(ANSWER)]:
        publisher.tell([CHAT], news)

    assert [ear.next() for _ in range(50)] == [*told, Stored(ANSWER)]


def test_neighbours_on_one_redis_hear_nothing_of_each_other(redis_url: str, publisher: Publisher, ear: Ear) -> None:
    heard: queue.Queue[int] = queue.Queue()
    other_database = connect(redis_url.rpartition("/")[0] + "/0")
    elsewhere = Publisher(other_database)
    elsewhere.tell([CHAT], Stored(), heard.put)
    publisher.tell([CHAT], Stored(), heard.put)

    assert sorted(heard.get(timeout=WITHIN_S) for _ in range(2)) == [0, 1]
    elsewhere.close()
    other_database.close()


def test_without_redis_news_is_lost_at_once_and_comes_again_when_it_is_back(make_valkey: Callable[..., Valkey]) -> None:
    valkey, clock = make_valkey(), FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    client = connect(valkey.redis_url, socket_timeout_s=0.5)
    publisher, heard = Publisher(client, clock), queue.Queue[int]()
    valkey.stop()
    publisher.tell([CHAT], Stored(), heard.put)
    assert heard.get(timeout=WITHIN_S) == 0
    valkey.start()
    ear = Ear(valkey.redis_url, CHAT.topic)

    publisher.tell([CHAT], Stored(), heard.put)
    assert heard.get_nowait() == 0  # it rests, and nothing was even tried
    clock.advance(REST_S + 0.1)
    publisher.tell([CHAT], Stored(ANSWER), heard.put)

    assert heard.get(timeout=WITHIN_S) == 1
    assert ear.next() == Stored(ANSWER)
    ear.close()
    publisher.close()
    client.close()


def test_a_publisher_that_is_closed_takes_nothing_and_hurts_nobody(publisher: Publisher) -> None:
    publisher.close()
    heard: queue.Queue[int] = queue.Queue()
    publisher.tell([CHAT], Stored(), heard.put)
    assert heard.get_nowait() == 0


# The pieces of an answer


def say(loop: Loop, stream: AnswerStream, *pieces: str) -> None:
    """On the loop's thread, at once."""

    async def run() -> None:
        for piece in pieces:
            stream.piece(piece)

    loop.run(run(), timeout_s=WITHIN_S)


def test_pieces_hold_the_whole_text_and_end_with_the_message(publisher: Publisher, ear: Ear, loop: Loop) -> None:
    with AnswerStream(publisher, CHAT, ANSWER) as stream:
        say(loop, stream, "We open ")
        assert ear.next() == PartialAnswer(ANSWER, "We open ")
        say(loop, stream, "at ", "nine.")
        assert ear.next() == PartialAnswer(ANSWER, "We open at nine.")  # what comes together is one publication
        stream.restart()
        say(loop, stream, "The shop")
        assert ear.next() == PartialAnswer(ANSWER, "The shop")
        stream.became_message()
        say(loop, stream, " said by a call that was cancelled")
    publisher.tell([CHAT], Stored())

    assert [ear.next(), ear.next()] == [Stored(ANSWER), Stored()]


def test_an_answer_of_which_nothing_comes_is_withdrawn_if_something_was_said(
    publisher: Publisher, ear: Ear, loop: Loop
) -> None:
    with AnswerStream(publisher, CHAT, AnswerId(1, 1)):
        pass
    with AnswerStream(publisher, CHAT, ANSWER) as stream:
        say(loop, stream, "We")
        assert ear.next() == PartialAnswer(ANSWER, "We")

    assert ear.next() == Withdrawn(ANSWER)


# Watching


class Watching:
    """A hub with one watcher of CHAT, on a loop of its own; what it is told comes into `seen`."""

    def __init__(self, loop: Loop, url: str) -> None:
        self._loop = loop
        self.seen: queue.Queue[News | str] = queue.Queue()
        self.hub: Hub = loop.run(self._open(url), timeout_s=WITHIN_S)
        self._call = loop.spawn(self._watch())

    async def _open(self, url: str) -> Hub:
        hub = Hub(connect_async(url))
        hub.start()
        return hub

    async def _watch(self) -> None:
        async with self.hub.watch(CHAT) as watcher:
            while not self.hub.closing:
                news = await watcher.next(WITHIN_S)
                if watcher.behind:
                    watcher.behind = False
                    self.seen.put("read the table")
                if news is not None:
                    self.seen.put(news)

    def next(self) -> News | str:
        return self.seen.get(timeout=WITHIN_S)

    def close(self) -> None:
        self._loop.run(self.hub.close(), timeout_s=WITHIN_S)
        self._call.result(WITHIN_S)


def tell_until_heard(publisher: Publisher, news: News) -> None:
    heard: queue.Queue[int] = queue.Queue()
    ends_at = time.monotonic() + WITHIN_S
    publisher.tell([CHAT], news, heard.put)
    while not heard.get(timeout=WITHIN_S):
        assert time.monotonic() < ends_at, "nobody heard"
        publisher.tell([CHAT], news, heard.put)


def test_a_watcher_is_told_and_reads_the_table_after_every_gap(loop: Loop, make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()
    client = connect(valkey.redis_url)
    watching, publisher = Watching(loop, valkey.redis_url), Publisher(client)
    assert watching.next() == "read the table"
    tell_until_heard(publisher, Withdrawn(ANSWER))
    while watching.next() != Withdrawn(ANSWER):
        pass  # the subscription was confirmed meanwhile

    valkey.restart()
    assert watching.next() == "read the table"
    tell_until_heard(publisher, PartialAnswer(ANSWER, "We"))
    assert watching.next() == PartialAnswer(ANSWER, "We")

    watching.close()
    publisher.close()
    client.close()


def test_a_slow_watcher_loses_news_and_never_the_table() -> None:
    async def run() -> None:
        watcher = Watcher()
        watcher.behind = False
        for number in range(WAITING_MAX + 1):
            watcher.put(Stored(AnswerId(number, 1)))
        assert await watcher.next(WITHIN_S) is None
        assert watcher.behind
        watcher.behind = False
        watcher.put(PartialAnswer(ANSWER, "a"))
        watcher.put(PartialAnswer(ANSWER, "ab"))
        assert await watcher.next(WITHIN_S) == PartialAnswer(ANSWER, "ab")

    asyncio.run(run())


# An answer in the making: seen by who watches, ended by a hint
