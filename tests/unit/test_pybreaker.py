"""What of pybreaker is private and used here: an upgrade that moves it fails here, not in production."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pybreaker
import pytest

from shared.clock import FixedClock
from shared.resilience import breaker, breakers, metrics
from shared.resilience.breaker import Breaker, Breakers
from tests.counted import counted


def _parameters(method: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(method).parameters)


@pytest.mark.parametrize(
    ("ours", "theirs", "method"),
    [
        (Breaker, pybreaker.CircuitBreaker, "_create_new_state"),
        (Breaker, pybreaker.CircuitBreaker, "calling"),
        (Breaker, pybreaker.CircuitBreaker, "call"),
        (breaker._Counted, pybreaker.CircuitBreakerState, "_handle_error"),
        (breaker._HalfOpen, pybreaker.CircuitHalfOpenState, "_handle_error"),
        (breaker._HalfOpen, pybreaker.CircuitHalfOpenState, "before_call"),
        (breaker._Open, pybreaker.CircuitOpenState, "before_call"),
        (breakers.Changes, pybreaker.CircuitBreakerListener, "state_change"),
    ],
)
def test_what_is_overridden_is_there_with_the_same_parameters(ours: type, theirs: type, method: str) -> None:
    assert method in vars(ours)
    assert _parameters(getattr(ours, method)) == _parameters(getattr(theirs, method))


def test_pybreaker_makes_each_state_by_the_method_that_is_overridden() -> None:
    made: list[str] = []

    class Watched(pybreaker.CircuitBreaker):
        def _create_new_state(self, new_state: str, *args: Any, **kwargs: Any) -> Any:
            made.append(new_state)
            return super()._create_new_state(new_state, *args, **kwargs)

    watched = Watched()
    watched.open()
    watched.half_open()
    watched.close()
    assert made == ["closed", "open", "half-open", "closed"]


def test_pybreaker_counts_a_failed_call_by_the_method_that_is_overridden() -> None:
    handled: list[tuple[str, str]] = []

    class Closed(pybreaker.CircuitClosedState):
        def _handle_error(self, exc: BaseException, reraise: bool = True) -> None:  # type: ignore[override]
            handled.append(("failed", type(exc).__name__))
            assert reraise
            super()._handle_error(exc)

        def _handle_success(self) -> None:
            handled.append(("ok", ""))
            super()._handle_success()

    class Watched(pybreaker.CircuitBreaker):
        def _create_new_state(self, new_state: str, *args: Any, **kwargs: Any) -> Any:
            return Closed(self, *args, **kwargs)

    watched = Watched()
    watched.call(lambda: None)
    with pytest.raises(OSError):
        watched.call(_raise_os_error)
    assert handled == [("ok", ""), ("failed", "OSError")]
    assert watched.fail_counter == 1


def _raise_os_error() -> None:
    raise OSError


def test_pybreaker_takes_an_excluded_error_for_a_success_and_raises_the_call_s_own_error_when_it_opens() -> None:
    """The two habits that `_Counted` and `Breaker.settle` are there for."""
    plain = pybreaker.CircuitBreaker(fail_max=1, exclude=[KeyError], throw_new_error_on_trip=False)
    plain._inc_counter()
    state = plain.state
    state._handle_error(KeyError(), reraise=False)
    assert plain.fail_counter == 0
    error = OSError()
    with pytest.raises(OSError) as caught:
        state._handle_error(error, reraise=False)
    assert caught.value is error
    assert plain.current_state == "open"


def test_a_lock_and_a_storage_are_where_they_are_looked_for() -> None:
    ours = Breaker("x")
    assert ours._state_storage is ours.known
    with ours._lock, ours._lock:  # reentrant: listeners and transitions take it again
        assert ours.state.name == "closed"


def test_call_and_the_decorator_hold_no_lock_while_the_function_runs() -> None:
    ours = Breaker("x")

    @ours
    def free() -> bool:
        held = ours._lock._is_owned()  # type: ignore[attr-defined]
        return not held

    assert free()
    assert ours.call(free)
    assert ours.call(lambda *given, **named: (given, named), 1, 2, three=3) == ((1, 2), {"three": 3})


def test_a_process_keeps_a_bounded_number_and_counts_them_by_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "KEPT_MAX", 3)
    with counted() as book:
        kept = Breakers(failures=1, clock=FixedClock(datetime(2030, 1, 1, tzinfo=UTC)), kind="send")
        for number in range(3):
            with pytest.raises(OSError), kept.of("telegram", str(number)).calling():
                raise OSError
        assert book.of(metrics.BREAKERS_OPEN, "send") == 3
        assert kept.of("telegram", "0").name == "send:telegram/0"  # used last now
        kept.of("telegram", "another")
        assert set(kept.states()) == {("telegram", "2"), ("telegram", "0"), ("telegram", "another")}
        assert book.of(metrics.BREAKERS_OPEN, "send") == 2
        assert book.of(metrics.BREAKER_CHANGES, "send", "open") == 3


def test_ten_thousand_hostile_hosts_leave_a_bounded_number_behind_and_none_that_is_counted_for_ever() -> None:
    """Each opens its breaker by a call that is still under way when it has been forgotten for others."""
    with counted() as book:
        kept = Breakers(failures=1, clock=FixedClock(datetime(2030, 1, 1, tzinfo=UTC)), kind="site")
        under_way = [(breaker, breaker.admit()) for breaker in (kept.of(f"h{n}.example") for n in range(10_000))]
        for breaker, admitted in under_way:
            breaker.settle(admitted, OSError())

        assert len(kept.states()) == breakers.KEPT_MAX
        assert book.of(metrics.BREAKERS_OPEN, "site") == breakers.KEPT_MAX
        del under_way, breaker
        for number in range(breakers.KEPT_MAX):
            kept.of(f"good{number}.example")
        assert book.of(metrics.BREAKERS_OPEN, "site") == 0
