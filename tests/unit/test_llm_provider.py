"""The provider against a real socket (cancelling, dripping, cutting) and against given answers (meanings)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import pytest

from shared.clock import FixedClock
from shared.errors import ModelUnavailable, Permanent, SettingsError
from shared.llm import provider as module
from shared.llm.api import CallFailed, http_client
from shared.llm.provider import Provider
from shared.model import Completion

T = TypeVar("T")
KEY = "sk-very-secret"
PROMPT = "the customer's own words"
MESSAGES = [{"role": "user", "content": PROMPT}]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(content: str = "", finish: str | None = None, **more: Any) -> bytes:
    body = {"model": "m-1", "choices": [{"delta": {"content": content}, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = event("Thirty ") + event("days [1].", "stop") + USAGE + DONE


def run(coro: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coro, 20))


def make(http: httpx.AsyncClient, url: str = "http://model.test/v1", key: str = KEY) -> Provider:
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    return Provider(http, name="p", base_url=url, api_key=key, model="m", max_tokens=50, clock=clock)


def ask(status: int = 200, body: bytes = WHOLE, kind: str = "text/event-stream", **headers: str) -> Completion:
    """What the provider makes of one given answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers={"content-type": kind, **headers})

    async def talk() -> Completion:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await make(http).complete(MESSAGES, deadline_s=5)

    return run(talk())


@asynccontextmanager
async def server(talk: Talk) -> AsyncIterator[str]:
    """A loopback server that reads one request and then does as told; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as some tests want it to
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    finally:
        listening.close()


def test_a_streamed_answer_comes_whole_with_its_tokens() -> None:
    assert ask() == Completion(text="Thirty days [1].", model="m-1", tokens_in=11, tokens_out=5)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("ends", [True, False], ids=["server_ends_the_stream", "server_leaves_it_open"])
def test_a_connection_is_used_again_where_the_server_ends_the_stream_and_waits_for_none_that_does_not(
    ends: bool,
) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            writer.write(CHUNKED + _chunk(WHOLE))
            await writer.drain()
            if ends:
                writer.write(_chunk(b""))
            else:
                await reader.read()  # until the client goes
                return
            await reader.readuntil(b"}")
            await reader.readuntil(b"\r\n\r\n")  # the rest of this body, and the next request's head

    async def twice() -> list[str]:
        async with server(talk) as url, httpx.AsyncClient() as http:
            provider = make(http, url)
            return [(await provider.complete(MESSAGES, deadline_s=5)).text for _ in range(2)]

    assert run(twice()) == ["Thirty days [1]."] * 2
    assert connections == (1 if ends else 2)


def test_a_server_that_does_not_stream_is_understood_too() -> None:
    body = {
        "model": "m-2",
        "choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    assert ask(body=json.dumps(body).encode(), kind="application/json") == Completion("Yes.", "m-2", 3, 1)


def test_the_request_streams_and_carries_the_key() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=WHOLE)

    async def talk() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await make(http).complete(MESSAGES, deadline_s=5)

    run(talk())
    body = json.loads(seen[0].content)
    assert str(seen[0].url) == "http://model.test/v1/chat/completions"
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert (body["model"], body["stream"], body["stream_options"]) == ("m", True, {"include_usage": True})
    assert body["messages"] == MESSAGES
    assert body["max_tokens"] == 50


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b"", "llm_credentials"),
        (403, b"<html>", "llm_credentials"),
        (402, b"", "llm_quota"),
        (429, b'{"error": {"code": "insufficient_quota"}}', "llm_quota"),
        (404, b'{"error": {"code": "model_not_found"}}', "llm_not_found"),
        (400, b'{"error": {"code": "context_length_exceeded"}}', "context_too_long"),
        (400, b'{"error": {"message": "This model\'s maximum context length is 8192 tokens."}}', "context_too_long"),
        (413, b"", "llm_rejected"),
        (200, event("I will not", "content_filter") + DONE, "llm_rejected"),
    ],
)
def test_what_no_waiting_helps_is_permanent(status: int, body: bytes, reason: str) -> None:
    with pytest.raises(Permanent) as caught:
        ask(status, body)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("status", "body", "outcome", "retry"),
    [
        (429, b"", "rate_limited", True),
        (408, b"", "http_5xx", True),
        (409, b"", "http_5xx", True),
        (425, b"", "http_5xx", True),
        (500, b"[]", "http_5xx", True),
        (503, b"\xff\xfe", "http_5xx", True),
        (302, b"", "malformed", False),
        (200, b"", "cut_short", True),
        (200, event("Thirty"), "cut_short", True),
        (200, event("Half a sent", "length") + DONE, "truncated", True),
        (200, event("Half a sent") + DONE, "cut_short", True),
        (200, event("Half a sent", "error") + DONE, "cut_short", True),
        (200, event("Half a sent", "abort") + DONE, "cut_short", True),
        (200, event("Let me", "tool_calls") + DONE, "tool_call", False),
        (200, event("", "stop") + DONE, "empty", False),
        (200, event(" \n", "stop") + DONE, "empty", False),
        (200, b"data: {not json}\n\n", "malformed", False),
        (200, b"data: [1, 2]\n\n", "malformed", False),
        (200, b'data: {"choices": [{"delta": {"content": 7}}]}\n\n' + DONE, "malformed", False),
        (200, b'data: {"choices": [{"delta": {"content": ["a", 1]}}]}\n\n' + DONE, "malformed", False),
        (200, b'data: {"choices": {"a": 1}}\n\n' + DONE, "malformed", False),
        (200, b"data: " + b"[" * 100_000 + b"\n\n", "malformed", False),
        (200, b'data: {"error": {"message": "overloaded"}}\n\n', "http_5xx", True),
        (200, event("x" * 5_000) * 5 + event("", "stop") + DONE, "too_long", False),
        (200, event("x" * 5_000) * 100 + DONE, "too_long", False),
    ],
)
def test_what_may_pass_is_unavailable(status: int, body: bytes, outcome: str, retry: bool) -> None:
    with pytest.raises(CallFailed) as caught:
        ask(status, body)
    assert (caught.value.outcome, caught.value.retry) == (outcome, retry)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Tue, 01 Jan 2030 00:00:09 GMT", 9.0),
        ("Mon, 31 Dec 2029 23:59:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("1e300", None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str, seconds: float | None) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        ask(429, b"", **{"retry-after": header})
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_no_error_says_what_was_asked_or_with_which_key(status: int) -> None:
    body = json.dumps({"error": {"message": f"{PROMPT} {KEY}"}}).encode()
    with pytest.raises((Permanent, ModelUnavailable)) as caught:
        ask(status, b"data: " + body + b"\n\n" if status == 200 else body)
    error: BaseException | None = caught.value
    while error is not None:
        assert PROMPT not in repr(error) + str(error)
        assert KEY not in repr(error) + str(error)
        error = error.__cause__


@pytest.mark.parametrize("key", ["sk-…", "sk\nX-Other: 1", "ключ"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make(httpx.AsyncClient(), key=key)
    assert key not in str(caught.value)
    assert "LLM_API_KEY" in str(caught.value)


def test_a_prompt_with_a_lone_surrogate_is_sent() -> None:
    async def talk() -> Completion:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, content=WHOLE))
        async with httpx.AsyncClient(transport=transport) as http:
            return await make(http).complete([{"role": "user", "content": "a\ud800b"}], deadline_s=5)

    assert run(talk()).text == "Thirty days [1]."


def test_nobody_listening_may_be_tried_again() -> None:
    async def talk() -> None:
        async with server(lambda r, w: asyncio.sleep(0)) as url:
            pass
        async with httpx.AsyncClient(trust_env=False) as http:
            await make(http, url).complete(MESSAGES, deadline_s=5)

    with pytest.raises(CallFailed) as caught:
        run(talk())
    assert (caught.value.outcome, caught.value.retry) == ("connect", True)


def test_cancelling_closes_the_connection_so_that_the_generation_ends() -> None:
    async def talk() -> bytes:
        begun: asyncio.Event = asyncio.Event()
        gone: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def generate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(STREAM + event("One "))
            begun.set()
            while rest := await reader.read(65536):
                del rest  # the request's body
            gone.set_result(b"closed")

        async with server(generate) as url, httpx.AsyncClient(trust_env=False) as http:
            call = asyncio.create_task(make(http, url).complete(MESSAGES, deadline_s=30))
            await begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            return await asyncio.wait_for(gone, 5)

    assert run(talk()) == b"closed"


def test_a_drip_does_not_outlive_the_deadline() -> None:
    async def talk() -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(STREAM)
            while True:  # ends when the client is gone
                writer.write(event("drop "))
                await writer.drain()
                await asyncio.sleep(0.01)

        async with server(drip) as url, httpx.AsyncClient(trust_env=False) as http:
            await make(http, url).complete(MESSAGES, deadline_s=0.2)

    with pytest.raises(CallFailed) as caught:
        run(talk())
    assert (caught.value.outcome, caught.value.retry) == ("timeout", False)


def test_a_connection_that_drops_in_mid_answer_gives_no_half_answer() -> None:
    async def talk() -> None:
        async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            piece = event("Thirty ")
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()

        async with server(drop) as url, httpx.AsyncClient(trust_env=False) as http:
            await make(http, url).complete(MESSAGES, deadline_s=5)

    with pytest.raises(CallFailed) as caught:
        run(talk())
    assert (caught.value.outcome, caught.value.retry) == ("transport", True)


def test_an_endless_line_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 50_000)

    async def talk() -> None:
        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(STREAM + b"data: ")
            while True:  # ends when the client is gone
                writer.write(b"x" * 10_000)
                await writer.drain()

        async with server(endless) as url, httpx.AsyncClient(trust_env=False) as http:
            await make(http, url).complete(MESSAGES, deadline_s=10)

    with pytest.raises(CallFailed) as caught:
        run(talk())
    assert caught.value.outcome == "too_long"


def test_the_shared_client_allows_as_many_connections_as_it_was_sized_for() -> None:
    async def talk() -> int:
        waiting, everyone = 0, asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting
            waiting += 1
            if waiting == 120:
                everyone.set()
            await everyone.wait()
            writer.write(STREAM + WHOLE)
            await writer.drain()

        async with server(hold) as url, http_client(120) as http:
            calls = [make(http, url).complete(MESSAGES, deadline_s=15) for _ in range(120)]
            return len(await asyncio.gather(*calls))

    assert run(talk()) == 120


def listen(*bodies: bytes) -> list[str]:
    """The pieces that a listener hears of the last of several answers of one provider, the empty ones left out."""
    left, heard = list(bodies), list[str]()

    async def talk() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, content=left.pop(0)))
        async with httpx.AsyncClient(transport=transport) as http:
            provider = make(http)
            for _ in bodies:
                heard.clear()
                await provider.complete(MESSAGES, deadline_s=5, on_text=heard.append)

    run(talk())
    return [text for text in heard if text]


def test_a_listener_hears_the_text_once_and_in_order() -> None:
    assert listen(WHOLE, WHOLE) == ["Thirty ", "days [1]."]


def test_of_a_server_that_does_not_stream_a_listener_hears_nothing_before_the_answer() -> None:
    whole = {"choices": [{"message": {"content": "Thirty days [1]."}, "finish_reason": "stop"}]}
    assert listen(WHOLE, json.dumps(whole).encode()) == []


def test_a_models_first_answer_is_heard_when_it_is_whole() -> None:
    """Until then nobody knows whether it is reasoning whose end has not come."""
    assert listen(WHOLE) == ["Thirty days [1]."]
