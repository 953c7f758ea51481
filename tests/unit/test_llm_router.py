"""Which provider is asked, and when it is asked again."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from shared.llm import router as module
from shared.llm.api import http_client, is_neutral
from shared.llm.deadlines import Deadlines
from shared.llm.provider import Provider
from shared.llm.router import NoModelAnswered, Router, from_settings
from shared.model import Completion
from shared.resilience.breaker import Breakers
from tests.factories import settings
from tests.unit.fixtures_router import ANSWER, MESSAGES, World, down, outcomes, run, up

EMPTY = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without waiting; tests that are about waiting read Retry-After."""
    monkeypatch.setattr(module, "BACKOFF_BASE_S", 0.0)


def test_an_answer_carries_its_attempt() -> None:
    completion = World("one").ask()
    assert completion.text == "Yes [1]."
    assert outcomes(completion) == [("one", "ok")]


def test_a_passing_failure_is_tried_again_and_both_attempts_are_told() -> None:
    world = World("one")
    world.answers["one"] = lambda number: httpx.Response(500) if number == 1 else ANSWER
    assert outcomes(world.ask()) == [("one", "http_5xx"), ("one", "ok")]


def test_a_provider_that_stays_down_hands_over_to_the_next() -> None:
    world = World("one", "two")
    world.answers["one"] = down
    assert outcomes(world.ask()) == [("one", "http_5xx")] * 3 + [("two", "ok")]


@pytest.mark.parametrize(
    "after", ["Fri, 01 Jan 2027 00:00:00 +99999999999999", "nan", "1e400", "-5", "soon", "9" * 5000]
)
def test_a_wait_that_is_nonsense_hands_over_to_the_next(after: str) -> None:
    world = World("one", "two")
    world.answers["one"] = lambda number: httpx.Response(429, headers={"retry-after": after})
    assert outcomes(world.ask())[-1] == ("two", "ok")


def test_whatever_breaks_in_a_call_the_next_one_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("one", "two")
    complete = Provider.complete

    async def breaks(self: Provider, *args: object, **more: object) -> Completion:
        if self.name == "one":
            raise OverflowError("nobody foresaw this")
        return await complete(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Provider, "complete", breaks)
    assert outcomes(world.ask()) == [("one", "malformed"), ("two", "ok")]


@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_waiting_cannot_mend_is_not_tried_again_but_the_next_is_asked(status: int) -> None:
    world = World("one", "two")
    world.answers["one"] = lambda number: httpx.Response(status)
    world.ask()
    assert world.asked == {"one": 1, "two": 1}


def test_an_answer_of_the_first_provider_is_full_and_one_of_a_later_provider_cheaper() -> None:
    world = World("one", "two", "three")
    assert world.ask().step == "full"
    world.answers.update(one=lambda number: httpx.Response(401), two=lambda number: httpx.Response(404))
    completion = world.ask()
    assert (completion.step, completion.text) == ("cheaper", "Yes [1].")
    assert [attempt.step for attempt in completion.attempts] == ["full", "cheaper", "cheaper"]
    offsets = [attempt.offset_ms for attempt in completion.attempts]
    assert offsets == sorted(offsets)


def test_an_empty_answer_goes_to_the_next_provider() -> None:
    world = World("one", "two")
    world.answers["one"] = lambda number: httpx.Response(200, content=EMPTY)
    assert outcomes(world.ask()) == [("one", "empty"), ("two", "ok")]


def test_when_all_fail_every_attempt_is_told() -> None:
    world = World("one", "two")
    world.answers.update(one=down, two=lambda number: httpx.Response(401))
    assert outcomes(world.fail()) == [("one", "http_5xx")] * 3 + [("two", "llm_credentials")]


def test_retry_after_that_does_not_fit_the_deadline_is_not_waited_for() -> None:
    world = World("one")
    world.answers["one"] = lambda number: httpx.Response(429, headers={"retry-after": "54.5"})
    error = world.fail(deadline_s=55)
    assert world.asked["one"] == 1
    assert error.retry_after_s == 54.5


def test_a_long_retry_after_is_passed_over_while_another_provider_is_there() -> None:
    world = World("one", "two")
    world.answers["one"] = lambda number: httpx.Response(429, headers={"retry-after": "20"})
    assert outcomes(world.ask()) == [("one", "rate_limited"), ("two", "ok")]


def test_a_short_retry_after_is_honoured() -> None:
    world = World("one")
    limited = httpx.Response(429, headers={"retry-after": "0.05"})
    world.answers["one"] = lambda number: limited if number == 1 else ANSWER
    assert outcomes(world.ask()) == [("one", "rate_limited"), ("one", "ok")]


def test_an_open_breaker_is_neither_called_nor_tried_again() -> None:
    world = World("one")
    world.answers["one"] = down
    world.fail()
    world.fail()  # its second failure opens the breaker: five in all
    assert world.asked["one"] == 5
    error = world.fail()
    assert world.asked["one"] == 5
    assert outcomes(error) == [("one", "breaker_open")]
    assert error.retry_after_s == 60


def test_after_a_minute_one_call_finds_out_and_closes_the_breaker() -> None:
    world = World("one")
    world.answers["one"] = lambda number: down(number) if number <= 5 else ANSWER
    world.fail()
    world.fail()
    world.clock.advance(60)
    assert world.ask().text == "Yes [1]."
    assert world.breakers.states() == {("one", "m"): "closed"}


def test_refused_credentials_open_the_breaker_and_a_rejected_prompt_does_not() -> None:
    world = World("keyless", "strict")
    world.answers.update(keyless=lambda n: httpx.Response(401), strict=lambda n: httpx.Response(400))
    for _ in range(6):
        world.fail()
    assert world.breakers.states() == {("keyless", "m"): "open", ("strict", "m"): "closed"}


def test_nothing_is_asked_when_no_time_is_left() -> None:
    world = World("one")
    assert outcomes(world.fail(deadline_s=0.0)) == []
    assert world.asked["one"] == 0


def test_a_call_that_hangs_ends_with_the_calls_deadline() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client is gone
        writer.close()

    async def talk() -> None:
        listening = await asyncio.start_server(hang, "127.0.0.1", 0)
        async with listening, http_client(2) as http:
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
            provider = Provider(http, name="one", base_url=url, api_key="", model="m", max_tokens=9)
            await Router([provider], deadlines=Deadlines(total_s=0.1)).complete(MESSAGES, 10)

    with pytest.raises(NoModelAnswered) as caught:
        run(talk())
    assert outcomes(caught.value) == [("one", "timeout")]


def test_a_cancelled_call_leaves_the_breaker_as_it_was() -> None:
    async def talk() -> Breakers:
        asked = asyncio.Event()

        async def hang(request: httpx.Request) -> httpx.Response:
            asked.set()
            await asyncio.Event().wait()
            return ANSWER

        breakers = Breakers(neutral=is_neutral)
        http = httpx.AsyncClient(transport=httpx.MockTransport(hang))
        provider = Provider(http, name="one", base_url="http://one/v1", api_key="k", model="m", max_tokens=9)
        for _ in range(6):
            asked.clear()
            call = asyncio.create_task(Router([provider], breakers).complete(MESSAGES, 10))
            await asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        return breakers

    assert run(talk()).states() == {("one", "m"): "closed"}


def test_without_a_configured_model_there_is_no_router() -> None:
    assert from_settings(settings(), httpx.AsyncClient()) is None


def test_the_configured_model_is_asked() -> None:
    configured = settings(LLM_BASE_URL="http://model.test/v1", LLM_MODEL="m-9", LLM_API_KEY="k")

    async def talk() -> Completion:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: ANSWER)) as http:
            router = from_settings(configured, http)
            assert router is not None
            return await router.complete(MESSAGES, 5)

    (attempt,) = run(talk()).attempts
    assert (attempt.provider, attempt.model, attempt.outcome) == ("model.test", "m-9", "ok")


def test_the_fallbacks_are_asked_in_their_order_each_with_its_own_key() -> None:
    configured = settings(
        LLM_BASE_URL="http://first.test/v1", LLM_MODEL="large", LLM_API_KEY="k1",
        LLM_FALLBACKS='[{"base_url": "http://second.test/v1", "api_key": "k2", "model": "small"},'
        ' {"base_url": "http://first.test/v1", "model": "tiny", "name": "last"}]',
    )  # fmt: skip
    asked: list[tuple[str, str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        model = json.loads(request.content)["model"]
        asked.append((request.url.host, model, request.headers.get("authorization")))
        return ANSWER if model == "tiny" else httpx.Response(401)

    async def talk() -> Completion:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            router = from_settings(configured, http)
            assert router is not None
            return await router.complete(MESSAGES, 5)

    assert outcomes(run(talk())) == [
        ("first.test", "llm_credentials"), ("second.test", "llm_credentials"), ("last", "ok"),
    ]  # fmt: skip
    assert asked == [
        ("first.test", "large", "Bearer k1"), ("second.test", "small", "Bearer k2"), ("first.test", "tiny", None),
    ]  # fmt: skip


def test_a_router_without_providers_is_a_mistake() -> None:
    with pytest.raises(ValueError):
        Router([])


def test_the_only_provider_is_asked_again_after_a_wait_for_which_others_would_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    limited = httpx.Response(429, headers={"retry-after": "0.05"})
    for hosts, asked in ((("one",), [("one", "rate_limited"), ("one", "ok")]),
                         (("one", "two"), [("one", "rate_limited"), ("two", "ok")])):  # fmt: skip
        world = World(*hosts)
        world.answers["one"] = lambda number: limited if number == 1 else ANSWER
        assert outcomes(world.ask()) == asked


def test_breakers_of_its_own_stand_by_its_clock_and_pass_over_rejected_prompts() -> None:
    world = World("one")
    router = Router(world.router.steps, clock=world.clock)
    world.answers["one"] = lambda number: httpx.Response(400)
    for _ in range(6):
        with pytest.raises(NoModelAnswered):
            run(router.complete(MESSAGES, 55.0))
    assert world.asked["one"] == 6
    world.answers["one"] = lambda number: httpx.Response(401)
    for _ in range(6):
        with pytest.raises(NoModelAnswered):
            run(router.complete(MESSAGES, 55.0))
    assert world.asked["one"] == 11
    world.clock.advance(60)
    world.answers["one"] = up
    assert run(router.complete(MESSAGES, 55.0)).text == "Yes [1]."
