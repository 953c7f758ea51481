"""How the time of an answer is shared out among attempts and waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from shared.llm import router as module
from shared.llm.api import is_neutral
from shared.llm.deadlines import Deadlines
from shared.llm.provider import MORE_ROOM, Provider
from shared.llm.router import NoModelAnswered, Router, from_settings
from shared.model import Completion
from shared.resilience import backoff
from shared.resilience.breaker import Breakers
from tests.factories import settings
from tests.unit.fixtures_router import ANSWER, MESSAGES, World, down, outcomes, run


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without waiting; tests that are about waiting read Retry-After."""
    monkeypatch.setattr(module, "BACKOFF_BASE_S", 0.0)


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
    router = Router([provider], world.breakers, clock=world.clock, deadlines=Deadlines(total_s=30.0))
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

    world.router.steps[0].provider._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    world.answers["one"] = lambda number: ANSWER if number > 1 else CUT
    assert outcomes(world.ask()) == [("one", "truncated"), ("one", "ok")]
    assert room == [9, 9 * MORE_ROOM]
    assert all(seconds == 0 for seconds in slept)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (CUT, CUT, [("one", "truncated"), ("one", "truncated")]),
        (httpx.Response(400), CUT, [("one", "llm_rejected"), ("two", "truncated"), ("two", "truncated")]),
    ],
)
def test_an_answer_that_does_not_fit_with_more_room_either_is_asked_of_nobody_else(
    first: httpx.Response, second: httpx.Response, told: list[tuple[str, str]]
) -> None:
    world = World("one", "two", "three")
    world.answers |= {"one": lambda _: first, "two": lambda _: second}
    with pytest.raises(NoModelAnswered) as caught:
        world.ask()
    assert [(attempt.provider, attempt.outcome) for attempt in caught.value.attempts] == told
    assert world.asked["three"] == 0


def test_a_model_whose_reasoning_was_shown_is_asked_once_more_and_heard_when_it_is_whole() -> None:
    def said(*texts: str) -> httpx.Response:
        pieces: list[dict[str, Any]] = [{"choices": [{"delta": {"content": text}}]} for text in texts]
        pieces.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        return httpx.Response(200, content="".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces).encode())

    world = World("one", "two")
    world.answers["one"] = lambda number: ANSWER if number == 1 else said("Let me ", "think. </think>", "Nine [1].")
    world.ask()
    completion = world.ask()
    assert outcomes(completion) == [("one", "reasoning_shown"), ("one", "ok")]
    assert completion.text == "Nine [1]."
    assert world.breakers.states()[("one", "m")] == "closed"
