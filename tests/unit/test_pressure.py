"""The steps of an overload: entered at once, left one by one and only after a calm."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.clock import FixedClock
from shared.resilience.pressure import Pressure, time_to_clear_s


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture
def pressure(clock: FixedClock) -> Pressure:
    return Pressure((15.0, 45.0, 180.0), clock, calm_s=20.0)


def test_time_to_clear_is_what_is_due_at_the_pace_of_now() -> None:
    assert time_to_clear_s(0, 0.0, 0, 10.0) == 0.0
    assert time_to_clear_s(100, 3.0, 50, 10.0) == 20.0
    assert time_to_clear_s(5, 7.0, 0, 10.0) == 7.0  # nothing is done: the oldest one's age
    assert time_to_clear_s(5, 3600.0, 50, 10.0) == 1.0  # an old heap that is nearly cleared is no overload


def test_steps_are_entered_at_once(pressure: Pressure) -> None:
    assert [pressure.observe(s) for s in (0.0, 14.9, 15.0, 44.0, 500.0)] == [0, 0, 1, 1, 3]


def test_steps_are_left_one_by_one_after_a_calm_each(pressure: Pressure, clock: FixedClock) -> None:
    pressure.observe(200.0)
    seen = []
    for _ in range(8):
        seen.append(pressure.observe(1.0))
        clock.advance(10.0)
    assert seen == [3, 3, 2, 2, 1, 1, 0, 0]


def test_what_goes_up_and_down_around_a_threshold_changes_no_step(pressure: Pressure, clock: FixedClock) -> None:
    pressure.observe(16.0)
    for _ in range(50):
        assert pressure.observe(9.0) == 1  # below the threshold, above half of it
        clock.advance(10.0)
        assert pressure.observe(16.0) == 1
        clock.advance(10.0)


def test_a_calm_that_is_interrupted_begins_anew(pressure: Pressure, clock: FixedClock) -> None:
    pressure.observe(20.0)
    pressure.observe(1.0)
    clock.advance(15.0)
    pressure.observe(10.0)
    clock.advance(10.0)
    assert pressure.observe(1.0) == 1
    clock.advance(20.0)
    assert pressure.observe(1.0) == 0


def test_steps_that_do_not_rise_are_refused(clock: FixedClock) -> None:
    with pytest.raises(ValueError, match="later"):
        Pressure((15.0, 15.0), clock)
