"""Wake-ups gathered: none that was asked for is lost, whatever is under way, and one stands for many."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from celery import Celery, Task

from tasks.wakeups import WakeupCoalescer

WITHIN_S = 10.0
NEVER_S = 3600.0


class Broker:
    """Takes wake-ups one at a time; `open` lets them through. rung: (task, countdown) as they came."""

    def __init__(self) -> None:
        self.woken: list[tuple[str, float]] = []
        self.open = threading.Event()
        self.open.set()
        self.came = threading.Semaphore(0)
        self.under_way = 0
        self.most_at_once = 0

    def wake_up(self, task: Task, countdown_s: float) -> None:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        self.woken.append((str(task.name), countdown_s))
        self.came.release()
        assert self.open.wait(WITHIN_S)
        self.under_way -= 1

    def wait(self, wakeups: int = 1) -> None:
        for _ in range(wakeups):
            assert self.came.acquire(timeout=WITHIN_S)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def tasks() -> tuple[Any, Any]:
    app = Celery("test", broker="memory://", set_as_current=False)
    return app.task(_nothing, name="one.do", shared=False), app.task(_nothing, name="two.do", shared=False)


def _nothing() -> None: ...


def test_the_first_wake_up_of_a_kind_waits_for_nothing(broker: Broker, tasks: tuple[Any, Any]) -> None:
    wakeups = WakeupCoalescer(broker.wake_up, pause_s=NEVER_S)
    for task in tasks:
        wakeups.request(task)
    broker.wait(2)

    assert sorted(broker.woken) == [("one.do", 0.0), ("two.do", 0.0)]
    wakeups.close()


def test_what_is_asked_for_while_a_ring_is_on_its_way_gets_one_more_ring_and_only_one(
    broker: Broker, tasks: tuple[Any, Any]
) -> None:
    wakeups = WakeupCoalescer(broker.wake_up, pause_s=0.0)
    broker.open.clear()
    wakeups.request(tasks[0])
    broker.wait()
    for _ in range(50):
        wakeups.request(tasks[0])
    broker.open.set()
    broker.wait()
    wakeups.close()

    assert len(broker.woken) == 2
    assert broker.most_at_once == 1


def test_within_the_pause_requests_gather_and_closing_rings_for_them_at_once(
    broker: Broker, tasks: tuple[Any, Any]
) -> None:
    wakeups = WakeupCoalescer(broker.wake_up, pause_s=NEVER_S)
    wakeups.request(tasks[0])
    broker.wait()
    for _ in range(50):
        wakeups.request(tasks[0])
    assert len(broker.woken) == 1

    wakeups.close()

    assert len(broker.woken) == 2
    wakeups.request(tasks[0])
    assert len(broker.woken) == 2


def test_a_ring_for_now_does_not_wait_for_one_for_later_which_closing_leaves_to_the_broker(
    broker: Broker, tasks: tuple[Any, Any]
) -> None:
    wakeups = WakeupCoalescer(broker.wake_up)
    for later_s in (20.0, 30.0):
        wakeups.request(tasks[0], due_s=time.monotonic() + later_s)
    wakeups.request(tasks[0])
    broker.wait()
    assert broker.woken == [("one.do", 0.0)]

    wakeups.close()

    # what became due after its wake-up would wait for the sweeper
    [_, (name, countdown_s)] = broker.woken
    assert name == "one.do"
    assert 25 < countdown_s <= 30


def test_a_ring_for_later_goes_out_when_it_is_due_and_not_before(broker: Broker, tasks: tuple[Any, Any]) -> None:
    wakeups = WakeupCoalescer(broker.wake_up, pause_s=0.0)
    due_s = [time.monotonic() + later_s for later_s in (0.06, 0.02)]
    for at_s in due_s:
        wakeups.request(tasks[0], due_s=at_s)

    came_s = []
    for _ in due_s:
        broker.wait()
        came_s.append(time.monotonic())
    wakeups.close()

    assert all(came >= due for came, due in zip(came_s, sorted(due_s), strict=True))
    assert broker.woken == [("one.do", 0.0)] * 2


def test_one_ring_stands_for_all_that_is_due(broker: Broker, tasks: tuple[Any, Any]) -> None:
    wakeups = WakeupCoalescer(broker.wake_up, pause_s=0.0)
    broker.open.clear()
    wakeups.request(tasks[1])
    broker.wait()
    for _ in range(50):
        wakeups.request(tasks[0], due_s=time.monotonic() - 1)
    broker.open.set()
    broker.wait()
    wakeups.close()

    assert broker.woken == [("two.do", 0.0), ("one.do", 0.0)]


def test_many_threads_lose_no_request(tasks: tuple[Any, Any]) -> None:
    """The last wake-up began after the last request."""
    asked, known, lock = [0], [0], threading.Lock()

    def wake_up(task: Task, countdown_s: float) -> None:
        known[0] = asked[0]

    wakeups = WakeupCoalescer(wake_up, pause_s=0.0)

    def ask() -> None:
        for _ in range(200):
            with lock:
                asked[0] += 1
            wakeups.request(tasks[0])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    wakeups.close()

    assert known == asked == [1600]


def test_a_broker_that_hangs_does_not_keep_the_process_from_ending(
    broker: Broker, tasks: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.wakeups.CLOSE_WITHIN_S", 0.05)
    wakeups = WakeupCoalescer(broker.wake_up)
    broker.open.clear()
    wakeups.request(tasks[0])
    broker.wait()

    wakeups.close()

    assert broker.under_way == 1  # it hangs still, and close() has returned
    broker.open.set()
