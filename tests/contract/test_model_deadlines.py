"""What a call of a model waits for, and for how long, against a stand-in that keeps it waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from shared.llm.api import CallFailed, http_client, is_neutral
from shared.llm.deadlines import Deadlines, of
from shared.llm.partial_completion import Showing
from shared.llm.provider import Provider
from shared.llm.router import Router
from shared.model import Completion
from shared.resilience.breaker import Breakers
from standin.client import Standin
from standin.process import StandinProcess
from tests.factories import settings

KEY = "sk-slow"
ANSWER = "Parcels leave within two days [1], also on Saturdays [1]."
MESSAGES = [{"role": "user", "content": "When do parcels leave?"}]
LONG_S = 60.0
"""What may not end a call here."""
SHORT_S = 0.3
ENOUGH_S = 1.5
"""For the model that answers, also on a slow machine."""
BEGUN_BYTES = 700
"""Of a stream that has begun and not ended."""


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_key(KEY)
    return process.client


def run(talk: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(talk, 30))


def outcome(url: str, deadlines: Deadlines) -> str:
    """The word for how one call failed."""

    async def ask() -> None:
        async with http_client(2) as http:
            asked = Provider(http, name="p", base_url=url, api_key=KEY, model="standin-1", max_tokens=200)
            await asked.complete(MESSAGES, LONG_S, deadlines=deadlines)

    with pytest.raises(CallFailed) as caught:
        run(ask())
    assert caught.value.retry is (caught.value.outcome == "connect")
    return caught.value.outcome


def test_a_model_that_does_not_begin_is_left_though_its_server_shows_that_it_lives(standin: Standin) -> None:
    standin.fault("openai", "slow_start", interval_s=0.05)
    found = outcome(standin.openai_url, Deadlines(LONG_S, first_token_s=SHORT_S, stall_s=LONG_S, total_s=LONG_S))
    assert found == "slow_start"
    standin.wait_attempts(1, outcome="client_gone")


def test_so_is_one_whose_server_says_nothing_at_all(standin: Standin) -> None:
    standin.fault("openai", "timeout_after_effect")
    found = outcome(standin.openai_url, Deadlines(LONG_S, first_token_s=SHORT_S, stall_s=LONG_S, total_s=LONG_S))
    assert found == "slow_start"


def test_an_answer_that_stops_in_the_middle_is_left_after_its_silence(standin: Standin) -> None:
    standin.script(ANSWER, ANSWER)
    standin.fault("openai", "stall_midway", cut_after_bytes=BEGUN_BYTES)
    found = outcome(standin.openai_url, Deadlines(LONG_S, first_token_s=LONG_S, stall_s=SHORT_S, total_s=LONG_S))
    assert found == "stalled"
    standin.wait_attempts(1, outcome="client_gone")


def test_an_answer_that_drips_is_not_silent_and_ends_with_the_call_s_time(standin: Standin) -> None:
    standin.script(ANSWER)
    standin.fault("openai", "drip", bytes_each=1, interval_s=0.01)
    found = outcome(standin.openai_url, Deadlines(LONG_S, first_token_s=LONG_S, stall_s=SHORT_S, total_s=2 * SHORT_S))
    assert found == "timeout"


def test_a_server_that_accepts_and_does_not_shake_hands_is_left_after_the_time_for_connecting() -> None:
    async def talk() -> str:
        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        listening = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        deadlines = Deadlines(connect_s=SHORT_S, first_token_s=LONG_S, stall_s=LONG_S, total_s=LONG_S)
        async with listening:
            return await asyncio.to_thread(outcome, f"https://127.0.0.1:{port}/v1", deadlines)

    assert run(talk()) == "connect"


def test_pieces_that_come_slowly_are_no_silence(standin: Standin) -> None:
    standin.script(ANSWER)
    standin.set_latency(chunk_s=SHORT_S / 4)

    async def ask() -> Completion:
        async with http_client(2) as http:
            asked = Provider(
                http, name="p", base_url=standin.openai_url, api_key=KEY, model="standin-1", max_tokens=200
            )
            return await asked.complete(
                MESSAGES, LONG_S, deadlines=Deadlines(LONG_S, first_token_s=LONG_S, stall_s=20 * SHORT_S)
            )

    assert run(ask()).text == ANSWER


@pytest.mark.parametrize(
    ("kind", "left_for"), [("slow_start", "slow_start"), ("stall_midway", "stalled"), ("drop_midway", "transport")]
)
def test_the_next_model_of_the_route_answers_from_the_beginning(standin: Standin, kind: str, left_for: str) -> None:
    """A stream that breaks or stalls after something was shown falls back all the same; what was shown is withdrawn."""
    standin.script(ANSWER, ANSWER, ANSWER, ANSWER, ANSWER)
    standin.fault("openai", kind, model="first", count=None, cut_after_bytes=BEGUN_BYTES)
    heard: list[str] = []

    class Ear:
        def piece(self, text: str) -> None:
            heard.append(text)

        def restart(self) -> None:
            heard.append("|")

    async def ask() -> Completion:
        async with http_client(4) as http:
            first, second = (
                Provider(http, name=name, base_url=standin.openai_url, api_key=KEY, model=name, max_tokens=200)
                for name in ("first", "second")
            )
            for each in (first, second):
                each._showing = Showing.AS_IT_COMES  # as after an answer of theirs
            deadlines = Deadlines(LONG_S, first_token_s=ENOUGH_S, stall_s=ENOUGH_S, total_s=LONG_S)
            router = Router([first, second], Breakers(neutral=is_neutral), deadlines=deadlines)
            return await router.complete(MESSAGES, LONG_S, Ear())

    completion = run(ask())
    assert (completion.text, completion.step) == (ANSWER, "cheaper")
    assert {attempt.outcome for attempt in completion.attempts} == {left_for, "ok"}
    shown = "".join(heard).split("|")
    assert shown[-1] == ANSWER
    if kind != "slow_start":
        assert ANSWER.startswith(shown[1])
        assert 0 < len(shown[1]) < len(ANSWER)


def test_each_purpose_has_its_time() -> None:
    given = settings(LLM_CALL_DEADLINE_S=30.0, LLM_SHORT_CALL_DEADLINE_S=10.0)
    assert {purpose: of(given, purpose).total_s for purpose in ("answer", "summary", "intent", "transcription")} == {
        "answer": 30.0, "summary": 30.0, "intent": 10.0, "transcription": 10.0,
    }  # fmt: skip
    assert of(given, "answer").within(4.0).total_s == 4.0
