"""Requests spread over small connection pools, against a server on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import pytest

from shared.resilience import pools
from shared.resilience.pools import SpreadTransport

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
        async with serving() as (server, url), _client(SpreadTransport(8, 5.0, pools=4)) as http:
            server.open.set()
            for _ in range(10):
                assert (await http.get(url)).text == "ok"
            return server.connections

    assert run(story()) == 1


def test_requests_together_get_a_connection_each_up_to_the_limit_and_the_next_one_is_refused_its_place() -> None:
    async def story() -> None:
        async with serving() as (server, url), _client(SpreadTransport(8, 5.0, pools=4)) as http:
            under_way = [asyncio.create_task(http.get(url)) for _ in range(8)]
            await server.wait_for(8)
            with pytest.raises(httpx.PoolTimeout):
                await http.get(url)
            server.open.set()
            assert [(await one).text for one in under_way] == ["ok"] * 8
            assert server.connections == 8

    run(story())


def test_a_request_that_is_called_off_gives_its_place_back() -> None:
    async def story() -> None:
        async with serving() as (server, url), _client(SpreadTransport(2, 5.0, pools=2)) as http:
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
        async with serving() as (server, url), _client(SpreadTransport(1, 5.0, pools=1)) as http:
            server.open.set()
            for _ in range(3):
                async with http.stream("GET", url) as response:
                    assert response.status_code == 200

    run(story())


def test_where_the_environment_names_a_proxy_it_is_left_to_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert pools.mounts(10, 5.0) is not None

    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    assert pools.mounts(10, 5.0) is None
