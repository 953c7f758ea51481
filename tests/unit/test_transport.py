"""httpx over aiohttp's connections, on real sockets, and beside httpcore: who sends decides by the errors."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import pytest

from shared.embedded.ports import choose_port
from shared.resilience import transport
from shared.resilience.transport import AiohttpTransport

T = TypeVar("T")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def run(coro: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coro, 20))


class Server:
    """Answers each request once `open` is set. connections: how many it has taken. waiting: requests now."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.connections = 0
        self.waiting = 0
        self.changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                async with self.changed:
                    self.waiting += 1
                    self.changed.notify_all()
                await self.open.wait()
                self.waiting -= 1
                writer.write(ANSWER)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client closed its connection
        finally:
            writer.close()

    async def wait_for(self, requests: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.waiting >= requests)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, str]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield server, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def _client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(mounts={"all://": transport}, trust_env=False, timeout=httpx.Timeout(10, pool=0.05))


def test_requests_one_after_the_other_share_one_connection() -> None:
    async def story() -> int:
        async with serving() as (server, url), _client(AiohttpTransport(8, 5.0)) as http:
            server.open.set()
            for _ in range(10):
                assert (await http.get(url)).text == "ok"
            return server.connections

    assert run(story()) == 1


def test_requests_together_get_a_connection_each_up_to_the_limit_and_the_next_one_is_refused_its_place() -> None:
    async def story() -> None:
        async with serving() as (server, url), _client(AiohttpTransport(8, 5.0)) as http:
            under_way = [asyncio.create_task(http.get(url)) for _ in range(8)]
            await server.wait_for(8)
            with pytest.raises(httpx.PoolTimeout):
                await http.get(url)
            server.open.set()
            assert [(await one).text for one in under_way] == ["ok"] * 8
            assert server.connections == 8

    run(story())


def test_a_request_that_is_cancelled_gives_its_place_back() -> None:
    async def story() -> None:
        async with serving() as (server, url), _client(AiohttpTransport(2, 5.0)) as http:
            for _ in range(5):
                waiting = server.waiting
                under_way = [asyncio.create_task(http.get(url)) for _ in range(2)]
                await server.wait_for(waiting + 2)
                for one in under_way:
                    one.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)
            server.open.set()
            assert (await http.get(url)).text == "ok"

    run(story())


def test_a_body_that_nobody_reads_to_its_end_gives_its_place_back() -> None:
    async def story() -> None:
        async with serving() as (server, url), _client(AiohttpTransport(1, 5.0)) as http:
            server.open.set()
            for _ in range(3):
                async with http.stream("GET", url) as response:
                    assert response.status_code == 200

    run(story())


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """A server that does with each connection what `talk` does, then closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    linger = struct.pack("ii", 1, 0)  # a reset instead of an end
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def _answer_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def _answer_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"what?\r\n\r\n")
    await writer.drain()


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client has left


BENEATH: dict[str, Callable[[], httpx.AsyncBaseTransport]] = {
    "httpcore": httpx.AsyncHTTPTransport,
    "aiohttp": lambda: AiohttpTransport(4, 5.0),
}


@pytest.fixture(params=BENEATH)
def beneath(request: pytest.FixtureRequest) -> Callable[[], httpx.AsyncBaseTransport]:
    return BENEATH[request.param]


@pytest.mark.parametrize(
    ("talk", "error"),
    [
        (_hang_up, httpx.RemoteProtocolError),
        (_reset, httpx.ReadError),
        (_answer_half, httpx.RemoteProtocolError),
        (_answer_nonsense, httpx.RemoteProtocolError),
        (_say_nothing, httpx.ReadTimeout),
    ],
)
def test_what_breaks_after_the_request_has_left_is_never_told_as_if_it_had_not(
    beneath: Callable[[], httpx.AsyncBaseTransport], talk: Talk, error: type[Exception]
) -> None:
    async def story() -> None:
        async with talking(talk) as url, httpx.AsyncClient(transport=beneath()) as http:
            with pytest.raises(error) as told:
                await http.post(url, content=b"{}", timeout=httpx.Timeout(5, read=0.1))
            assert not isinstance(told.value, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))

    run(story())


def test_a_port_where_nobody_listens_is_a_connect_error(beneath: Callable[[], httpx.AsyncBaseTransport]) -> None:
    async def story() -> None:
        async with httpx.AsyncClient(transport=beneath()) as http:
            with pytest.raises(httpx.ConnectError):
                await http.post(f"http://127.0.0.1:{choose_port(None)}", content=b"{}")

    run(story())


def test_an_address_that_is_none_of_http_leaves_nothing_sent(beneath: Callable[[], httpx.AsyncBaseTransport]) -> None:
    async def story() -> None:
        async with httpx.AsyncClient(transport=beneath()) as http:
            with pytest.raises(httpx.UnsupportedProtocol):
                await http.get("ftp://127.0.0.1/")

    run(story())


def test_a_post_whose_kept_connection_has_gone_is_not_sent_twice(
    beneath: Callable[[], httpx.AsyncBaseTransport],
) -> None:
    taken: list[bytes] = []

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"{}"))
        writer.write(ANSWER)
        await writer.drain()
        taken.append(await reader.readuntil(b"{}"))  # and is gone with the second one in its hands

    async def story() -> None:
        async with talking(answer_once) as url, httpx.AsyncClient(transport=beneath()) as http:
            assert (await http.post(url, content=b"{}")).text == "ok"
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post(url, content=b"{}")

    run(story())
    assert len(taken) == 2


def test_what_leaves_is_what_httpx_made(beneath: Callable[[], httpx.AsyncBaseTransport]) -> None:
    heads: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /away\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def story() -> httpx.Response:
        async with talking(note) as url, httpx.AsyncClient(transport=beneath()) as http:
            return await http.post(f"{url}/a%2Fb?q=1%20x", content=b"{}", headers={b"X-Thing": "é".encode()})

    answered = run(story())
    lines = heads[0].lower().split(b"\r\n")
    assert lines[0] == b"post /a%2fb?q=1%20x http/1.1"
    assert b"content-length: 2" in lines
    assert "x-thing: é".encode() in lines
    names = [line.split(b":")[0] for line in lines[1:] if line]
    assert sorted(set(names)) == sorted(names)  # each once
    assert answered.status_code == 302
    assert answered.headers["set-cookie"] == "a=b"


def test_where_the_environment_names_a_proxy_it_is_left_to_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert transport.mounts(10, 5.0) is not None

    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    assert transport.mounts(10, 5.0) is None
