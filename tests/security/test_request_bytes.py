"""Every byte that a connection sends is counted against a bound until its request is complete."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest

from gateway import serve
from shared.embedded.ports import choose_port
from tests.integration.test_gateway_server import _listens, _until_closed
from workers.sandbox.waiting import wait_until

MB = 1024 * 1024
KEPT_ALIVE_S = 1.0
WITHIN_S = 10
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"

Connect = Callable[[], socket.socket]


async def _app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Answers with the names of the request's headers, once its body is whole; /early before that."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while scope["path"] != "/early" and (message := await receive()).get("more_body", False):
        pass
    if scope["path"] != "/early" and message["type"] == "http.disconnect":
        return
    names = b",".join(name for name, _ in scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(names))]})
    await send({"type": "http.response.body", "body": names})


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    port = choose_port(None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(serve, "KEEP_ALIVE_S", KEPT_ALIVE_S)
        running = serve.make_server(_app, "127.0.0.1", port)
        thread = threading.Thread(target=running.run)
        thread.start()

        def connect() -> socket.socket:
            return socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)

        wait_until(lambda: _listens(connect), "somebody listens", 20)
        yield connect
        running.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def _answers(connection: socket.socket, sent: bytes) -> bytes:
    """What comes for it until the server hangs up."""
    try:
        connection.sendall(sent)
        return _until_closed(connection)
    except (ConnectionResetError, BrokenPipeError):
        return b""  # hung up on while still sending


ENDLESS = {
    "trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * (MB // 6) + b"\r\n",
    "trailers without a body": CHUNKED + b"0\r\n" + b"a: b\r\n" * (MB // 6) + b"\r\n",
    "a long trailer": CHUNKED + b"2\r\n{}\r\n0\r\na: " + b"x" * MB + b"\r\n\r\n",
    "a trailer's long name": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"x" * MB + b": a\r\n\r\n",
    "a chunk's extension": CHUNKED + b"2;" + b"x" * MB + b"\r\n{}\r\n0\r\n\r\n",
    "the last chunk's extension": CHUNKED + b"2\r\n{}\r\n0;" + b"x" * MB + b"\r\n\r\n",
    "a chunk's size": CHUNKED + b"0" * MB + b"2\r\n{}\r\n0\r\n\r\n",
    "empty lines before a request": b"\r\n" * (MB // 2) + WHOLE,
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_is_neither_head_nor_body_has_a_bound(connect: Connect, what: str) -> None:
    assert b"HTTP/1.1 200" not in _answers(connect(), ENDLESS[what])


def test_empty_lines_between_requests_have_a_bound(connect: Connect) -> None:
    connection = connect()
    connection.sendall(WHOLE)
    assert connection.recv(4096)[9:12] == b"200"
    assert b"HTTP/1.1 200" not in _answers(connection, ENDLESS["empty lines before a request"])


def test_a_body_of_many_small_chunks_is_read_and_trailers_within_the_bound_are_thrown_away(connect: Connect) -> None:
    with connect() as connection:
        connection.sendall(CHUNKED + b"1\r\nx\r\n" * 100_000 + b"0\r\nx-forwarded-for: 203.0.113.7\r\n\r\n")
        answer = connection.recv(4096)
    assert answer[9:12] == b"200"
    assert answer.endswith(b"host,transfer-encoding")


def test_requests_that_wait_their_turn_have_a_bound(connect: Connect) -> None:
    few = _answers(connect(), WHOLE * 20 + WHOLE.replace(b"host", b"connection: close\r\nhost"))
    assert few.count(b"HTTP/1.1 200") == 21

    many = _answers(connect(), WHOLE * 4_000 + WHOLE.replace(b"host", b"connection: close\r\nhost"))
    assert many.count(b"HTTP/1.1 200") <= serve.PIPELINED_MAX + 1


@pytest.mark.parametrize("rest", [b"\r\n", b"{}"], ids=["an empty line", "the rest of a body"])
def test_bytes_that_begin_no_request_do_not_keep_a_connection_open(connect: Connect, rest: bytes) -> None:
    head = b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
    connection = connect()
    connection.sendall(head if rest == b"{}" else WHOLE)
    assert connection.recv(4096)[9:12] == b"200"
    connection.sendall(rest)
    assert b"HTTP/1.1 200" not in _until_closed(connection)


@pytest.mark.parametrize("name", ["h2c", "websocket", "made-up"])
def test_an_upgrade_is_not_a_way_past_the_bounds(connect: Connect, name: str) -> None:
    upgrade = f"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: {name}\r\n\r\n".encode()
    connection = connect()
    connection.sendall(upgrade)
    assert connection.recv(4096)[9:12] == b"200"
    assert b"HTTP/1.1 200" not in _answers(connection, b"\x00" * MB)


def test_a_mistake_behind_a_request_does_not_break_into_its_answer(connect: Connect) -> None:
    answers = _answers(connect(), WHOLE + b"\x00\x00 no request \r\n\r\n")
    assert b"HTTP/1.1 400" not in answers
