"""A gateway on an event loop of its own, driven through ASGI: the real app, its real lifespan, no sockets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import psycopg
import structlog
from psycopg import sql

from gateway.main import Gateway
from shared.embedded import Database as Server
from shared.resilience.loop import Loop
from shared.settings import Settings
from tests import api_description
from tests.factories import Bot
from tests.services import Services

T = TypeVar("T")
Message = MutableMapping[str, Any]

ANSWER_WITHIN_S = 30.0
SECRET_HEADER = "x-telegram-bot-api-secret-token"


class RunningGateway:
    """`Gateway` between its lifespan's startup and shutdown."""

    def __init__(self, settings: Settings) -> None:
        self.app = Gateway(lambda: settings)
        self._loop = Loop("gateway under test")
        self._to_app: asyncio.Queue[Message] | None = None
        self._from_app: asyncio.Queue[Message] | None = None
        self._lifespan: asyncio.Task[None] | None = None
        self._http: httpx.AsyncClient | None = None

    def run(self, work: Coroutine[Any, Any, T], within_s: float = ANSWER_WITHIN_S) -> T:
        return self._loop.run(work, timeout_s=within_s)

    def start(self) -> None:
        self._loop.start()
        with logging_as_it_was():
            self.run(self._start())

    async def _start(self) -> None:
        self._to_app, self._from_app = asyncio.Queue(), asyncio.Queue()
        run = self.app({"type": "lifespan", "asgi": {"version": "3.0"}}, self._to_app.get, self._from_app.put)
        self._lifespan = asyncio.ensure_future(run)
        await self._to_app.put({"type": "lifespan.startup"})
        said = await self._from_app.get()
        assert said["type"] == "lifespan.startup.complete", said
        transport = httpx.ASGITransport(self.app)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=None)

    def stop(self) -> None:
        self.run(self._stop())
        self._loop.stop()

    async def _stop(self) -> None:
        assert self._to_app is not None
        assert self._lifespan is not None
        assert self._http is not None
        await self._http.aclose()
        await self._to_app.put({"type": "lifespan.shutdown"})
        await self._lifespan

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        assert self._http is not None
        answer = await self._http.request(method, path, **options)
        api_description.check(answer.request, answer)
        return answer

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.run(self.ask(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def together(self, asks: Sequence[Coroutine[Any, Any, httpx.Response]]) -> list[httpx.Response]:
        """All at once; the answers in the order of the questions."""

        async def gather() -> list[httpx.Response]:
            return list(await asyncio.gather(*asks))

        return self.run(gather(), within_s=60)

    def post(self, bot: Bot, body: Any, **options: Any) -> httpx.Response:
        """A webhook of this bot, signed unless `headers` says otherwise. body: JSON, or bytes as they are."""
        return self.run(self.webhook(bot, body, **options))

    async def webhook(self, bot: Bot, body: Any, *, path: str | None = None, **options: Any) -> httpx.Response:
        headers = {SECRET_HEADER: bot.secret, "content-type": "application/json"}
        content = body if isinstance(body, bytes) or hasattr(body, "__aiter__") else json.dumps(body).encode()
        path = path or f"/webhooks/telegram/{bot.slug}"
        return await self.ask("POST", path, **{"content": content, "headers": headers, **options})

    def raw(self, bot: Bot, messages: Sequence[Message], headers: Sequence[tuple[bytes, bytes]] = ()) -> list[Message]:
        """Speak ASGI itself: what the app sends when it is given these messages."""
        sent: list[Message] = []
        waiting = iter(messages)

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return next(waiting)

        scope = {
            "type": "http", "method": "POST", "path": f"/webhooks/telegram/{bot.slug}",
            "headers": [(SECRET_HEADER.encode(), bot.secret.encode()), *headers],
        }  # fmt: skip
        self.run(_consume(self.app(scope, receive, send)))
        return sent


async def _consume(work: Awaitable[None]) -> None:
    await work


@contextmanager
def running_gateway(settings: Settings) -> Iterator[RunningGateway]:
    gateway = RunningGateway(settings)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """The gateway sets up its process' logging; this process is the test run's."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**configured)


async def pieces(body: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """A body that is sent in chunks, its length untold."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


@contextmanager
def cut_off(services: Services, server: Server) -> Iterator[Callable[[], None]]:
    """This database lets nobody in, as one that is down; the yielded function opens it again."""
    name = sql.Identifier(server.name)
    with psycopg.connect(services.postgres.superuser_url, autocommit=True) as conn:

        def open_again() -> None:
            conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))

        conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (server.name,))
        try:
            yield open_again
        finally:
            open_again()
