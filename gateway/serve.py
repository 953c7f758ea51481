"""`python -m gateway.serve`: the gateway on its HTTP server, uvicorn, with bounds that uvicorn itself has not.

docs/decisions/0005-which-asgi-server.md says why this server.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import threading
from collections import Counter
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.http.limits import normal_address
from shared import settings, startup
from shared.embedded.ports import check_port

HEAD_MAX_BYTES = 64 * 1024
"""Of a head, and of whatever else comes between two pieces of a body or after it: chunk sizes, trailers, empty lines.
The read that goes beyond it is parsed before it is counted, and is 256 KB at most."""
PIPELINED_MAX = 64
"""Requests of one connection that may wait while one before them is answered. Each takes some kilobytes, so what one
read can bring of them must not all be kept."""
REQUEST_WITHIN_S = 30.0
"""From a connection's beginning, or a request's first byte, until the request is whole."""
KEEP_ALIVE_S = 75.0
"""Longer than proxies keep theirs, so that none sends a request into a connection that we are closing."""
STOP_WITHIN_S = 5
"""How long a SIGTERM waits for requests that are under way."""
DISCARD_MAX_BYTES = 8 * 1024 * 1024
"""What is read and thrown away of a body whose request was answered already; then the connection is closed. Closing at
once would reset it, and the client might never see the answer."""
FILES_SPARE = 200
"""Of the process' open files, for everything that is not a client's connection."""
GONE_WITHIN_S = 12.0
"""Then the process ends, whatever hangs: a thread that waits for a database cannot be cancelled."""


class Connections:
    """How many connections a process and one address may have open. Behind our own proxies
    only the first is limited."""

    def __init__(self, most: int, most_of_address: int | None) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = most if files == resource.RLIM_INFINITY else max(1, min(most, files - FILES_SPARE))
        self.most_of_address = most_of_address
        self.total = 0
        self._of_address: Counter[str] = Counter()

    def open(self, address: str) -> bool:
        """Return whether there is room for a connection, which then counts until it is closed."""
        if self.total >= self.most:
            return False
        if self.most_of_address is not None and self._of_address[address] >= self.most_of_address:
            return False
        self.total += 1
        self._of_address[address] += 1
        return True

    def close(self, address: str) -> None:
        self.total -= 1
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]


class Config(uvicorn.Config):
    connections: Connections | None = None


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 with bounds on connections, on a request's head, on how long it may take to arrive and on how many wait
    their turn. Every byte is counted: the body's by the app, those of a body that nobody reads as discarded, and all
    others here."""

    _address: str | None = None
    _discarded = 0

    _since_counted = 0
    """Bytes since a head was complete or a piece of a body came."""
    _in_head = True
    _arriving = True
    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connections = self.config.connections if isinstance(self.config, Config) else None
        if connections is not None:
            address = normal_address(self.client[0] if self.client else "")
            if not connections.open(address):
                self._refuse(503, b"retry-after: 5\r\n")
                return
            self._address = address
        self._watch(REQUEST_WITHIN_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        if self._address is not None and isinstance(self.config, Config) and self.config.connections is not None:
            self.config.connections.close(self._address)
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._since_counted += len(data)
        super().data_received(data)
        answered = self.cycle is not None and self.cycle.response_complete
        if self._arriving and not self._in_head and answered:
            self._discard(len(data))
        if self._since_counted > HEAD_MAX_BYTES:
            self._refuse(431)
        elif self._too_late is None and self._arriving:
            self._watch(REQUEST_WITHIN_S)  # what comes in one piece, as most requests do, needs no timer
        elif self._too_late is None and answered:
            self._watch(KEEP_ALIVE_S)  # no request has begun, but uvicorn has ended its own timer over these bytes

    def on_message_begin(self) -> None:
        if self.transport.is_closing():
            raise ConnectionAbortedError  # ends the parsing of what was read in the same piece
        self._unwatch()
        self._in_head = self._arriving = True
        self._discarded = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # or it is a trailer, which must not be taken for a header: a proxy may not have looked at it
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._since_counted = False, 0
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED_MAX:
            self._refuse(503)

    def on_body(self, body: bytes) -> None:
        self._since_counted = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._arriving = False
        self._unwatch()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
        else:
            self.transport.close()  # a second answer in the middle of the first would be taken for a part of it

    def _watch(self, within_s: float) -> None:
        self._too_late = self.loop.call_later(within_s, self._refuse, 408)

    def _unwatch(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > DISCARD_MAX_BYTES:
            self._unwatch()
            self.transport.close()

    def _refuse(self, status: int, headers: bytes = b"") -> None:
        self._unwatch()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # or an answer is on its way already
            self.transport.write(STATUS_LINE[status] + headers + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


class Server(uvicorn.Server):
    """Ends for certain once it was told to."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        timer = threading.Timer(GONE_WITHIN_S, os._exit, (1,))
        timer.daemon = True
        timer.start()


def make_server(app: Any, host: str, port: int, connections: Connections | None = None) -> Server:
    config = Config(
            app, host=host, port=port, loop="uvloop", http=BoundedHttp, ws="none", lifespan="on",
            log_config=None, access_log=False,  # our own lines, in the form of the others
            proxy_headers=False,  # whom to believe an X-Forwarded-For is GATEWAY_FORWARDED_HOPS' affair
            server_header=False, timeout_keep_alive=int(KEEP_ALIVE_S), timeout_graceful_shutdown=STOP_WITHIN_S,
    )  # fmt: skip
    config.connections = connections
    return Server(config)


def main() -> None:
    with startup.settings_in_words():
        config = settings.load()
        check_port("GATEWAY_PORT", config.gateway.port, config.gateway.host, host_variable="GATEWAY_HOST")
    # behind proxies every connection is theirs
    of_address = None if config.gateway.forwarded_hops else config.gateway.connections_address_max
    connections = Connections(config.gateway.connections_max, of_address)
    serve("gateway.main:app", config.gateway.host, config.gateway.port, connections)


def serve(app: Any, host: str, port: int, connections: Connections | None = None) -> None:
    """Run until SIGTERM or SIGINT and end the process: 0, or 1 where it could not start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # uvicorn's stand over these while it runs, and raise the signal again after it
    server = make_server(app, host, port, connections)
    try:
        with startup.imports():
            server.config.load()
        server.run()
    except SystemExit:
        pass  # whatever it says: what this process ends with is said below
    sys.stderr.flush()
    # not sys.exit: it waits for threads, and one of them may wait for a database that hangs
    os._exit(0 if server.started else 1)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit


if __name__ == "__main__":
    main()
