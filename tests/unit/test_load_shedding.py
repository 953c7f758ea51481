"""The steps of an overload: who waits, entered at once, left one by one after a calm, and later the second time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.clock import FixedClock
from shared.resilience.load_shedding import (
    CALM_SHARE,
    FORGOTTEN_AFTER_S,
    SETTLED_AFTER_S,
    WINDOW_S,
    LoadShedding,
    OverdueTurns,
    Pace,
    Rules,
    State,
    move,
    times_to_clear_s,
)

RULES = Rules((15.0, 45.0, 600.0), recovery_s=20.0)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 1, tzinfo=UTC))


def _waits(per_s: float, **due: int) -> dict[str, float]:
    behind = {number: OverdueTurns(count, 7.0) for number, count in enumerate(due.values())}
    found = times_to_clear_s(behind, per_s)
    return {name: found[number] for number, name in enumerate(due)}


def test_who_brings_the_overload_waits_and_the_others_do_not() -> None:
    waits = _waits(10.0, noisy=1000, quiet=1, other=2)
    assert waits == {"noisy": 100.3, "quiet": 0.3, "other": 0.5}


def test_where_all_bring_it_all_wait() -> None:
    assert _waits(10.0, one=200, two=200) == {"one": 40.0, "two": 40.0}


def test_nothing_waits_for_nothing_and_without_a_pace_the_age_stands_for_it() -> None:
    assert times_to_clear_s({}, 5.0) == {}
    assert _waits(0.0, one=3) == {"one": 7.0}


def _levels(*seen: tuple[float, float], state: State | None = None) -> list[int]:
    """Of looks (time, time to clear)."""
    levels = []
    for now_s, clear_s in seen:
        state = move(state, clear_s, now_s, RULES)
        levels.append(state.level if state else 0)
    return levels


def test_steps_are_entered_at_once() -> None:
    assert _levels((0, 14.9), (2, 15.0), (4, 44.0), (6, 46.0)) == [0, 1, 1, 2]
    assert _levels((0, 50.0)) == [2]


def test_nobody_is_handed_over_by_the_pace_of_full_answers() -> None:
    """Ten thousand wait a quarter of an hour for a model, and a minute for passages."""
    assert _levels((0, 1000.0), (2, 900.0), (14, 650.0), (16, 60.0), (18, 60.0)) == [2, 2, 2, 2, 2]
    assert _levels((0, 1000.0), (2, 900.0), (14, 650.0), (16, 620.0)) == [2, 2, 2, 3]


def test_steps_are_left_one_by_one_after_a_calm_each() -> None:
    looks = [(float(now), 1.0) for now in range(10, 90, 10)]
    assert _levels(*looks, state=State(3, None, 20.0, None)) == [3, 3, 2, 2, 1, 1, 0, 0]


def test_what_goes_up_and_down_around_a_threshold_changes_no_step() -> None:
    looks = [(now * 10.0, 16.0 if now % 2 else 9.0) for now in range(1, 60)]
    assert set(_levels(*looks)) == {1}


def test_a_calm_that_is_interrupted_begins_anew() -> None:
    assert _levels((0, 20.0), (1, 1.0), (16, 10.0), (26, 1.0), (45, 1.0), (46, 1.0)) == [1, 1, 1, 1, 1, 0]


def test_a_step_that_was_left_too_early_needs_twice_the_calm_and_a_quiet_time_forgets_it() -> None:
    state = None
    for now_s, clear_s in ((0.0, 20.0), (1.0, 0.0), (21.0, 0.0), (30.0, 20.0)):
        state = move(state, clear_s, now_s, RULES)
    assert state == State(1, None, 40.0, None, 30.0)

    assert _levels((31, 0.0), (52, 0.0), (70, 0.0), (71, 0.0), state=state) == [1, 1, 1, 0]
    calm = State(0, 71.0, 40.0, 71.0)
    assert move(calm, 0.0, 71.0 + FORGOTTEN_AFTER_S - 1, RULES) == calm
    assert move(calm, 0.0, 71.0 + FORGOTTEN_AFTER_S, RULES) is None


def test_a_company_that_was_never_behind_is_not_kept() -> None:
    assert move(None, 3.0, 0.0, RULES) is None


def test_steps_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^each step should be entered later than the one before it$"):
        Rules((15.0, 15.0, 60.0), 20.0)


def test_the_pace_is_what_all_slots_can_do_also_while_few_are_used(clock: FixedClock) -> None:
    pace = Pace(10, clock)
    assert pace.per_s() == 0.0  # nobody knows
    with pace.piece():
        clock.advance(2.0)
    assert pace.per_s() == 5.0
    clock.advance(3600.0)
    assert pace.per_s() == 5.0  # idle, and no slower for it


def test_what_takes_long_and_does_not_end_slows_the_pace(clock: FixedClock) -> None:
    pace = Pace(10, clock)
    with pace.piece():
        clock.advance(1.0)
    with pace.piece():
        clock.advance(20.0)
        assert pace.per_s() == 0.5
    assert pace.per_s() == 0.5


def test_a_company_that_is_not_named_gets_full_answers(clock: FixedClock) -> None:
    shedding = LoadShedding(4, clock)
    shedding.set_levels({7: 2})
    assert (shedding.step(7), shedding.step(8)) == ("passages", "full")
    shedding.set_levels({})
    assert shedding.step(7) == "full"


# ------------------------------------------------------------------ at the bounds


@pytest.mark.parametrize(("per_s", "wait_s"), [(0.5, 6.0), (1.0, 3.0), (-1.0, 7.0)])
def test_also_a_slow_pace_is_one(per_s: float, wait_s: float) -> None:
    assert _waits(per_s, one=3) == {"one": wait_s}


def test_an_age_from_a_clock_that_is_ahead_is_none() -> None:
    assert times_to_clear_s({1: OverdueTurns(3, -5.0), 2: OverdueTurns(3, 0.5)}, 0.0) == {1: 0.0, 2: 0.5}


def test_people_are_called_once_the_second_step_has_lasted_to_the_second() -> None:
    entered = State(2, None, 20.0, None, entered_at_s=100.0)
    before = move(entered, 700.0, 100.0 + SETTLED_AFTER_S - 0.5, RULES)
    assert before is not None
    assert before.level == 2
    assert move(entered, 700.0, 100.0 + SETTLED_AFTER_S, RULES) == State(3, None, 20.0, None, 100.0 + SETTLED_AFTER_S)
    # however long the first one lasted
    assert move(State(1, None, 20.0, None, 0.0), 700.0, 10_000.0, RULES) == State(2, None, 20.0, None, 10_000.0)


def test_a_step_recovers_below_its_share_of_what_it_was_entered_at() -> None:
    at = RULES.after_s[1] * CALM_SHARE
    state = State(2, None, 20.0, None, 0.0)
    assert move(state, at, 50.0, RULES) == state
    assert move(state, at - 0.1, 50.0, RULES) == State(2, 50.0, 20.0, None, 0.0)
    assert move(State(2, 40.0, 20.0, None, 0.0), at, 50.0, RULES) == state


def test_only_what_ended_in_the_window_tells_the_pace_and_each_piece_counts_alike(clock: FixedClock) -> None:
    pace = Pace(10, clock)
    for took_s in (1.0, 3.0):
        with pace.piece():
            clock.advance(took_s)
    assert pace.per_s() == 10 / 2.0
    clock.advance(WINDOW_S - 3.0)  # the first ended so long ago
    assert pace.per_s() == 10 / 3.0
    with pace.piece():
        clock.advance(0.0)
    assert pace.per_s() == 10 / 1.5


def test_no_piece_is_so_quick_that_the_pace_has_no_bound(clock: FixedClock) -> None:
    pace = Pace(10, clock)
    with pace.piece():
        clock.advance(0.0001)
    assert pace.per_s() == 10 / 1e-3


def test_a_process_knows_its_own_pace_before_it_is_told_any_level(clock: FixedClock) -> None:
    shedding = LoadShedding(4, clock)
    assert shedding.step(7) == "full"
    with shedding.pace.piece():
        clock.advance(2.0)
    assert shedding.pace.per_s() == 2.0
