"""Our client against servers that copy OpenAI's API, each in its own way, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import httpx
import pytest

from shared.llm.api import CallFailed, http_client, is_neutral
from shared.llm.provider import Meter, Provider
from shared.llm.router import NoModelAnswered, Router
from shared.resilience.breaker import Breakers
from standin import forms
from standin.client import Standin
from standin.process import StandinProcess

KEY = "sk-forms"
ANSWER = "Parcels leave within two days [1], also on Saturdays [1]."
MESSAGES = [{"role": "user", "content": "When do parcels leave?"}]
ANSWERED = (
    "think", "think_unopened", "no_usage", "zero_usage", "sse_as_json", "json_as_text", "json_as_stream", "multi_line",
    "cr", "parts", "few_tokens", *forms.REFUSED_PARAMETERS,
)  # fmt: skip
ESTIMATED = ("no_usage", "zero_usage", "no_stream_options")
FAILED = {
    "length": "truncated", "length_reasoning": "truncated", "error_object": "http_5xx", "error_event": "http_5xx",
    "finish_error": "cut_short", "finish_abort": "cut_short", "no_finish": "cut_short", "refusal": "refused",
    "tool_calls": "tool_call",
}  # fmt: skip


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_key(KEY)
    return process.client


def provider(http: httpx.AsyncClient, standin: Standin, name: str = "p", max_tokens: int = 200) -> Provider:
    return Provider(http, name=name, base_url=standin.openai_url, api_key=KEY, model="standin-1", max_tokens=max_tokens)


def run(talk: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(talk, 30))


def test_every_form_of_the_standin_is_expected_to_be_one_or_the_other() -> None:
    assert {*ANSWERED, *FAILED} == set(forms.FORMS)


@pytest.mark.parametrize("form", ANSWERED)
def test_an_answer_in_any_form_is_the_answer_and_nothing_else_is_heard(standin: Standin, form: str) -> None:
    standin.script(ANSWER, ANSWER)
    standin.fault("openai", "form", variant=form, count=None)

    async def talk() -> None:
        async with http_client(2) as http:
            asked = provider(http, standin)
            for _ in range(2):  # the second one may be heard as it comes
                heard: list[str] = []
                completion = await asked.complete(MESSAGES, 10, heard.append)
                assert completion.text == ANSWER
                assert "".join(heard).strip() == ("" if form in ("json_as_text", "json_as_stream") else ANSWER)
                assert completion.tokens_in > 0
                assert completion.tokens_out > 0
                assert completion.estimated == (form in ESTIMATED)

    run(talk())


@pytest.mark.parametrize(("form", "outcome"), FAILED.items())
def test_what_is_no_whole_answer_fails_with_its_meaning_and_what_it_used(
    standin: Standin, form: str, outcome: str
) -> None:
    standin.script(ANSWER)
    standin.fault("openai", "form", variant=form)
    meter, heard = Meter(), list[str]()

    async def talk() -> None:
        async with http_client(2) as http:
            with pytest.raises(CallFailed) as caught:
                await provider(http, standin).complete(MESSAGES, 10, heard.append, meter=meter)
        assert caught.value.outcome == outcome

    run(talk())
    assert heard == []
    assert meter.usage.tokens_in > 0


@pytest.mark.parametrize("form", forms.REFUSED_PARAMETERS)
def test_a_refused_parameter_is_learnt_with_one_request_more(standin: Standin, form: str) -> None:
    standin.fault("openai", "form", variant=form, count=None)

    async def talk() -> None:
        async with http_client(2) as http:
            asked = provider(http, standin)
            for _ in range(3):
                await asked.complete(MESSAGES, 10)
            assert len(await asked.probe(10)) == 1

    run(talk())
    outcomes = [attempt["outcome"] for attempt in standin.attempts(target="openai")]
    assert outcomes == ["error", "ok", "ok", "ok", "ok"]


def test_a_probe_asks_for_one_token_and_takes_what_comes_of_it(standin: Standin) -> None:
    async def talk() -> None:
        async with http_client(2) as http:
            assert await provider(http, standin).probe(10) == ()

    run(talk())
    (made,) = standin.completions()
    assert len(made["text"]) <= 4


def test_a_server_that_takes_no_fewer_tokens_is_asked_for_as_many_and_that_is_remembered(standin: Standin) -> None:
    standin.fault("openai", "form", variant="few_tokens", count=None)

    async def talk() -> None:
        async with http_client(2) as http:
            asked = provider(http, standin)
            for _ in range(2):
                assert await asked.probe(10) == (f"at least {forms.FEWEST_TOKENS} tokens",)

    run(talk())
    assert [attempt["outcome"] for attempt in standin.attempts(target="openai")] == ["error", "ok", "ok"]


def test_an_answer_that_was_cut_off_gets_more_room_once(standin: Standin) -> None:
    """The router asks again with a longer limit, which the whole answer fits in."""
    standin.script(ANSWER, ANSWER)

    async def talk() -> None:
        async with http_client(2) as http:
            short = len(ANSWER.encode()) // 4 - 2
            router = Router([provider(http, standin, max_tokens=short)])
            completion = await router.complete(MESSAGES, 10)
        assert completion.text == ANSWER
        assert [attempt.outcome for attempt in completion.attempts] == ["truncated", "ok"]
        assert all(attempt.tokens_out for attempt in completion.attempts)

    run(talk())


def test_an_answer_that_never_fits_costs_two_calls(standin: Standin) -> None:
    standin.script(*[ANSWER * 20] * 3)

    async def talk() -> None:
        async with http_client(2) as http:
            router = Router([provider(http, standin, "one", 20), provider(http, standin, "two", 20)])
            with pytest.raises(NoModelAnswered) as caught:
                await router.complete(MESSAGES, 10)
        told = [(attempt.provider, attempt.outcome) for attempt in caught.value.attempts]
        assert told == [("one", "truncated"), ("one", "truncated")]

    run(talk())


@pytest.mark.parametrize("form", ["refusal", "tool_calls", "length"])
def test_what_one_prompt_brings_about_closes_the_door_to_nobody_else(standin: Standin, form: str) -> None:
    standin.fault("openai", "form", variant=form, count=12)

    async def talk() -> None:
        async with http_client(2) as http:
            router = Router([provider(http, standin)], Breakers(neutral=is_neutral))
            for _ in range(6):
                with pytest.raises(NoModelAnswered):
                    await router.complete(MESSAGES, 10)
            standin.clear()
            assert (await router.complete(MESSAGES, 10)).text

    run(talk())


@pytest.mark.parametrize(("header", "seconds"), [({"retry-after-ms": "1500"}, 1.5), ({"retry-after-ms": "x"}, None)])
def test_a_wait_in_milliseconds_is_read(header: dict[str, str], seconds: float | None) -> None:
    async def talk() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(429, headers=header))
        async with httpx.AsyncClient(transport=transport) as http:
            asked = Provider(http, name="p", base_url="http://model.test/v1", api_key=KEY, model="m", max_tokens=9)
            with pytest.raises(CallFailed) as caught:
                await asked.complete(MESSAGES, 5)
        assert caught.value.retry_after_s == seconds

    run(talk())
