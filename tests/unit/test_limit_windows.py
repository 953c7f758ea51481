"""Sliding windows and places, against a plain model and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import FixedClock
from shared.model import Rate
from shared.resilience import limiter_alone
from shared.resilience.limiter import Limiter
from shared.resilience.limits import ENTRIES_MAX, AtOnce, Limit, Window, name_of

EXACT = Window("exact", 10, 10.0)
COARSE = Window("coarse", 90, 30.0)
"""Takes within half a second of each other are remembered together."""
MOMENT_S = 2e-6
"""The clock is read in whole microseconds."""


def _clock() -> FixedClock:
    return FixedClock(datetime(2030, 1, 1, tzinfo=UTC))


steps = st.lists(
    st.tuples(st.floats(0, 4, allow_nan=False), st.integers(1, 15)), min_size=1, max_size=40
)  # seconds that pass, then so many takes


def _allowed_at(window: Window, steps: list[tuple[float, int]]) -> Iterator[tuple[float, bool]]:
    clock = _clock()
    limiter = Limiter(None, clock)
    for passes_s, takes in steps:
        clock.advance(passes_s)
        for _ in range(takes):
            yield clock.monotonic_s(), limiter.decide([window]).allowed


@given(steps=steps)
def test_ten_in_ten_seconds_is_exactly_that(steps: list[tuple[float, int]]) -> None:
    taken: list[int] = []
    for at_s, allowed in _allowed_at(EXACT, steps):
        now = int(at_s * 1e6)
        assert allowed == (sum(at >= now - 10_000_000 for at in taken) < 10)
        taken += [now] * allowed


@given(steps=steps)
def test_a_coarse_window_never_allows_more_and_has_room_a_sixtieth_late_at_most(steps: list[tuple[float, int]]) -> None:
    taken: list[float] = []
    for now_s, allowed in _allowed_at(COARSE, steps):
        late_s = COARSE.per_s / ENTRIES_MAX
        if allowed:
            assert sum(at >= now_s - COARSE.per_s + MOMENT_S for at in taken) < COARSE.count
            taken.append(now_s)
        else:
            assert sum(at >= now_s - COARSE.per_s - late_s - MOMENT_S for at in taken) >= COARSE.count


@given(steps=steps, window=st.sampled_from([EXACT, COARSE, Window("one", 1, 3.0)]))
def test_the_wait_that_is_told_is_enough_and_no_less_is(steps: list[tuple[float, int]], window: Window) -> None:
    clock = _clock()
    limiter = Limiter(None, clock)
    for passes_s, takes in steps:
        clock.advance(passes_s)
        for _ in range(takes):
            found = limiter.decide([window])
            [standing] = found.standings
            assert 0 <= standing.remaining <= window.count
            if found.allowed:
                continue
            assert standing.remaining == 0
            assert standing.more_s == found.wait_s
            clock.advance(found.wait_s - 2 * MOMENT_S)
            assert not limiter.decide([window]).allowed
            clock.advance(3 * MOMENT_S)
            assert limiter.decide([window]).allowed


def test_what_remains_counts_down_and_grows_when_the_first_take_is_over() -> None:
    clock = _clock()
    limiter = Limiter(None, clock)
    remaining = []
    for _ in range(3):
        remaining.append(limiter.decide([EXACT]).standings[0].remaining)
        clock.advance(1)

    [standing] = limiter.decide([EXACT]).standings

    assert (remaining, standing.remaining) == ([9, 8, 7], 6)
    assert standing.more_s == pytest.approx(7, abs=1e-5)


def test_a_rate_tells_what_remains_of_its_burst() -> None:
    clock = _clock()
    limiter = Limiter(None, clock)
    rate = Rate("r", 60, 60.0, burst=3)
    assert [limiter.decide([rate]).standings[0].remaining for _ in range(3)] == [2, 1, 0]

    refused = limiter.decide([rate])

    assert refused.wait_s == refused.standings[0].more_s == pytest.approx(1)
    clock.advance(2)
    assert limiter.decide([rate]).standings[0].remaining == 1


def test_a_window_that_was_made_smaller_waits_until_it_has_room() -> None:
    clock = _clock()
    limiter = Limiter(None, clock)
    for _ in range(8):
        limiter.decide([EXACT])
        clock.advance(1)

    refused = limiter.decide([Window("exact", 3, 10.0)])

    clock.advance(refused.wait_s)
    assert limiter.decide([Window("exact", 3, 10.0)]).allowed
    assert refused.wait_s == pytest.approx(7, abs=1e-5)  # the sixth of eight is then ten seconds old


def test_places_are_held_until_they_are_freed() -> None:
    limiter = Limiter(None, _clock())
    places = AtOnce("recall", 2)
    first, second, third = (limiter.hold([places]) for _ in range(3))
    assert [one.allowed for one in (first, second, third)] == [True, True, False]

    first.free()
    first.free()  # once

    assert [limiter.hold([places]).allowed for _ in range(2)] == [True, False]


def test_a_place_is_free_once_its_block_ends_however_it_does() -> None:
    limiter = Limiter(None, _clock())
    with pytest.raises(ZeroDivisionError), limiter.hold([AtOnce("recall", 1)]):
        raise ZeroDivisionError
    assert limiter.hold([AtOnce("recall", 1)]).allowed


def test_a_refusal_takes_neither_a_place_nor_of_a_window() -> None:
    limiter = Limiter(None, _clock())
    window, places = Window("w", 2, 60.0), AtOnce("p", 1)
    with limiter.hold([window, places]) as held:
        refused = limiter.hold([window, places])
        assert held.allowed
        assert not refused.allowed
        assert [one.remaining for one in refused.decision.standings] == [1, 0]
    assert limiter.hold([window, places]).allowed


@pytest.mark.parametrize("limit", [Window("k", 0, 1), Window("k", 1, 0), AtOnce("k", 0), AtOnce("k", 1, lease_s=0)])
def test_a_limit_that_is_none_is_an_error(limit: Limit) -> None:
    with pytest.raises(ValueError):
        Limiter(None).hold([limit])


def test_one_key_may_have_several_windows_and_places_but_none_twice() -> None:
    limiter = Limiter(None, _clock())
    limits: list[Limit] = [Window("k", 2, 60.0), Window("k", 5, 3600.0), AtOnce("k", 1), Rate("k", 5, 1.0)]
    with limiter.hold(limits) as held:
        assert held.allowed
    with pytest.raises(ValueError, match="same key"):
        limiter.hold([*limits, Window("k", 3, 60.0)])


@given(key=st.text(max_size=400), other=st.text(max_size=400))
def test_a_hostile_key_is_short_plain_and_still_its_own(key: str, other: str) -> None:
    names = [name_of(kind) for kind in (Window(key, 1, 60.0), AtOnce(key, 1), Rate(key, 1, 60.0))]
    assert all(len(name) < 160 and name.isascii() and name.isprintable() for name in names)
    assert len(set(names)) == 3
    assert (name_of(Window(other, 1, 60.0)) == names[0]) == (other == key)


def test_a_process_alone_remembers_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_alone, "KEYS_MAX", 100)
    limiter = Limiter(None, _clock())
    often = Window("often", 1, 3600.0)
    limiter.decide([often])

    for number in range(500):
        limiter.decide([Window(f"address {number}", 1, 3600.0)])
        assert not limiter.decide([often]).allowed

    assert len(limiter._alone._windows) == 100
