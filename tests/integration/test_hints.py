"""Hints on a real Redis: a generation that was overtaken, or taken over, ends at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest

from shared.embedded import Database
from shared.live.hints import HintListener
from shared.live.topics import Moved
from shared.llm.provider import Provider
from shared.llm.router import Router
from shared.resilience.loop import Loop
from shared.store.db.redis import connect
from tasks.answers import leases as leases_flow
from tasks.answers import reply
from tasks.answers.leases import Leases
from tasks.inbox import takeover
from tasks.tenants import onboarding
from tests.factories import Bot, make_bot
from tests.integration.claims import claim_turn
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station
from tests.integration.test_widget import take_in
from tests.integration.visitor import Visitor, make_widget

WITHIN_S = 20.0


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
        yield self._event(reasoning_content="…")  # a server that takes the reasoning out: text may show at once
        try:
            while (piece := await self._pieces.get()) is not None:
                yield self._event(content=piece)
            yield self._event("stop") + b"data: [DONE]\n\n"
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise

    def _event(self, finish: str | None = None, **delta: str) -> bytes:
        choice = {"delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


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

    def hear(self, count: int = 1) -> None:
        """What the background thread does, until so many hints have come: together or one by one."""
        while count > 0:
            hints = self._listener.listen()
            count -= len(hints)
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
    station = Station(database, redis_url, LEASE_S=3600.0)
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
    model.say("We open ", "[1] at ")  # nothing is shown before the first citation
    piece = stream.next()
    assert (piece.name, piece.data["at"], piece.data["text"]) == ("piece", 0, "We open [1] at ")

    visitor.say("On Sundays, I mean")
    take_in(station)
    answering.hear()
    assert model.left.wait(WITHIN_S)
    assert answering.end() is reply.Result.CANCELLED
    told = {event.name: event for event in (stream.next(), stream.next())}
    assert told["message"].data["text"] == "On Sundays, I mean"
    assert told["withdrawn"].data["answer"] == piece.data["answer"]

    station.time_passes()
    again = Answering(station, redis_url)
    model.say("On Sundays [1] ")
    first = stream.next()
    assert first.name == "piece"
    model.say("at nine.", None)
    *more, message = stream.until("message")
    pieces = [first, *more]
    assert again.end() is reply.Result.ANSWERED
    assert {event.name for event in pieces} == {"piece"}
    assert {event.data["answer"] for event in pieces}.isdisjoint({piece.data["answer"]})
    assert "On Sundays [1] at nine.".startswith("".join(event.data["text"] for event in pieces))
    assert (message.data["role"], "On Sundays [1] at nine" in message.data["text"]) == ("bot", True)


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
    answering.hear(2)

    assert model.left.wait(WITHIN_S)
    assert answering.end() is reply.Result.CANCELLED


def test_a_person_who_takes_over_by_http_ends_the_generation_by_the_hint_of_that_request(
    station: Station, model: SlowModel, gateway: RunningGateway, redis_url: str
) -> None:
    telegram = make_bot(station.inbox.server.admin_url)
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        key = onboarding.new_agent(conn, telegram.company_id, "Ann")
    station.learn(telegram)
    station.receive(telegram, "When does the shop open?")
    answering = Answering(station, redis_url)
    assert model.asked.acquire(timeout=WITHIN_S)

    path = f"/api/v1/conversations/{station.conversation()}/take-over"
    taken = gateway.request("POST", path, headers={"authorization": f"Bearer {key}"}, content=b"")

    assert taken.status_code == 200
    answering.hear()
    assert model.left.wait(WITHIN_S)
    assert answering.end() is reply.Result.CANCELLED


def test_a_hint_alone_takes_no_lease(station: Station, redis_url: str) -> None:
    """The table is the truth: a hint that is wrong costs a look."""
    bot = make_bot(station.inbox.server.admin_url)
    station.receive(bot, "hello")
    with station.r.db.transaction() as conn:
        claim = claim_turn(conn, lease_s=3600)
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
