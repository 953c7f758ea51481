"""HTTP/1.1 by hand, so that a connection can be closed, hung or dripped at any byte."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

MAX_BODY_BYTES = 16 * 1024 * 1024
BACKLOG = 1024

Headers = Iterable[tuple[str, str]]


class Gone(Exception):
    """Nobody is there to answer to: the client left, or we dropped the connection on purpose."""


@dataclass(frozen=True, slots=True)
class Request:
    """headers: names in lower case. query: the last value of each name."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Exchange:
    """One request and the way back.

    dropped: we closed the connection ourselves. drip: (bytes, seconds), the body leaves in pieces of so many
    bytes with so long after each. cut_after_bytes: the connection is closed once so much body has left, or where
    it stalls says nothing more.
    Every method that waits or writes raises Gone when the client has left.
    """

    def __init__(self, connection: Connection, request: Request) -> None:
        self.request = request
        self.dropped = False
        self.drip: tuple[int, float] | None = None
        self.cut_after_bytes: int | None = None
        self.stalls = False
        self._connection = connection
        self._body_bytes = 0

    async def sleep(self, seconds: float | None) -> None:
        """Wait so long, None for ever; let others run in any case."""
        await self._connection.nap(seconds)

    async def answer(
        self, status: int, body: bytes, headers: Headers = (), content_type: str = "application/json"
    ) -> None:
        """The whole answer, of known length."""
        fields = [("content-type", content_type), ("content-length", str(len(body))), *headers]
        self._connection.send(h11.Response(status_code=status, headers=fields))
        if self.request.method != "HEAD":
            await self.write(body)
        self.end()

    def begin(self, status: int, headers: Headers = (), content_type: str = "text/event-stream") -> None:
        """The head of an answer of unknown length; `write` and `end` follow."""
        self._connection.send(h11.Response(status_code=status, headers=[("content-type", content_type), *headers]))

    async def write(self, body: bytes) -> None:
        if self.cut_after_bytes is not None and self._body_bytes + len(body) > self.cut_after_bytes:
            self._connection.send(h11.Data(data=body[: self.cut_after_bytes - self._body_bytes]))
            self._connection.flush()
            if self.stalls:
                await self.sleep(None)
            self.drop()
        self._body_bytes += len(body)
        size, pause_s = self.drip or (len(body) or 1, None)
        for start in range(0, len(body), size):
            self._connection.send(h11.Data(data=body[start : start + size]))
            if pause_s is not None:
                self._connection.flush()
                await self.sleep(pause_s)

    def flush(self) -> None:
        """Put on the wire what was written so far."""
        self._connection.flush()

    def end(self) -> None:
        self._connection.send(h11.EndOfMessage())
        self._connection.flush()

    def cut(self) -> None:
        """Close the connection as it stands; whoever waits in this exchange meets Gone."""
        self.dropped = True
        self._connection.close()

    def drop(self) -> NoReturn:
        """Close the connection as it stands. Raises Gone."""
        self.cut()
        raise Gone


App = Callable[[Exchange], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One client's connection: requests one after the other, each in a task of its own."""

    def __init__(self, app: App, connections: set[Connection]) -> None:
        self._app = app
        self._connections = connections
        self._h11 = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._out: list[bytes] = []
        self._gone = False
        self._nap: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._h11.receive_data(data)
            self._advance()
        except h11.RemoteProtocolError:
            self.close()  # no HTTP: nobody to answer politely

    def eof_received(self) -> bool:
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._leave()

    def _leave(self) -> None:
        self._gone = True
        if self._nap is not None and not self._nap.done():
            self._nap.set_exception(Gone())

    def _advance(self) -> None:
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Request):
                self._head, self._body = event, bytearray()
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY_BYTES:
                    return self.close()
            elif isinstance(event, h11.EndOfMessage):
                self._task = asyncio.get_running_loop().create_task(self._serve(self._request()))
                return None
            else:
                if event is h11.NEED_DATA and self._h11.they_are_waiting_for_100_continue:
                    self.send(h11.InformationalResponse(status_code=100, headers=[]))
                    self.flush()
                return None

    def _request(self) -> Request:
        head = self._head
        assert head is not None
        url = urlsplit(head.target.decode("latin-1"))
        return Request(
            method=head.method.decode("latin-1"),
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers},
            body=bytes(self._body),
        )

    async def _serve(self, request: Request) -> None:
        try:
            await self._app(Exchange(self, request))
        except Gone:
            return
        except Exception:  # noqa: BLE001 - a defect here: the client sees a closed connection, stderr sees why
            traceback.print_exc(file=sys.stderr)
            self.close()
            return
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            try:
                self._advance()
            except h11.RemoteProtocolError:
                self.close()
        else:
            self._transport.close()

    async def nap(self, seconds: float | None) -> None:
        if self._gone:
            raise Gone
        if seconds is not None and seconds <= 0:
            return await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        nap = self._nap = loop.create_future()
        alarm = loop.call_later(seconds, _wake, nap) if seconds is not None else None
        try:
            await nap
        finally:
            self._nap = None
            if alarm is not None:
                alarm.cancel()

    def send(self, event: h11.Response | h11.InformationalResponse | h11.Data | h11.EndOfMessage) -> None:
        if self._gone:
            raise Gone
        self._out.append(self._h11.send(event) or b"")

    def flush(self) -> None:
        self._transport.write(b"".join(self._out))
        self._out.clear()

    def close(self) -> None:
        """Close at once; what was flushed has reached the kernel unless the client reads too slowly."""
        self._leave()
        self._transport.abort()

    def end(self) -> None:
        """For the end of the process: no task outlives its connection."""
        if self._task is not None:
            self._task.cancel()
        self.close()


def _wake(nap: asyncio.Future[None]) -> None:
    if not nap.done():
        nap.set_result(None)


class Listener:
    """An app at a port of this machine. port: where it listens, also when 0 was asked for."""

    def __init__(self, server: asyncio.Server, connections: set[Connection]) -> None:
        self._server = server
        self._connections = connections
        self.port: int = server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Close everything now, answered or not."""
        self._server.close()
        for connection in list(self._connections):
            connection.end()


async def listen(app: App, host: str, port: int) -> Listener:
    """Raises OSError when the address cannot be had."""
    connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(app, connections), host, port, backlog=BACKLOG)
    return Listener(server, connections)
