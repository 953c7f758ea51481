from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from shared.clock import FixedClock
from shared.errors import Cancelled, ModelUnavailable, Permanent
from shared.resilience import metrics
from shared.resilience.breaker import Breaker, BreakerOpen, Breakers
from tests.counted import counted


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2030, 1, 1, tzinfo=UTC))


def fail(breaker: Breaker, times: int = 1, error: BaseException | None = None) -> None:
    for _ in range(times):
        with pytest.raises((ModelUnavailable, Permanent, Cancelled, asyncio.CancelledError)), breaker.calling():
            raise error or ModelUnavailable("down")


def opened(clock: FixedClock) -> Breaker:
    breaker = Breaker("x", clock=clock)
    fail(breaker, 5)
    return breaker


def state(breaker: Breaker) -> str:
    return breaker.current_state


def refused(breaker: Breaker) -> bool:
    try:
        with breaker.calling():
            return False
    except BreakerOpen:
        return True


def test_five_failures_in_a_row_open_it(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    fail(breaker, 4)
    assert state(breaker) == "closed"
    fail(breaker)
    assert state(breaker) == "open"


def test_the_caller_sees_the_error_itself_also_when_it_opens_the_breaker(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    for number in range(5):
        with pytest.raises(ModelUnavailable, match=f"number {number}") as caught, breaker.calling():
            raise ModelUnavailable(f"number {number}")
        assert not isinstance(caught.value, BreakerOpen)


def test_a_success_between_starts_the_count_again(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    fail(breaker, 4)
    with breaker.calling():
        pass
    fail(breaker, 4)
    assert state(breaker) == "closed"


def test_an_open_breaker_says_when_to_come_back_and_does_not_call(clock: FixedClock) -> None:
    breaker = opened(clock)
    clock.advance(20)
    with pytest.raises(BreakerOpen) as caught, breaker.calling():
        pytest.fail("it called")
    assert caught.value.retry_after_s == pytest.approx(40)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Cancelled("off")])
def test_calling_off_counts_neither_as_failure_nor_as_success(clock: FixedClock, error: BaseException) -> None:
    breaker = Breaker("x", clock=clock)
    fail(breaker, 4)
    fail(breaker, 20, error)
    assert state(breaker) == "closed"
    fail(breaker)  # the fifth real one: the cancelled ones have not cleared the count
    assert state(breaker) == "open"


def test_neutral_errors_count_neither_way(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock, neutral=lambda e: isinstance(e, Permanent))
    fail(breaker, 4)
    fail(breaker, 20, Permanent("rejected"))
    assert state(breaker) == "closed"
    fail(breaker)
    assert state(breaker) == "open"


def test_a_successful_trial_closes_it(clock: FixedClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    assert state(breaker) == "half-open"
    with breaker.calling():
        pass
    assert state(breaker) == "closed"
    fail(breaker, 4)
    assert state(breaker) == "closed"


def test_a_failed_trial_opens_it_for_the_whole_time_again(clock: FixedClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    fail(breaker)
    clock.advance(59)
    assert refused(breaker)
    clock.advance(1)
    assert not refused(breaker)


def test_a_cancelled_trial_leaves_its_place_to_the_next(clock: FixedClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    fail(breaker, 1, Cancelled("off"))
    assert state(breaker) == "half-open"
    assert not refused(breaker)
    assert state(breaker) == "closed"


def test_of_twenty_threads_exactly_one_makes_the_trial_call(clock: FixedClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    start, all_asked = threading.Barrier(20), threading.Semaphore(0)
    through: list[int] = []

    def ask(number: int) -> None:
        start.wait(10)
        try:
            with breaker.calling():
                through.append(number)
                for _ in range(19):  # stays inside until all others were refused
                    assert all_asked.acquire(timeout=10)
        except BreakerOpen:
            all_asked.release()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(through) == 1
    assert state(breaker) == "closed"


def test_calls_run_side_by_side_while_it_is_closed(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    together = threading.Barrier(4)

    def call() -> None:
        with breaker.calling():
            together.wait(10)  # breaks unless all four are inside at once

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not together.broken


def test_a_call_from_before_the_opening_cannot_close_it(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    with breaker.calling():
        fail(breaker, 5)
        clock.advance(60)
    assert state(breaker) == "half-open"


def test_each_model_of_a_provider_has_a_breaker_of_its_own(clock: FixedClock) -> None:
    breakers = Breakers(clock=clock)
    fail(breakers.of("a", "large"), 5)
    assert breakers.states() == {("a", "large"): "open"}
    assert state(breakers.of("a", "small")) == "closed"
    assert state(breakers.of("a", "large")) == "open"


def test_it_can_stand_where_another_one_stands(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    breaker.align(failures=4, open_for_s=None)
    fail(breaker)
    assert state(breaker) == "open"
    breaker.align(failures=0, open_for_s=None)
    fail(breaker, 4)
    assert (state(breaker), breaker.failures) == ("closed", 4)
    breaker.align(failures=0, open_for_s=20)
    assert (state(breaker), breaker.open_for_s()) == ("open", 20)
    clock.advance(20)
    assert not refused(breaker)
    assert (state(breaker), breaker.open_for_s()) == ("closed", None)


def test_a_call_from_before_it_was_aligned_counts_no_more(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    with breaker.calling():
        breaker.align(failures=0, open_for_s=20)
    assert state(breaker) == "open"


def test_an_open_breaker_tells_how_long_yet_and_a_closed_one_nothing(clock: FixedClock) -> None:
    breaker = opened(clock)
    assert (breaker.open_for_s(), breaker.failures) == (60.0, 5)
    clock.advance(59.5)
    assert (breaker.open_for_s(), state(breaker)) == (0.5, "open")
    clock.advance(0.5)
    assert (breaker.open_for_s(), state(breaker)) == (0.0, "half-open")
    clock.advance(30)
    assert breaker.open_for_s() == 0.0
    with breaker.calling():
        pass
    assert (breaker.open_for_s(), breaker.failures, state(breaker)) == (None, 0, "closed")


def test_a_breaker_opens_after_its_own_number_of_failures_for_its_own_time(clock: FixedClock) -> None:
    breakers = Breakers(failures=2, open_for_s=7.0, clock=clock, neutral=lambda error: isinstance(error, Permanent))
    breaker = breakers.of("one", "m")
    fail(breaker, 3, Permanent("rejected"))
    fail(breaker)
    assert breakers.states() == {("one", "m"): "closed"}
    fail(breaker)
    assert (breakers.states(), breaker.open_for_s(), breaker.name) == ({("one", "m"): "open"}, 7.0, "one/m")
    with pytest.raises(BreakerOpen, match=r"^one/m: breaker open$"), breaker.calling():
        pytest.fail("it called")


def test_who_comes_during_the_trial_call_is_told_to_come_back_in_a_second(clock: FixedClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    with breaker.calling():
        with pytest.raises(BreakerOpen, match=r"^x: trial call under way$") as caught, breaker.calling():
            pytest.fail("it called")
        assert caught.value.retry_after_s == 1.0


def test_a_failed_trial_is_counted_from_its_end(clock: FixedClock) -> None:
    breaker = opened(clock)
    clock.advance(60)
    era = breaker.admit()
    clock.advance(10)
    breaker.settle(era, ModelUnavailable())
    assert breaker.open_for_s() == 60.0


def test_it_counts_on_from_where_another_one_stands(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    breaker.align(failures=4, open_for_s=None)
    assert (breaker.failures, state(breaker)) == (4, "closed")
    fail(breaker)
    assert state(breaker) == "open"
    breaker.align(failures=0, open_for_s=12.0)
    assert breaker.open_for_s() == 12.0
    breaker.align(failures=2, open_for_s=None)
    assert (breaker.failures, state(breaker), breaker.open_for_s()) == (2, "closed", None)
    breaker.align(failures=0, open_for_s=0.0)
    assert state(breaker) == "half-open"


def test_each_change_of_state_is_counted(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    with counted() as book:
        fail(breaker, 5)
        clock.advance(60)
        fail(breaker)
        clock.advance(60)
        with breaker.calling():
            pass
        with breaker.calling():
            pass
    assert [book.of(metrics.BREAKER_CHANGES, "x", to) for to in ("open", "half-open", "closed")] == [2, 2, 1]


def test_how_many_processes_have_it_open_is_told(clock: FixedClock) -> None:
    with counted() as book:
        breaker = Breaker("x", clock=clock)
        told = [book.of(metrics.BREAKERS_OPEN, "x")]
        fail(breaker, 5)
        told.append(book.of(metrics.BREAKERS_OPEN, "x"))
        clock.advance(60)
        with breaker.calling():
            told.append(book.of(metrics.BREAKERS_OPEN, "x"))
        told.append(book.of(metrics.BREAKERS_OPEN, "x"))
    assert told == [0, 1, 0, 0]


def test_a_call_from_before_two_changes_counts_in_neither_state(clock: FixedClock) -> None:
    breaker = Breaker("x", failures=1, clock=clock)
    before = breaker.admit()
    fail(breaker)
    clock.advance(60)
    with breaker.calling():
        breaker.settle(before, ModelUnavailable())  # while another one's trial is under way
        assert state(breaker) == "half-open"
        assert refused(breaker)
    breaker.settle(before, ModelUnavailable())
    assert (state(breaker), breaker.failures) == ("closed", 0)


def test_a_call_from_before_a_recovery_counts_for_nothing_in_the_next_one(clock: FixedClock) -> None:
    breaker = Breaker("x", failures=1, clock=clock)
    fail(breaker)
    clock.advance(60)
    with breaker.calling():
        pass
    before = breaker.admit()
    fail(breaker)
    clock.advance(60)
    with breaker.calling():
        breaker.settle(before)
        assert state(breaker) == "half-open"


def test_taking_over_the_state_that_it_has_lets_calls_under_way_count(clock: FixedClock) -> None:
    breaker = Breaker("x", clock=clock)
    era = breaker.admit()
    breaker.align(failures=2, open_for_s=None)
    breaker.settle(era, ModelUnavailable())
    assert breaker.failures == 3


def test_a_call_that_another_breaker_let_through_counts_only_while_this_one_is_closed(clock: FixedClock) -> None:
    breaker = Breaker("x", failures=2, clock=clock)
    breaker.settle(None, ModelUnavailable())
    assert breaker.failures == 1
    breaker.settle(None, ModelUnavailable())
    assert state(breaker) == "open"
    clock.advance(60)
    with breaker.calling():
        breaker.settle(None)
        assert state(breaker) == "half-open"
