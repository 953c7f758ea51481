"""Retries, fallbacks and breakers as the caller sees them: the answer, the attempts, and how often was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx
import pytest

from shared.clock import FixedClock
from shared.llm import metrics
from shared.llm import router as module
from shared.llm.api import http_client, is_neutral
from shared.llm.provider import MORE_ROOM, Provider
from shared.llm.router import NoModelAnswered, Router, from_settings
from shared.model import Completion
from shared.resilience import backoff
from shared.resilience.breaker import Breakers
from tests.counted import counted
from tests.factories import settings

T = TypeVar("T")
MESSAGES = [{"role": "user", "content": "question"}]
ANSWER = httpx.Response(
    200,
    content=b"data: "
    + json.dumps({"choices": [{"delta": {"content": "Yes [1]."}, "finish_reason": "stop"}]}).encode()
    + b"\n\ndata: [DONE]\n\n",
)

EMPTY = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


def run(coro: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coro, 20))


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without waiting; tests that are about waiting read Retry-After."""
    monkeypatch.setattr(module, "BACKOFF_BASE_S", 0.0)


def up(number: int) -> httpx.Response:
    return ANSWER


class World:
    """Providers whose answers are given by host, and a count of what each was asked."""

    def __init__(self, *hosts: str, **router: Any) -> None:
        self.clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
        self.answers: dict[str, Callable[[int], httpx.Response]] = {}
        self.asked: dict[str, int] = dict.fromkeys(hosts, 0)
        self.breakers = Breakers(clock=self.clock, neutral=is_neutral)
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        providers = [
            Provider(http, name=host, base_url=f"http://{host}/v1", api_key="k", model="m", max_tokens=9)
            for host in hosts
        ]
        self.router = Router(providers, self.breakers, clock=self.clock, rng=Random(1), **router)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.asked[host] += 1
        return self.answers.get(host, up)(self.asked[host])

    def ask(self, deadline_s: float = 55.0) -> Completion:
        return run(self.router.complete(MESSAGES, deadline_s))

    def fail(self, deadline_s: float = 55.0) -> NoModelAnswered:
        with pytest.raises(NoModelAnswered) as caught:
            self.ask(deadline_s)
        return caught.value


def outcomes(of: Completion | NoModelAnswered) -> list[tuple[str, str]]:
    return [(attempt.provider, attempt.outcome) for attempt in of.attempts]


def down(number: int) -> httpx.Response:
    return httpx.Response(503)


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
            await Router([provider], call_deadline_s=0.1).complete(MESSAGES, 10)

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


class Ear:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def piece(self, text: str) -> None:
        self.heard.append(text)

    def restart(self) -> None:
        self.heard.append("again:")


def test_who_listens_is_told_when_an_attempt_begins_anew() -> None:
    cut = httpx.Response(200, content=b'data: {"choices": [{"delta": {"content": "Ye"}}]}\n\n')
    world, ear = World("first"), Ear()
    run(world.router.complete(MESSAGES, 55.0))  # from a model's second answer on, pieces are heard as they come
    world.answers["first"] = lambda number: cut if number == 2 else ANSWER

    run(world.router.complete(MESSAGES, 55.0, ear))

    assert ear.heard == ["again:", "Ye", "again:", "Yes [1]."]


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


# ------------------------------------------------------------------ what is told of it


WITH_TOKENS = httpx.Response(
    200,
    content=b'data: {"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}], "usage": '
    b'{"prompt_tokens": 70, "completion_tokens": 3}}\n\ndata: [DONE]\n\n',
)


def test_an_attempt_names_its_model_its_tokens_and_its_step() -> None:
    world = World("one", "two")
    world.answers.update(one=lambda number: httpx.Response(404), two=lambda number: WITH_TOKENS)
    refused, answered = world.ask().attempts
    assert (refused.provider, refused.model, refused.outcome) == ("one", "m", "llm_not_found")
    assert (refused.tokens_in, refused.tokens_out, refused.step) == (0, 0, "full")
    assert (answered.provider, answered.model, answered.outcome) == ("two", "m", "ok")
    assert (answered.tokens_in, answered.tokens_out, answered.step) == (70, 3, "cheaper")


def test_times_are_milliseconds_since_the_model_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a quarter of a second whenever it is read."""
    ticks = iter(range(100))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(ticks) * 0.25))
    world = World("one", "two")
    world.answers["one"] = lambda number: httpx.Response(404)
    # asked at 0; the first begins at .25 and ends at .5, the second begins at .75 and ends at 1
    assert [(a.offset_ms, a.duration_ms) for a in world.ask().attempts] == [(250, 250), (750, 250)]


def test_each_attempt_is_counted_with_its_time_and_tokens() -> None:
    world = World("one", "two")
    world.answers.update(one=down, two=lambda number: WITH_TOKENS)
    with counted() as book:
        world.ask()
    assert book.of(metrics.MODEL_ATTEMPTS, "one", "m", "http_5xx") == 3
    assert book.of(metrics.MODEL_ATTEMPTS, "two", "m", "ok") == 1
    assert [book.of(metrics.TOKENS, "two", "m", direction) for direction in ("in", "out")] == [70, 3]
    assert book.of(metrics.TOKENS, "one", "m", "in") == 0


def test_a_failure_of_all_says_how_each_failed_and_when_the_first_of_them_may_be_asked_again() -> None:
    world = World("one", "two", "three")
    world.answers.update(
        one=lambda number: httpx.Response(429, headers={"retry-after": "20"}),
        two=lambda number: httpx.Response(401),
        three=lambda number: httpx.Response(429, headers={"retry-after": "60"}),
    )
    error = world.fail()
    assert str(error) == "no model answered (rate_limited, llm_credentials, rate_limited)"
    assert error.retry_after_s == 20
    world = World("one")
    world.answers["one"] = lambda number: httpx.Response(401)
    assert world.fail().retry_after_s is None


def test_where_a_cheaper_one_is_wanted_the_first_is_not_asked() -> None:
    world = World("one", "two")
    completion = run(world.router.complete(MESSAGES, 55.0, cheaper=True))
    assert (completion.step, world.asked) == ("cheaper", {"one": 0, "two": 1})
    with pytest.raises(NoModelAnswered) as caught:
        run(World("one").router.complete(MESSAGES, 55.0, cheaper=True))
    assert (caught.value.attempts, str(caught.value)) == ((), "no model answered ()")


@pytest.mark.parametrize(("deadline_s", "asked"), [(0.9, {"one": 1, "two": 0}), (1.0, {"one": 1, "two": 1})])
def test_another_one_is_asked_only_while_a_second_is_left(deadline_s: float, asked: dict[str, int]) -> None:
    world = World("one", "two")
    world.answers["one"] = lambda number: httpx.Response(401)
    try:
        world.ask(deadline_s)
    except NoModelAnswered:
        pass
    assert world.asked == asked


@pytest.mark.parametrize(("deadline_s", "calls"), [(1.2, 1), (1.3, 3)])
def test_the_same_one_is_asked_again_only_where_a_second_is_left_after_the_wait(
    monkeypatch: pytest.MonkeyPatch, deadline_s: float, calls: int
) -> None:
    """The waits are made .25 s long by hand; the clock stands still."""
    monkeypatch.setattr(backoff, "delay_s", lambda *_: 0.25)
    monkeypatch.setattr(asyncio, "sleep", _at_once)
    world = World("one")
    world.answers["one"] = down
    world.fail(deadline_s)
    assert world.asked["one"] == calls


async def _at_once(seconds: float) -> None:
    return None


def test_waits_grow_with_the_attempts_and_what_was_asked_for_is_added_to_by_a_quarter_of_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    planned: list[tuple[object, ...]] = []

    def delay_s(*plan: object) -> float:
        planned.append(plan[:3])
        return 0.125 * len(planned) ** 2

    monkeypatch.setattr(backoff, "delay_s", delay_s)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    world = World("one")
    limited = httpx.Response(429, headers={"retry-after": "1.5"})
    world.answers["one"] = lambda number: httpx.Response(503) if number == 1 else limited
    world.fail()
    assert slept == [0.125, 1.75]
    assert planned[:2] == [(1, 0.0, 4.0), (2, 0.0, 4.0)]


def test_a_call_has_no_more_time_than_the_answer_has_left() -> None:
    given: list[float] = []

    class Timed(Provider):
        async def complete(self, *asked: Any, **more: Any) -> Completion:
            given.append(asked[1])
            return await super().complete(*asked, **more)

    world = World("one")
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: ANSWER))
    provider = Timed(http, name="one", base_url="http://one/v1", api_key="k", model="m", max_tokens=9)
    router = Router([provider], world.breakers, clock=world.clock, call_deadline_s=30.0)
    run(router.complete(MESSAGES, 55.0))
    run(router.complete(MESSAGES, 7.0))
    run(Router([provider], world.breakers, clock=world.clock).complete(MESSAGES, 55.0))
    assert given == [30.0, 7.0, 30.0]


def test_settings_say_how_long_a_call_and_an_answer_may_be_and_the_breakers_are_the_process_own() -> None:
    configured = settings(
        LLM_BASE_URL="http://model.test/v1", LLM_MODEL="m", LLM_MAX_TOKENS="123", LLM_CALL_DEADLINE_S="3"
    )
    breakers, asked = Breakers(neutral=is_neutral), list[dict[str, Any]]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append({**json.loads(request.content), "timeout": request.extensions["timeout"]["read"]})
        return ANSWER

    async def talk() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            router = from_settings(configured, http, breakers)
            assert router is not None
            await router.complete(MESSAGES, 50)

    run(talk())
    assert breakers.states() == {("model.test", "m"): "closed"}
    assert asked[0]["max_tokens"] == 123
    assert asked[0]["timeout"] == 3


CUT = httpx.Response(
    200,
    content=b'data: {"choices": [{"delta": {"content": "Half"}, "finish_reason": "length"}]}\n\ndata: [DONE]\n\n',
)


def test_an_answer_that_was_cut_is_asked_for_once_more_with_more_room_and_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    world, room = World("one", "two"), list[int]()

    def answer(request: httpx.Request) -> httpx.Response:
        room.append(json.loads(request.content)["max_tokens"])
        return world._answer(request)

    world.router._providers[0]._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    world.answers["one"] = lambda number: CUT
    assert outcomes(world.ask()) == [("one", "truncated"), ("one", "truncated"), ("two", "ok")]
    assert room == [9, 9 * MORE_ROOM]
    assert all(seconds == 0 for seconds in slept)


def test_a_call_that_was_called_off_is_counted_as_such() -> None:
    async def talk() -> None:
        asked = asyncio.Event()

        async def hang(request: httpx.Request) -> httpx.Response:
            asked.set()
            await asyncio.Event().wait()
            return ANSWER

        http = httpx.AsyncClient(transport=httpx.MockTransport(hang))
        provider = Provider(http, name="one", base_url="http://one/v1", api_key="k", model="m", max_tokens=9)
        call = asyncio.create_task(Router([provider]).complete(MESSAGES, 10))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    with counted() as book:
        run(talk())
    assert book.of(metrics.MODEL_ATTEMPTS, "one", "m", "cancelled") == 1


def test_breakers_of_its_own_stand_by_its_clock_and_pass_over_rejected_prompts() -> None:
    world = World("one")
    router = Router(world.router._providers, clock=world.clock)
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
