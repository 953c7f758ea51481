"""What the router tells of its attempts: to who listens, in receipts and in metrics."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest

from shared.llm import metrics
from shared.llm import router as module
from shared.llm.provider import Provider
from shared.llm.router import Router
from tests.counted import counted
from tests.unit.fixtures_router import ANSWER, MESSAGES, World, down, run


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without waiting; tests that are about waiting read Retry-After."""
    monkeypatch.setattr(module, "BACKOFF_BASE_S", 0.0)


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


def test_a_call_that_was_cancelled_is_counted_as_such() -> None:
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
