"""Circuit breakers: after repeated failures a service is not called for a while, then tried with one call.

pybreaker keeps the state and the counts. This module adds what it lacks: exactly one trial call while half-open (it
lets every call through), outcomes that say nothing about the service (its excluded exceptions count as successes), and
no lock while a call runs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Literal

import pybreaker
import structlog

from shared.clock import Clock, SystemClock
from shared.errors import Cancelled, ModelUnavailable
from shared.resilience import metrics

log = structlog.get_logger(__name__)

State = Literal["closed", "open", "half-open"]

FAILURES_TO_OPEN = 5
OPEN_FOR_S = 60.0
PROBE_RETRY_AFTER_S = 1.0
"""What other callers are told while a trial call is under way."""


class BreakerOpen(ModelUnavailable):
    """The call was not made. retry_after_s: until the next trial call is allowed."""


class _Outcome(Exception):
    """Stands for a call's failure inside pybreaker; never raised to callers."""


def _succeed() -> None:
    return None


def _fail() -> None:
    raise _Outcome


class Breaker:
    """One service's breaker, for all threads and event loops of a process.

    neutral(error): True for an error that says nothing about the service. A cancelled call is always neutral.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = FAILURES_TO_OPEN,
        open_for_s: float = OPEN_FOR_S,
        clock: Clock | None = None,
        neutral: Callable[[BaseException], bool] = lambda error: False,
    ) -> None:
        self.name = name
        self._open_for_s = open_for_s
        self._clock = clock or SystemClock()
        self._neutral = neutral
        self._lock = threading.Lock()
        self._counts = pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
        # Nothing is settled while it is open, so its own timer, which reads the wall clock, is never asked.
        self._machine = pybreaker.CircuitBreaker(
            state_storage=self._counts, fail_max=failures, throw_new_error_on_trip=False
        )
        metrics.BREAKERS_OPEN.set(0.0, name)
        self._opened_at_s = 0.0
        self._era = 0  # grows with each change of state, so that a call from before it cannot undo it
        self._probing = False

    @property
    def state(self) -> State:
        """Return the state that the next caller would find: an open breaker whose time is over is half-open."""
        with self._lock:
            if self._machine.current_state == pybreaker.STATE_OPEN and self._wait_s() <= 0:
                return "half-open"
            return self._machine.current_state  # type: ignore[return-value]

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Guard one call, in sync or async code: `with breaker.calling(): await call()`.

        Raises BreakerOpen without running the block while the breaker is open or its trial call is under way.
        """
        era = self.admit()
        try:
            yield
        except (asyncio.CancelledError, Cancelled, GeneratorExit, KeyboardInterrupt, SystemExit):
            self.settle(era, None)
            raise
        except BaseException as error:
            self.settle(era, None if self._neutral(error) else False)
            raise
        self.settle(era, True)

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Do what calling() does, with the interface of a breaker that asks Redis first."""
        with self.calling():
            yield

    def align(self, *, failures: int, open_for_s: float | None) -> None:
        """Take over another breaker's state: closed with this number of failures, or open for another open_for_s (0: a
        trial call is due). If the state changes, the outcomes of calls under way are ignored."""
        with self._lock:
            before = self._machine.current_state
            if open_for_s is not None:
                self._opened_at_s = self._clock.monotonic_s() - self._open_for_s + open_for_s
                if before != pybreaker.STATE_OPEN:
                    self._machine.open()
            else:
                if before != pybreaker.STATE_CLOSED:
                    self._machine.close()
                self._counts.reset_counter()
                for _ in range(failures):
                    self._counts.increment_counter()
            if self._machine.current_state != before:
                self._change()

    @property
    def failures(self) -> int:
        """Return the number of failures in a row, while closed."""
        return int(self._counts.counter)

    def open_for_s(self) -> float | None:
        """Return the seconds until a trial is due, 0 if one is; None while closed."""
        with self._lock:
            if self._machine.current_state == pybreaker.STATE_CLOSED:
                return None
            return max(0.0, self._wait_s())

    def _wait_s(self) -> float:
        return self._opened_at_s + self._open_for_s - self._clock.monotonic_s()

    def admit(self) -> int:
        """Let a call through, for callers that cannot use calling(); pass the returned era to settle(). Raises
        BreakerOpen."""
        with self._lock:
            if self._machine.current_state == pybreaker.STATE_OPEN:
                wait_s = self._wait_s()
                if wait_s > 0:
                    raise BreakerOpen(f"{self.name}: breaker open", retry_after_s=wait_s)
                self._machine.half_open()
                self._change()
            if self._machine.current_state == pybreaker.STATE_HALF_OPEN:
                if self._probing:
                    raise BreakerOpen(f"{self.name}: trial call under way", retry_after_s=PROBE_RETRY_AFTER_S)
                self._probing = True
            return self._era

    def settle(self, era: int | None, succeeded: bool | None) -> None:
        """Count a call's outcome.

        succeeded: None if the call says nothing about the service; a trial call then makes way for the next one.
        era: from admit(); None for a call that another breaker let through, which counts while this one is closed.
        """
        with self._lock:
            closed = self._machine.current_state == pybreaker.STATE_CLOSED
            if era != self._era and not (era is None and closed):
                return
            self._probing = False
            if succeeded is None:
                return
            before = self._machine.current_state
            try:
                self._machine.call(_succeed if succeeded else _fail)
            except _Outcome:
                pass  # raised by _fail() so that pybreaker counts a failure
            if self._machine.current_state != before:
                if self._machine.current_state == pybreaker.STATE_OPEN:
                    self._opened_at_s = self._clock.monotonic_s()
                self._change()

    def _change(self) -> None:
        self._era += 1
        self._probing = False
        state = str(self._machine.current_state)
        log.warning("breaker_changed", breaker=self.name, state=state)
        metrics.BREAKER_CHANGES.inc(self.name, state)
        metrics.BREAKERS_OPEN.set(float(state == pybreaker.STATE_OPEN), self.name)


class Breakers:
    """The breakers of a process, one for each (provider, model)."""

    def __init__(
        self,
        *,
        failures: int = FAILURES_TO_OPEN,
        open_for_s: float = OPEN_FOR_S,
        clock: Clock | None = None,
        neutral: Callable[[BaseException], bool] = lambda error: False,
    ) -> None:
        self._make: Callable[[str], Breaker] = partial(
            Breaker, failures=failures, open_for_s=open_for_s, clock=clock, neutral=neutral
        )
        self._lock = threading.Lock()
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def of(self, provider: str, model: str) -> Breaker:
        with self._lock:
            if (provider, model) not in self._breakers:
                self._breakers[provider, model] = self._make(f"{provider}/{model}")
            return self._breakers[provider, model]

    def states(self) -> dict[tuple[str, str], State]:
        with self._lock:
            breakers = dict(self._breakers)
        return {key: breaker.state for key, breaker in breakers.items()}
