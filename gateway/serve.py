"""`python -m gateway.serve`: the gateway on its HTTP server, uvicorn, with bounds that uvicorn itself has not.

docs/decisions/0005-which-asgi-server.md says why this server.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared import settings, startup
from shared.embedded.ports import check_port

HEAD_MAX_BYTES = 64 * 1024
REQUEST_WITHIN_S = 30.0
"""From a connection's beginning, or a request's first byte, until the request is whole."""
KEEP_ALIVE_S = 75.0
"""Longer than proxies keep theirs, so that none sends a request into a connection that we are closing."""
STOP_WITHIN_S = 5
"""How long a SIGTERM waits for requests that are under way."""
GONE_WITHIN_S = 12.0
"""Then the process ends, whatever hangs: a thread that waits for a database cannot be called off."""


class BoundedHttp(HttpToolsProtocol):
    """HTTP/1.1 with bounds on a request's head and on how long it may take to arrive; the body's size is the app's."""

    _head_bytes = 0
    _in_head = True
    _arriving = True
    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_MAX_BYTES:
            self._refuse(431)
        elif self._arriving and self._too_late is None:
            self._watch()  # what comes in one piece, as most requests do, needs no timer

    def on_message_begin(self) -> None:
        self._in_head = self._arriving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._arriving = False
        self._unwatch()
        super().on_message_complete()

    def _watch(self) -> None:
        self._too_late = self.loop.call_later(REQUEST_WITHIN_S, self._refuse, 408)

    def _unwatch(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _refuse(self, status: int) -> None:
        self._unwatch()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # or an answer is on its way already
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


class Server(uvicorn.Server):
    """Ends for certain once it was told to."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        timer = threading.Timer(GONE_WITHIN_S, os._exit, (1,))
        timer.daemon = True
        timer.start()


def make_server(app: Any, host: str, port: int) -> Server:
    return Server(
        uvicorn.Config(
            app, host=host, port=port, loop="uvloop", http=BoundedHttp, ws="none", lifespan="on",
            log_config=None, access_log=False,  # our own lines, in the form of the others
            proxy_headers=False,  # whom to believe an X-Forwarded-For is GATEWAY_FORWARDED_HOPS' affair
            server_header=False, timeout_keep_alive=int(KEEP_ALIVE_S), timeout_graceful_shutdown=STOP_WITHIN_S,
        )
    )  # fmt: skip


def main() -> None:
    with startup.settings_in_words():
        config = settings.load()
        check_port("GATEWAY_PORT", config.gateway_port, config.gateway_host, host_variable="GATEWAY_HOST")
    serve("gateway.main:app", config.gateway_host, config.gateway_port)


def serve(app: Any, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT and end the process: 0, or 1 where it could not start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # uvicorn's stand over these while it runs, and raise the signal again after it
    server = make_server(app, host, port)
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
