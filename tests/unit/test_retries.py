"""Retries inside a process: what is tried again, how long is waited, and what ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from random import Random

import pytest

from shared.clock import SystemClock
from shared.errors import ModelUnavailable, Permanent, ServiceFailed, Transient
from shared.llm.api import CallFailed
from shared.resilience import retries
from shared.resilience.breaker import Breaker, BreakerOpen
from shared.resilience.retries import Policy

QUICK = Policy(attempts=3, base_s=0.0, cap_s=0.0)


def _calls(policy: Policy, *errors: BaseException | None, left_s: float = 60.0) -> tuple[int, BaseException | None]:
    """How often it was called, and what it raised in the end."""
    made = 0

    async def call() -> None:
        nonlocal made
        made += 1
        error = errors[min(made, len(errors)) - 1]
        if error is not None:
            raise error

    async def talk() -> None:
        await retries.retrying(policy, SystemClock().monotonic_s() + left_s, rng=Random(1))(call)

    try:
        asyncio.run(asyncio.wait_for(talk(), 10))
    except Exception as e:  # noqa: BLE001 (whatever it was is what the test is about)
        return made, e
    return made, None


@pytest.mark.parametrize("error", [ServiceFailed("down"), CallFailed("http_5xx", retry=True)], ids=repr)
def test_what_may_pass_is_tried_again_up_to_the_attempts(error: Exception) -> None:
    assert _calls(QUICK, error, None) == (2, None)
    assert _calls(QUICK, error) == (3, error)


@pytest.mark.parametrize(
    "error",
    [
        BreakerOpen("x"), Permanent("rejected"), Transient("later"), ModelUnavailable("away"), ValueError("a fault"),
        CallFailed("malformed", retry=False), TimeoutError(),
    ],
    ids=repr,
)  # fmt: skip
def test_nothing_else_is_and_never_an_open_breaker(error: Exception) -> None:
    assert _calls(QUICK, error) == (1, error)


def test_a_breaker_inside_sees_each_attempt_and_ends_the_retries_when_it_opens() -> None:
    breaker = Breaker("x", failures=2)
    made = 0

    async def call() -> None:
        nonlocal made
        async with breaker.guarding():
            made += 1
            raise ServiceFailed("down")

    async def talk() -> None:
        await retries.retrying(Policy(5, 0.0, 0.0), SystemClock().monotonic_s() + 60)(call)

    with pytest.raises(BreakerOpen):
        asyncio.run(talk())
    assert made == 2


def test_a_wait_that_was_asked_for_is_kept() -> None:
    asked = ServiceFailed("slow down", retry_after_s=0.05)
    assert _calls(Policy(2, 0.0, 0.0, patience_s=0.01), asked) == (1, asked)
    assert _calls(Policy(2, 0.0, 0.0, patience_s=1.0), asked) == (2, asked)


def test_the_deadline_bounds_attempts_and_waits() -> None:
    error = ServiceFailed("down", retry_after_s=5.0)
    assert _calls(QUICK, error, left_s=4.0) == (1, error)
    assert _calls(Policy(3, 0.0, 0.0, worthwhile_s=2.0), ServiceFailed("down"), left_s=1.0)[0] == 1


def _in_thread(stopping: threading.Event, call: Callable[[], None]) -> BaseException | None:
    try:
        retries.retrying_here(Policy(5, 600.0, 600.0), 3600.0, stopping=stopping)(call)
    except ServiceFailed as e:
        return e
    return None


def test_a_thread_s_wait_ends_when_the_process_stops() -> None:
    stopping, made, ended = threading.Event(), threading.Semaphore(0), threading.Event()
    raised: list[BaseException | None] = []

    def call() -> None:
        made.release()
        raise ServiceFailed("down", retry_after_s=600.0)

    def work() -> None:
        raised.append(_in_thread(stopping, call))
        ended.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert made.acquire(timeout=10)
    stopping.set()
    assert ended.wait(10)  # and not after ten minutes
    thread.join(10)
    assert [str(error) for error in raised] == ["down"]


def test_a_task_s_wait_ends_when_it_is_cancelled() -> None:
    async def talk() -> None:
        began = asyncio.Event()

        async def call() -> None:
            began.set()
            raise ServiceFailed("down", retry_after_s=600.0)

        retrying = retries.retrying(QUICK, SystemClock().monotonic_s() + 3600)
        task: asyncio.Future[None] = asyncio.ensure_future(retrying(call))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(talk(), 10))
