"""The gateway's HTTP server: what it does not take, whom it does not wait for, and that it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest

from gateway import serve
from shared.embedded.ports import choose_port
from shared.settings import PROJECT_ROOT, child_environment
from workers.sandbox.waiting import wait_until

WITHIN_S = 1.0
SLOW_S = 1.2

Connect = Callable[[], socket.socket]


async def _app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (message := await receive()).get("more_body", False):
        pass
    if message["type"] == "http.disconnect":
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def server() -> Iterator[Connect]:
    port = choose_port(None)
    before, serve.REQUEST_WITHIN_S = serve.REQUEST_WITHIN_S, WITHIN_S
    running = serve.make_server(_app, "127.0.0.1", port)
    thread = threading.Thread(target=running.run)
    thread.start()

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout=20)

    wait_until(lambda: _listens(connect), "somebody listens", 20)
    yield connect
    running.should_exit = True
    thread.join(20)
    serve.REQUEST_WITHIN_S = before
    assert not thread.is_alive()


def _listens(connect: Connect) -> bool:
    try:
        connect().close()
    except OSError:
        return False
    return True


def _until_closed(connection: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    with connection:
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


def _status(connection: socket.socket) -> bytes:
    return connection.recv(65536)[9:12]


def test_a_request_that_does_not_arrive_is_not_waited_for(server: Connect) -> None:
    nothing, half_a_head, half_a_body = server(), server(), server()
    half_a_head.sendall(b"POST / HTTP/1.1\r\nhost: x")
    half_a_body.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")

    assert _until_closed(nothing)[:12] == b"HTTP/1.1 408"
    assert _until_closed(half_a_head)[:12] == b"HTTP/1.1 408"
    assert _until_closed(half_a_body) == b""


def test_an_answer_may_take_longer_and_the_connection_goes_on(server: Connect) -> None:
    with server() as connection:
        for path in ("slow", ""):
            connection.sendall(f"POST /{path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}".encode())
            assert _status(connection) == b"200"


def test_a_request_in_pieces_is_put_together(server: Connect) -> None:
    with server() as connection:
        for piece in (b"POST / HTTP/1.1\r\nho", b"st: x\r\ncontent-le", b"ngth: 4\r\n\r\nab", b"cd"):
            connection.sendall(piece)
            time.sleep(0.01)  # or they would arrive as one
        assert _status(connection) == b"200"


@pytest.mark.parametrize("size", [100_000, 5_000_000])
def test_a_head_has_a_bound(server: Connect, size: int) -> None:
    connection = server()
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * size)
    except OSError:
        pass  # hung up on while still sending

    try:
        assert _until_closed(connection)[:12] == b"HTTP/1.1 431"
    except ConnectionResetError:
        assert size > 1_000_000  # so much was on its way that the answer may be lost


def test_the_bound_is_of_one_head_and_not_of_what_a_connection_brings(server: Connect) -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 40_000 + b"\r\ncontent-length: 300000\r\n\r\n"
    with server() as connection:
        for _ in range(3):
            connection.sendall(head + b"b" * 300_000)
            assert _status(connection) == b"200"


BLOCKING = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import asyncio
from gateway import serve
threads = ThreadPoolExecutor(1)
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    print("blocked", flush=True)
    await asyncio.get_running_loop().run_in_executor(threads, time.sleep, 60)
serve.STOP_WITHIN_S = 0.2
serve.serve(app, "127.0.0.1", int(sys.argv[1]))
"""


def test_a_sigterm_ends_it_also_while_a_thread_is_blocked() -> None:
    port = choose_port(None)

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout=20)

    process = subprocess.Popen(
        [sys.executable, "-P", "-c", BLOCKING, str(port)], cwd=PROJECT_ROOT, env=child_environment({}),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: _listens(connect), "somebody listens", 20)
        with connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert process.stdout is not None
            assert process.stdout.readline() == b"blocked\n"
            process.send_signal(signal.SIGTERM)

            assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
