"""News on a real Redis: who watches is told in order, nobody waits for it, and what was overtaken ends at a hint."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from shared.clock import FixedClock
from shared.embedded import Database, Valkey
from shared.flow import leases as leases_flow
from shared.flow import reply, takeover
from shared.flow.leases import Leases
from shared.live.hints import HintListener
from shared.live.hub import WAITING_MAX, Hub, Watcher
from shared.live.publisher import REST_S, Publisher
from shared.live.stream import AnswerStream
from shared.live.topics import AnswerId, Chat, Moved, News, Piece, Stored, Withdrawn, channel_name, decode, encode
from shared.llm.provider import Provider
from shared.llm.router import Router
from shared.resilience.loop import Loop
from shared.store import turns
from shared.store.redis import connect, connect_async
from tests.factories import Bot, make_bot
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station
from tests.integration.test_widget import take_in
from tests.integration.visitor import Visitor, make_widget

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
    [Stored(), Stored(ANSWER), Piece(ANSWER, "half a"), Withdrawn(ANSWER), Moved(1), Moved(1, 2, 3)],
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
    told: list[News] = [Piece(ANSWER, "a" * length) for length in range(1, 50)]
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
        assert ear.next() == Piece(ANSWER, "We open ")
        say(loop, stream, "at ", "nine.")
        assert ear.next() == Piece(ANSWER, "We open at nine.")  # what comes together is one publication
        stream.restart()
        say(loop, stream, "The shop")
        assert ear.next() == Piece(ANSWER, "The shop")
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
        assert ear.next() == Piece(ANSWER, "We")

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
    tell_until_heard(publisher, Piece(ANSWER, "We"))
    assert watching.next() == Piece(ANSWER, "We")

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
        watcher.put(Piece(ANSWER, "a"))
        watcher.put(Piece(ANSWER, "ab"))
        assert await watcher.next(WITHIN_S) == Piece(ANSWER, "ab")

    asyncio.run(run())


# An answer in the making: seen by who watches, ended by a hint


class SlowModel:
    """Streams pieces as the test hands them out (None: the end); `left` is set when the reader is gone."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.asked = threading.Semaphore(0)
        self.left = threading.Event()

    def say(self, *pieces: str | None) -> None:
        for piece in pieces:
            self._loop.run(self._pieces.put(piece), timeout_s=WITHIN_S)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.release()
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            while (piece := await self._pieces.get()) is not None:
                yield f"data: {json.dumps({'choices': [{'delta': {'content': piece}}]})}\n\n".encode()
            yield b"data: [DONE]\n\n"
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise


class Answering:
    """A reply worker's thread at its one turn, with leases that only a hint makes look."""

    def __init__(self, station: Station, url: str) -> None:
        self.station = station
        self._client = connect(url)
        self._listener = HintListener(self._client)
        self._listener.listen()  # subscribed
        self.result: reply.Result | None = None
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        self.result = self.station.answer()

    def hear(self) -> None:
        """What the resident thread does, until a hint has come."""
        while not (hints := self._listener.listen()):
            pass
        self.station.leases.look_now(hints)

    def end(self) -> reply.Result | None:
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        self._listener.close()
        self._client.close()
        return self.result


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_widget(database.admin_url)


@pytest.fixture
def station(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setattr(leases_flow, "RENEW_EVERY_S", 3600.0)  # so that nothing but a hint is fast
    station = Station(database, redis_url, lease_s=3600.0)
    station.leases.start()
    yield station
    station.leases.stop()
    station.close()


@pytest.fixture
def model(station: Station) -> SlowModel:
    model = SlowModel(station.r.loop)
    http = httpx.AsyncClient(transport=httpx.MockTransport(model))
    provider = Provider(http, name="slow", base_url="http://model/v1", api_key="k", model="slow", max_tokens=50)
    station.r.router = Router([provider])
    return model


@pytest.fixture
def gateway(database: Database, station: Station) -> Iterator[RunningGateway]:
    with running_gateway(station.r.settings) as running:
        yield running


def test_a_newer_message_ends_the_generation_and_takes_back_what_was_shown(
    station: Station, model: SlowModel, gateway: RunningGateway, bot: Bot, redis_url: str
) -> None:
    station.learn(bot)
    visitor = Visitor(gateway, bot)
    stream = visitor.watch()
    visitor.say("When does the shop open?")
    take_in(station)
    assert stream.next().name == "message"
    answering = Answering(station, redis_url)
    assert model.asked.acquire(timeout=WITHIN_S)
    model.say("We open at ")
    piece = stream.next()
    assert (piece.name, piece.data["at"], piece.data["text"]) == ("piece", 0, "We open at ")

    visitor.say("On Sundays, I mean")
    take_in(station)
    answering.hear()
    assert model.left.wait(WITHIN_S)
    assert answering.end() is reply.Result.CALLED_OFF
    told = {event.name: event for event in (stream.next(), stream.next())}
    assert told["message"].data["text"] == "On Sundays, I mean"
    assert told["withdrawn"].data["answer"] == piece.data["answer"]

    station.time_passes()
    again = Answering(station, redis_url)
    model.say("On Sundays ", "at nine [1].", None)
    *pieces, message = stream.until("message")
    assert again.end() is reply.Result.ANSWERED
    assert {event.name for event in pieces} == {"piece"}
    assert {event.data["answer"] for event in pieces}.isdisjoint({piece.data["answer"]})
    assert "On Sundays at nine".startswith("".join(event.data["text"] for event in pieces)[:18])
    assert (message.data["role"], "On Sundays at nine" in message.data["text"]) == ("bot", True)


def test_a_person_who_takes_over_ends_the_generation(
    station: Station, model: SlowModel, bot: Bot, redis_url: str
) -> None:
    telegram = make_bot(station.inbox.server.admin_url)
    station.learn(telegram)
    station.receive(telegram, "When does the shop open?")
    answering = Answering(station, redis_url)
    assert model.asked.acquire(timeout=WITHIN_S)

    with station.r.db.transaction(telegram.company_id) as conn:
        takeover.set_bot(conn, telegram.company_id, station.conversation(), enabled=False)
    station.r.live.hint([Moved(bot.company_id)])  # of somebody else: nobody looks
    station.r.live.hint([Moved(telegram.company_id)])
    answering.hear()

    assert model.left.wait(WITHIN_S)
    assert answering.end() is reply.Result.CALLED_OFF


def test_a_hint_alone_takes_no_lease(station: Station, redis_url: str) -> None:
    """The table is the truth: a hint that is wrong costs a look."""
    bot = make_bot(station.inbox.server.admin_url)
    station.receive(bot, "hello")
    with station.r.db.transaction() as conn:
        claim = turns.claim(conn, 0, lease_s=3600)
    assert claim is not None
    leases = Leases(station.r.db, station.r.clock, lease_s=3600)
    with leases.hold(claim) as lease:
        leases.look_now([Moved(claim.company_id, claim.turn_id, claim.epoch + 1)])
        assert leases._look.is_set()
        leases.renew()
        assert not lease.lost.is_set()
        leases._look.clear()
        for elsewhere in (
            Moved(claim.company_id, claim.turn_id, claim.epoch),
            Moved(claim.company_id, 99, 99),
            Moved(99),
        ):
            leases.look_now([elsewhere])
        assert not leases._look.is_set()
