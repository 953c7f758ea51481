from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator

import pytest

from shared.errors import Cancelled, Transient
from shared.resilience.loop import Call, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    running = Loop("test")
    running.start()
    yield running
    running.stop()


async def forever(began: threading.Event, closed: threading.Event) -> None:
    try:
        began.set()
        await asyncio.Event().wait()
    finally:
        closed.set()


async def value(of: int) -> int:
    return of


def test_a_result_comes_back_to_the_thread_that_asked(loop: Loop) -> None:
    assert loop.run(value(7), timeout_s=5) == 7


def test_an_error_comes_back_as_it_is(loop: Loop) -> None:
    async def broken() -> None:
        raise Transient("away", retry_after_s=3)

    with pytest.raises(Transient) as caught:
        loop.run(broken(), timeout_s=5)
    assert caught.value.retry_after_s == 3


def test_a_deadline_holds_against_a_drip_and_ends_the_work(loop: Loop) -> None:
    closed = threading.Event()

    async def drip() -> None:
        try:
            for _ in itertools.count():  # a timeout on each wait would never strike
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    with pytest.raises(TimeoutError):
        loop.run(drip(), timeout_s=0.05)
    assert closed.wait(5)


def test_the_works_own_timeout_is_not_taken_for_the_deadline(loop: Loop) -> None:
    async def own() -> None:
        raise TimeoutError("own")

    with pytest.raises(TimeoutError, match="own"):
        loop.run(own(), timeout_s=5)


def test_another_thread_can_call_it_off_and_the_waiter_hears_at_once(loop: Loop) -> None:
    began, closed = threading.Event(), threading.Event()
    call = loop.spawn(forever(began, closed))
    assert began.wait(5)
    threading.Thread(target=call.cancel).start()
    with pytest.raises(Cancelled):
        call.result(timeout_s=10)
    assert closed.wait(5)


def test_the_waiter_is_free_even_if_the_work_will_not_end(loop: Loop) -> None:
    began, release = threading.Event(), asyncio.Event()

    async def stubborn() -> None:
        began.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    call = loop.spawn(stubborn())
    assert began.wait(5)
    call.cancel()
    with pytest.raises(Cancelled):
        call.result(timeout_s=10)

    async def let_go() -> None:
        release.set()

    loop.run(let_go(), timeout_s=5)


def test_calling_off_what_is_done_changes_nothing(loop: Loop) -> None:
    call = loop.spawn(value(1))
    assert call.result(5) == 1
    call.cancel()
    assert call.result(5) == 1


def test_stop_frees_every_waiter_and_ends_the_thread() -> None:
    loop = Loop("stopping")
    loop.start()
    events = [(threading.Event(), threading.Event()) for _ in range(5)]
    calls: list[Call[None]] = [loop.spawn(forever(*pair)) for pair in events]
    assert all(began.wait(5) for began, _ in events)
    loop.stop()
    for call in calls:
        with pytest.raises(Cancelled):
            call.result(0)
    assert all(closed.is_set() for _, closed in events)
    assert "stopping" not in {thread.name for thread in threading.enumerate()}


def test_after_stop_new_work_is_cancelled() -> None:
    loop = Loop()
    loop.start()
    loop.stop()
    loop.stop()
    with pytest.raises(Cancelled):
        loop.run(value(1), timeout_s=5)


def test_nothing_runs_before_start() -> None:
    before = threading.active_count()
    loop = Loop()
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="start"):
        loop.spawn(value(1))


def test_waiting_on_the_loops_own_thread_is_refused(loop: Loop) -> None:
    async def inside() -> int:
        return loop.run(value(1), timeout_s=5)

    with pytest.raises(RuntimeError, match="own thread"):
        loop.run(inside(), timeout_s=5)
