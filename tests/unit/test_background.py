"""A background thread goes on whatever happens to it, stands still while something is away, and stops when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs

from workers.background import FAILURE_PAUSES_S, BackgroundThread

WITHIN_S = 10.0


class Scripted(BackgroundThread):
    """Each round does the next thing of a script; `done` is set when the script is over."""

    def __init__(self, *script: Callable[[], float]) -> None:
        super().__init__("scripted")
        self._script = iter(script)
        self.rounds = 0
        self.done = threading.Event()

    def step(self) -> float:
        self.rounds += 1
        for act in self._script:
            return act()
        self.done.set()
        return WITHIN_S


@pytest.fixture
def run() -> Iterator[Callable[..., Scripted]]:
    started: list[Scripted] = []

    def run(*script: Callable[[], float]) -> Scripted:
        thread = Scripted(*script)
        started.append(thread)
        thread.start()
        return thread

    yield run
    for thread in started:
        thread.stop()


def _fail() -> float:
    raise RuntimeError("words of a customer")


def _go_on() -> float:
    return 0.0


def test_a_failing_round_is_tried_again_and_told_without_its_words(run: Callable[..., Scripted]) -> None:
    with capture_logs() as logs:
        thread = run(_fail, _fail, _go_on, _fail)
        assert thread.done.wait(WITHIN_S)

    told = [(line["event"], line["failures"], line["error"]) for line in logs]
    # a round that went well ends the row of failures
    assert told == [("background_thread_failed", count, "RuntimeError") for count in (1, 2, 1)]
    assert "customer" not in str(logs)


def test_a_round_that_goes_on_at_once_does_not_wait(run: Callable[..., Scripted]) -> None:
    thread = run(*[_go_on] * 1000)

    assert thread.done.wait(WITHIN_S)
    assert thread.rounds == 1001


def test_stopping_ends_a_pause(run: Callable[..., Scripted]) -> None:
    thread = run()
    assert thread.done.wait(WITHIN_S)  # it pauses now, for long

    thread.stop()

    assert not thread.is_alive()
    assert thread.rounds == 1


def test_stopping_one_that_never_started_is_nothing() -> None:
    thread = Scripted()
    thread.stop()
    assert not thread.is_alive()


def test_pauses_after_failures_are_short_at_first_and_bounded() -> None:
    assert list(FAILURE_PAUSES_S) == sorted(FAILURE_PAUSES_S)
    assert FAILURE_PAUSES_S[-1] <= 5
