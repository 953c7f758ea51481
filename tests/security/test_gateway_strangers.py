"""What somebody without any secret can take of a gateway: guesses, bodies, streams, connections, memory."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.http import bodies
from gateway.http.bodies import Bodies
from gateway.http.failures import ADDRESSES_MAX, Failures
from gateway.http.refused import Refused
from gateway.http.streams import Streams, TooMany
from gateway.serve import Connections
from shared.clock import SystemClock
from shared.embedded import Database
from shared.live.topics import Chat
from shared.settings import PerMinute
from tasks.tenants import onboarding
from tests.factories import Bot, make_bot, settings_for, update
from tests.integration.gateway_client import SECRET_HEADER, RunningGateway, running_gateway
from tests.integration.test_gateway_process import _gateway_process

MB = 1024 * 1024
CONNECTIONS = 100
GROWTH_MAX = 90 * MB
"""Of 100 connections with 4 MB each; before, they took 380 MB and more."""


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url, OPS_TOKEN="right")) as running:
        yield running


def _key(database: Database, bot: Bot) -> str:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        return onboarding.new_agent(conn, bot.company_id, "agent")


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_wrong_keys_are_limited_by_address_and_a_right_one_behind_it_passes(
    gateway: RunningGateway, database: Database, bot: Bot
) -> None:
    key = _key(database, bot)
    assert gateway.get("/api/v1/conversations", headers=_bearer(key)).status_code == 200

    guesses = gateway.together(
        [gateway.ask("GET", "/api/v1/conversations", headers=_bearer(f"sbk_{n}")) for n in range(200)]
    )

    refused = [answer for answer in guesses if answer.status_code == 429]
    assert {answer.status_code for answer in guesses} == {401, 429}
    assert len(guesses) - len(refused) <= 40
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert gateway.get("/api/v1/conversations", headers=_bearer(key)).status_code == 200


def test_wrong_operators_tokens_are_limited_and_the_right_one_passes(gateway: RunningGateway) -> None:
    statuses = {gateway.get("/health", headers=_bearer(f"guess {n}")).status_code for n in range(60)}
    assert statuses == {401, 429}
    assert gateway.get("/health", headers=_bearer("right")).status_code == 200


def test_unknown_apps_are_limited_by_address_and_known_ones_pass(gateway: RunningGateway, bot: Bot) -> None:
    assert gateway.post(bot, update("before")).status_code == 200

    answers = gateway.together(
        [gateway.webhook(bot, {}, path=f"/webhooks/telegram/made-up-{n}") for n in range(300)]
        + [gateway.ask("POST", f"/widget/made-up-{n}/sessions") for n in range(20)]
    )

    assert {answer.status_code for answer in answers} == {404, 429}
    assert sum(answer.status_code == 404 for answer in answers) <= 120
    assert gateway.post(bot, update("after")).status_code == 200


def test_strangers_look_ups_do_not_take_the_threads_of_known_callers(
    gateway: RunningGateway, database: Database, bot: Bot
) -> None:
    key = _key(database, bot)
    assert gateway.get("/api/v1/conversations", headers=_bearer(key)).status_code == 200
    edge = gateway.app._pages.state.edge

    async def ask_while_strangers_wait() -> int:
        free = asyncio.Event()
        loop = asyncio.get_running_loop()
        held = loop.create_task(
            edge.strangers.look_up(lambda: asyncio.run_coroutine_threadsafe(free.wait(), loop).result(20))
        )
        guesses = [
            loop.create_task(gateway.ask("GET", "/api/v1/conversations", headers=_bearer(f"sbk_{n}"))) for n in range(9)
        ]
        answer = await gateway.ask("GET", "/api/v1/conversations", headers=_bearer(key))
        assert not any(guess.done() for guess in guesses)
        free.set()
        await asyncio.gather(held, *guesses)
        return answer.status_code

    assert gateway.run(ask_while_strangers_wait()) == 200


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    failures = Failures(PerMinute(count=60, burst=30), SystemClock())
    for number in range(ADDRESSES_MAX + 100):
        failures.take(str(number))
    assert len(failures._idle_at_s) == ADDRESSES_MAX


@pytest.mark.parametrize(("path", "status"), [("/webhooks/telegram/nobody", 404), ("/webhooks/telegram/{slug}", 401)])
def test_a_body_is_not_read_before_the_app_is_found_and_its_secret_fits(
    gateway: RunningGateway, bot: Bot, path: str, status: int
) -> None:
    sent = gateway.run(_speak(gateway, path.format(slug=bot.slug), _must_not_be_read))
    assert sent[0]["status"] == status


@pytest.mark.parametrize(
    "path",
    ["/api/v1/documents?name=a.txt", "/api/v1/sites", "/api/v1/search", "/api/v1/conversations/1/messages",
     "/api/v1/operations/dead-letters/redrive", "/widget/nobody/messages"],
)  # fmt: skip
def test_a_body_is_not_read_before_its_sender_is_known(gateway: RunningGateway, path: str) -> None:
    sent = gateway.run(_speak(gateway, path, _must_not_be_read))
    assert sent[0]["status"] in (401, 404)


async def _must_not_be_read() -> MutableMapping[str, Any]:
    raise AssertionError("the body was read")


async def _speak(
    gateway: RunningGateway, path: str, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]
) -> list[MutableMapping[str, Any]]:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(b"authorization", b"Bearer sbk_wrong")], "client": ("203.0.113.7", 1), "root_path": "",
    }  # fmt: skip
    await gateway.app(scope, receive, send)
    return sent


def test_bytes_under_way_have_a_budget_for_the_process_and_for_an_address() -> None:
    budget = Bodies(most=18 * MB, most_of_address=10 * MB)

    async def arrive() -> None:
        slow = [asyncio.Event() for _ in range(4)]
        reading = [asyncio.create_task(_read(budget, "a", event)) for event in slow[:2]]
        await asyncio.sleep(0)
        with pytest.raises(Refused) as refused:  # two of 4 MB wait for their last piece
            await _read(budget, "a", slow[2])
        assert (refused.value.status, refused.value.headers["retry-after"]) == (503, "2")
        other = asyncio.create_task(_read(budget, "b", slow[2]))
        another = asyncio.create_task(_read(budget, "b", slow[3]))
        await asyncio.sleep(0)
        with pytest.raises(Refused):
            await _read(budget, "c", slow[0])
        for event in slow:
            event.set()
        assert {len(body) for body in await asyncio.gather(*reading, other, another)} == {4 * MB + 1}

    asyncio.run(arrive())
    assert (budget.total, len(budget._of_address)) == (0, 0)


async def _read(budget: Bodies, address: str, last: asyncio.Event) -> bytes:
    pieces = iter([(b"x" * 4 * MB, True), (b"x", False)])

    async def receive() -> MutableMapping[str, Any]:
        body, more = next(pieces)
        if not more:
            await last.wait()
        return {"type": "http.request", "body": body, "more_body": more}

    body = budget.open(lambda: address, known=True)
    try:
        return await body.read(receive, 25 * MB)
    finally:
        body.close()


def test_a_body_that_drips_ends_after_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "STRANGERS_WITHIN_S", 0.2)
    budget = Bodies(most=20 * MB, most_of_address=10 * MB)

    async def drip() -> MutableMapping[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def arrive() -> None:
        with pytest.raises(Refused) as refused:
            await asyncio.wait_for(budget.open(lambda: "a", known=False).read(drip, MB), 20)
        assert refused.value.status == 408

    asyncio.run(arrive())


def test_event_streams_have_shares_for_an_address_and_for_a_company() -> None:
    streams = Streams(most=10, most_of_address=3, most_of_company=5)
    for number in range(3):
        streams.check(Chat(1, 1, str(number)), "a")
        streams.add(Chat(1, 1, str(number)), "a", 1)
    with pytest.raises(TooMany, match="this address") as of_address:
        streams.check(Chat(2, 2, "x"), "a")
    for number in range(2):
        streams.add(Chat(1, 1, f"b{number}"), "b", 1)
    with pytest.raises(TooMany, match="this company") as of_company:
        streams.check(Chat(1, 1, "y"), "c")
    streams.check(Chat(2, 2, "y"), "c")
    assert (of_address.value.own, of_company.value.own) == (True, False)

    for number in range(3):
        streams.add(Chat(1, 1, str(number)), "a", -1)
    streams.check(Chat(2, 2, "x"), "a")
    assert dict(streams.of_address) == {"b": 2}


def test_connections_have_a_bound_for_the_process_and_for_an_address() -> None:
    connections = Connections(most=3, most_of_address=2)
    assert [connections.open(address) for address in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    connections.close("a")
    assert connections.open("c")


@pytest.mark.parametrize("known", [False, True])
def test_a_hundred_connections_of_strangers_leave_the_memory_as_it_was(
    database: Database, redis_url: str, tmp_path: Path, bot: Bot, known: bool
) -> None:
    with _gateway_process(database, redis_url, tmp_path) as (process, address):
        assert _post(address, bot) == b"200"  # from now on the gateway knows this bot
        before = _resident(process.pid)
        slug = bot.slug if known else "nobody"
        head = f"POST /webhooks/telegram/{slug} HTTP/1.1\r\nhost: x\r\ncontent-length: {4 * MB}\r\n\r\n".encode()
        opened = [_half_sent(address, head) for _ in range(CONNECTIONS)]
        try:
            statuses = {connection.recv(4096)[9:12] for connection in opened}
            growth = _resident(process.pid) - before
        finally:
            for connection in opened:
                connection.close()

        assert statuses == {b"401" if known else b"404"}
        assert growth < GROWTH_MAX
        assert _post(address, bot) == b"200"


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _half_sent(address: str, head: bytes) -> socket.socket:
    """A connection that has sent all but the last byte of its body, so that the request stays under way."""
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(head + b"x" * (4 * MB - 1))
    return connection


def _post(address: str, bot: Bot) -> bytes:
    host, port = address.removeprefix("http://").split(":")
    body = json.dumps(update("hello")).encode()
    head = (
        f"POST /webhooks/telegram/{bot.slug} HTTP/1.1\r\nhost: x\r\n{SECRET_HEADER}: {bot.secret}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        return connection.recv(4096)[9:12]
