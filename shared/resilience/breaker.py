"""Circuit breakers: after repeated failures a service is not called for a while, then tried with one call.

Each is a pybreaker.CircuitBreaker with its states, transitions, counts and listeners. Added is what pybreaker lacks:
exactly one trial call while half-open (it lets every call through), outcomes that say nothing about the service (its
excluded exceptions count as successes), and no lock while a call runs. tests/unit/test_pybreaker.py holds the private
methods of pybreaker that are used here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import pybreaker

from shared.clock import Clock, SystemClock
from shared.errors import Cancelled, ModelUnavailable
from shared.resilience.breakers import Changes, Registry

Neutral = Callable[[BaseException], bool]
"""Whether an error says nothing about the service."""

FAILURES_TO_OPEN = 5
OPEN_FOR_S = 60.0
PROBE_RETRY_AFTER_S = 1.0
"""What other callers are told while a trial call is under way."""
CALLED_OFF = (asyncio.CancelledError, Cancelled, GeneratorExit, KeyboardInterrupt, SystemExit)


class BreakerOpen(ModelUnavailable):
    """The call was not made. retry_after_s: until the next trial call is allowed."""


class Snapshot(pybreaker.CircuitMemoryStorage):
    """What a process knows of a breaker: failures in a row, and until when (monotonic) it is open, half-open then.

    Where the fleet shares the breaker it is the fleet's state as it was last seen: when (seen_at_s), and its number
    (era). Reading it is never I/O."""

    def __init__(self, clock: Clock, open_for_s: float) -> None:
        super().__init__(pybreaker.STATE_CLOSED)
        self._clock, self._open_for_s = clock, open_for_s
        self.open_until_s: float | None = None
        self.seen_at_s: float | None = None
        self.era = 0

    @property
    def state(self) -> str:
        if self.open_until_s is None:
            return pybreaker.STATE_CLOSED
        return pybreaker.STATE_OPEN if self.wait_s > 0 else pybreaker.STATE_HALF_OPEN

    @state.setter
    def state(self, state: str) -> None:
        self.open_until_s = None if state == pybreaker.STATE_CLOSED else self._clock.monotonic_s() + self._open_for_s

    @property
    def wait_s(self) -> float:
        """Seconds until a trial call is due, 0 if one is or while closed."""
        return 0.0 if self.open_until_s is None else max(0.0, self.open_until_s - self._clock.monotonic_s())


class _Counted(pybreaker.CircuitBreakerState):
    def _handle_error(self, exc: BaseException, reraise: bool = True) -> None:  # type: ignore[override]
        """As pybreaker's, but what is no failure counts as nothing, where pybreaker counts a success."""
        if self._breaker.is_system_error(exc):
            super()._handle_error(exc, reraise=False)


class _Closed(_Counted, pybreaker.CircuitClosedState):
    pass


class _Open(_Counted, pybreaker.CircuitOpenState):
    def before_call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        wait_s = cast(Breaker, self._breaker).known.wait_s
        raise BreakerOpen(f"{self._breaker.name}: breaker open", retry_after_s=wait_s)


class _HalfOpen(_Counted, pybreaker.CircuitHalfOpenState):
    trying = False

    def before_call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        if self.trying:
            words = f"{self._breaker.name}: trial call under way"
            raise BreakerOpen(words, retry_after_s=PROBE_RETRY_AFTER_S)
        self.trying = True

    def _handle_error(self, exc: BaseException, reraise: bool = True) -> None:  # type: ignore[override]
        self.trying = False
        super()._handle_error(exc, reraise=False)


_STATES: dict[str, type[Admitted]] = {
    pybreaker.STATE_CLOSED: _Closed,
    pybreaker.STATE_OPEN: _Open,
    pybreaker.STATE_HALF_OPEN: _HalfOpen,
}
Admitted = _Closed | _Open | _HalfOpen
"""The state that let a call through. Each change makes a new one, so that a call from before it cannot undo it."""


class Breaker(pybreaker.CircuitBreaker):
    """One service's breaker, for all threads and event loops of a process.

    neutral(error): True for an error that says nothing about the service. A cancelled call is always neutral.
    current_state: what the next caller would find, as `State`.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = FAILURES_TO_OPEN,
        open_for_s: float = OPEN_FOR_S,
        clock: Clock | None = None,
        neutral: Neutral = lambda error: False,
        changes: Changes | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self.known = Snapshot(self._clock, open_for_s)
        super().__init__(
            fail_max=failures, reset_timeout=open_for_s, exclude=cast(Any, [*CALLED_OFF, neutral]),
            listeners=[changes or Changes(name)], state_storage=self.known, name=name, throw_new_error_on_trip=False,
        )  # fmt: skip

    def _create_new_state(
        self, new_state: str, prev_state: pybreaker.CircuitBreakerState | None = None, notify: bool = False
    ) -> Admitted:
        return _STATES[new_state](self, prev_state=prev_state, notify=notify)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Guard one call, in sync or async code: `with breaker.calling(): await call()`.

        Raises BreakerOpen without running the block while the breaker is open or its trial call is under way.
        """
        admitted = self.admit()
        try:
            yield
        except BaseException as error:
            self.settle(admitted, error)
            raise
        self.settle(admitted)

    def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As pybreaker's, without its lock while func runs."""
        with self.calling():
            return func(*args, **kwargs)

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Do what calling() does, with the interface of a breaker that asks Redis first."""
        with self.calling():
            yield

    @property
    def failures(self) -> int:
        """Return the number of failures in a row, while closed."""
        return self.fail_counter

    def open_for_s(self) -> float | None:
        """Return the seconds until a trial is due, 0 if one is; None while closed."""
        with self._lock:
            return None if self.known.open_until_s is None else self.known.wait_s

    def align(self, *, failures: int, open_for_s: float | None) -> None:
        """Take over another breaker's state: closed with this number of failures, or open for another open_for_s (0: a
        trial call is due). If the state changes, the outcomes of calls under way are ignored."""
        with self._lock:
            self.known.open_until_s = None if open_for_s is None else self._clock.monotonic_s() + open_for_s
            assert self.state  # reading it follows the storage, and tells the listeners
            if open_for_s is None:
                self.known.reset_counter()
                for _ in range(failures):
                    self.known.increment_counter()

    def admit(self) -> Admitted:
        """Let a call through, for callers that cannot use calling(); pass what is returned to settle(). Raises
        BreakerOpen."""
        with self._lock:
            self.state.before_call(lambda: None)
            return cast(Admitted, self.state)

    def settle(self, admitted: Admitted | None, error: BaseException | None = None) -> None:
        """Count a call's outcome; error: None if it succeeded. An error that says nothing about the service counts as
        nothing; a trial call then makes way for the next one.

        admitted: from admit(); None for a call that another breaker let through, which counts while this one is closed.
        """
        with self._lock:
            state = self.state
            if state is not admitted and not (admitted is None and state.name == pybreaker.STATE_CLOSED):
                return
            if error is None:
                state._handle_success()
                return
            try:
                state._handle_error(error, reraise=False)
            except BaseException as raised:
                if raised is not error:  # pybreaker raises the call's own error when that opens the breaker
                    raise


class Breakers(Registry[Breaker]):
    """Breakers that no other process shares."""

    def __init__(
        self,
        *,
        failures: int = FAILURES_TO_OPEN,
        open_for_s: float = OPEN_FOR_S,
        clock: Clock | None = None,
        neutral: Neutral = lambda error: False,
        kind: str | None = None,
    ) -> None:
        def make(name: str, changes: Changes) -> Breaker:
            return Breaker(
                name, failures=failures, open_for_s=open_for_s, clock=clock, neutral=neutral, changes=changes
            )

        super().__init__(make, kind)
