"""Streams of /v1/chat/completions: pieces as they come, their end, and clients that leave or take nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.openai import chat
from gateway.openai.chat import Call, ClientGone
from shared.embedded import Database
from standin.process import StandinProcess
from tests.integration.openai_gateway import MESSAGES, Front, front, until
from tests.integration.test_openai_chat import TOOLS, ask


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def v1(database: Database, redis_url: str, process: StandinProcess) -> Iterator[Front]:
    """Its models have answered once: only then their texts are told as they come."""
    with front(database, redis_url, process.client) as running:
        running.standin.script("First.")
        ask(running)
        running.until_booked()
        yield running


def test_pieces_come_as_they_are_written_and_the_usage_at_the_end(v1: Front) -> None:
    v1.standin.script("one two three")
    pieces = list(ask(v1, stream=True, stream_options={"include_usage": True}))
    texts = [one.choices[0].delta.content for one in pieces if one.choices and one.choices[0].delta.content]
    assert texts == ["one ", "two ", "three"]
    assert pieces[0].choices[0].delta.role == "assistant"
    assert pieces[-2].choices[0].finish_reason == "stop"
    assert pieces[-1].choices == []
    [_, row] = v1.until_booked(2)
    assert (row["tokens_in"], row["tokens_out"]) == (
        pieces[-1].usage.prompt_tokens, pieces[-1].usage.completion_tokens,
    )  # fmt: skip


def test_the_first_piece_does_not_wait_for_the_last(v1: Front) -> None:
    """The model stalls after its first words: what it has said has arrived."""
    v1.standin.script("one two three four")
    v1.standin.fault("openai", "stall_midway", cut_after_bytes=700)
    with ask(v1, stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.role == "assistant"


def test_tool_calls_are_streamed(v1: Front) -> None:
    v1.standin.fault("openai", "form", variant="tool_calls")
    pieces = list(ask(v1, stream=True, tools=TOOLS))
    [called] = [one.choices[0].delta.tool_calls[0] for one in pieces if one.choices[0].delta.tool_calls]
    assert (called.index, called.id, called.function.name, called.function.arguments) == (0, "call_1", "lookup", "{}")
    assert pieces[-1].choices[0].finish_reason == "tool_calls"


def test_before_the_first_piece_the_next_model_is_asked(v1: Front) -> None:
    v1.standin.script("At noon.")
    v1.standin.fault("openai", "status", status=400, model="standin-chat")
    pieces = list(ask(v1, stream=True))
    assert {one.model for one in pieces} == {"standin-chat-mini"}


def test_an_answer_that_breaks_ends_with_an_error_and_nobody_else_is_asked(v1: Front) -> None:
    v1.standin.script("one two three four five six")
    v1.standin.fault("openai", "drop_midway", cut_after_bytes=700)
    stream = ask(v1, stream=True)
    heard = []
    with pytest.raises(openai.APIError, match="No model answered"):
        heard.extend(stream)
    assert heard
    assert [row["outcome"] for row in v1.until_booked(2)] == ["ok", "transport"]


def test_reasoning_is_streamed_to_nobody(v1: Front) -> None:
    v1.standin.script("At noon.")
    v1.standin.fault("openai", "form", variant="think")
    pieces = list(ask(v1, stream=True))
    assert "".join(one.choices[0].delta.content or "" for one in pieces).strip() == "At noon."


def test_a_client_that_leaves_ends_the_models_call_and_is_charged_by_estimate(v1: Front) -> None:
    v1.standin.script("one two three four five six")
    v1.standin.fault("openai", "stall_midway", cut_after_bytes=700)
    with ask(v1, stream=True) as stream:
        next(iter(stream))
    [_, row] = v1.until_booked(2)
    assert (row["outcome"], row["estimated"]) == ("cancelled", True)
    assert row["tokens_in"] > 0
    until(lambda: v1.standin.attempts(target="openai")[-1]["outcome"] == "client_gone")


def test_a_client_that_leaves_before_a_whole_answer_ends_the_call_too(v1: Front) -> None:
    v1.standin.fault("openai", "timeout_before_effect")
    client = v1.client().with_options(timeout=0.5)
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="answer", messages=MESSAGES)
    assert v1.until_booked(2)[-1]["outcome"] == "cancelled"
    until(lambda: v1.standin.attempts(target="openai")[-1]["outcome"] == "client_gone")


def test_streams_count_among_the_gateways(database: Database, redis_url: str, process: StandinProcess) -> None:
    with front(database, redis_url, process.client, WIDGET_STREAMS_MAX=1) as v1:
        v1.standin.script("First.", "one two three four five six", "Again.")
        ask(v1)
        v1.standin.fault("openai", "stall_midway", cut_after_bytes=700)
        with ask(v1, stream=True) as stream:
            next(iter(stream))
            with pytest.raises(openai.InternalServerError) as caught:
                ask(v1, stream=True)
            assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (503, "1")
        v1.until_booked(2)
        until(lambda: _streams(v1))


def _streams(v1: Front) -> bool:
    try:
        return bool(list(ask(v1, stream=True)))
    except openai.InternalServerError:
        return False


# ------------------------------------------------------------------ clients, without a network in between
class Model:
    """Answers in place of a call: says this piece by piece and then waits until it is cancelled."""

    def __init__(self, piece: str, times: int) -> None:
        self.asked = _NoUsage()
        self._piece, self._times = piece, times
        self.cancelled = asyncio.Event()

    async def complete(self, pieces: Any = None) -> Any:
        try:
            for _ in range(self._times):
                pieces.piece(self._piece)
                await asyncio.sleep(0)
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


class _NoUsage:
    with_usage = False


async def _answered(model: Model, receive: Any, send: Any) -> None:
    call: Call = model  # type: ignore[assignment]
    with pytest.raises(ClientGone):
        await asyncio.wait_for(chat.answer_in_pieces(call, chat.new_head("m", 0), receive, send, []), 10)


def test_the_call_is_cancelled_with_the_clients_leaving() -> None:
    async def play() -> None:
        model, left = Model("one ", 1), asyncio.Event()
        sent: list[Any] = []

        async def receive() -> Any:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if message.get("body"):
                left.set()

        await _answered(model, receive, send)
        assert model.cancelled.is_set()
        assert b"one " in sent[1]["body"]

    asyncio.run(play())


def test_the_call_of_a_client_that_takes_nothing_is_cancelled_once_too_much_waits() -> None:
    async def play() -> None:
        model = Model("x" * 20_000, 40)

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message.get("body"):
                await asyncio.Event().wait()  # its socket is full

        await _answered(model, receive, send)
        assert model.cancelled.is_set()

    asyncio.run(play())
