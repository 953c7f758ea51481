"""When a worker takes itself for stalled, and what a health check sees of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.probe import look
from workers.stall_watchdog import StallDetector, write_mark

AFTER_S = 60.0


@pytest.fixture
def ear() -> StallDetector:
    ear = StallDetector(AFTER_S)
    ear.stalled(0.0, waiting=0, taken=7, busy=False)
    return ear


def test_wakeups_that_wait_while_none_is_taken_are_a_stall_after_a_while(ear: StallDetector) -> None:
    seen = [ear.stalled(t, waiting=3, taken=7, busy=False) for t in (10.0, 40.0, 69.9, 70.0)]
    assert seen == [False, False, False, True]


def test_a_worker_that_takes_rings_however_slowly_is_none(ear: StallDetector) -> None:
    assert not any(ear.stalled(50.0 * n, waiting=99, taken=7 + n, busy=False) for n in range(1, 20))


def test_nor_is_one_whose_queue_is_empty_or_whose_threads_are_all_at_work(ear: StallDetector) -> None:
    assert not any(ear.stalled(50.0 * n, waiting=0, taken=7, busy=False) for n in range(20))
    assert not any(ear.stalled(50.0 * n, waiting=9, taken=7, busy=True) for n in range(20))


def test_nor_is_one_whose_broker_nobody_can_ask(ear: StallDetector) -> None:
    assert not any(ear.stalled(50.0 * n, waiting=None, taken=7, busy=False) for n in range(20))


def test_waiting_begins_anew_when_the_queue_was_empty_between(ear: StallDetector) -> None:
    assert not ear.stalled(10.0, waiting=1, taken=7, busy=False)
    assert not ear.stalled(50.0, waiting=0, taken=7, busy=False)
    assert not ear.stalled(80.0, waiting=1, taken=7, busy=False)
    assert ear.deaf_for_s(100.0) == 20.0


def test_alive_is_a_thread_that_runs_and_ready_is_a_consumer_that_hears(tmp_path: Path) -> None:
    mark = tmp_path / "reply.alive"
    assert look(mark, 0.0, ready=False) == "it has left no mark"
    mark.write_text("nonsense")
    assert look(mark, 0.0, ready=False) == "it has left no mark"

    write_mark(mark, 40.0)
    at = mark.stat().st_mtime
    assert look(mark, at, ready=False) is None
    assert "takes none" in str(look(mark, at, ready=True))
    assert "old" in str(look(mark, at + 60, ready=False))

    write_mark(mark, 0.0)
    assert look(mark, mark.stat().st_mtime, ready=True) is None
    assert [path.name for path in tmp_path.iterdir()] == ["reply.alive"]
