"""Every retry inside a process: what is tried again, how often and after how long, by tenacity.

Tried again are transport errors, 429 and 5xx (`Transient.retry`), never an open breaker: retries stand outside, the
breaker inside, so that it sees each attempt and may refuse it. Retry-After is honoured, and a total deadline bounds
all. What outlives that is the row's: it is tried again later, perhaps by another process (docs/reliability.md).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception, sleep_using_event

from shared.clock import Clock, SystemClock
from shared.errors import Transient
from shared.resilience import backoff

SPREAD_S = 0.25
"""Whoever asks for a wait is not asked again by all at the same moment."""


@dataclass(frozen=True, slots=True)
class Policy:
    """attempts: calls in all. base_s, cap_s: of the growing waits between them. worthwhile_s: with less than so much
    time left after the wait no further call is begun. patience_s: a longer wait is not waited for."""

    attempts: int
    base_s: float
    cap_s: float
    worthwhile_s: float = 1e-3
    patience_s: float = math.inf


FETCH = Policy(attempts=3, base_s=0.25, cap_s=2.0, worthwhile_s=0.5, patience_s=5.0)
"""Pages, sitemaps and attachments."""
STORE = Policy(attempts=3, base_s=0.2, cap_s=1.0, patience_s=2.0)
"""The media store's bucket."""
ALERT = Policy(attempts=3, base_s=0.5, cap_s=2.0, worthwhile_s=0.5, patience_s=4.0)
SEND = Policy(attempts=2, base_s=0.1, cap_s=0.3, worthwhile_s=1.0, patience_s=1.5)
"""A part that its platform certainly has not taken (tasks/delivery/sending.py). The wait holds a thread of delivery."""
RERANK = Policy(attempts=2, base_s=0.05, cap_s=0.1, worthwhile_s=0.2, patience_s=0.5)


def may_pass(error: BaseException) -> bool:
    """Whether the same call may be made again at once."""
    return isinstance(error, Transient) and error.retry


def _never(error: BaseException) -> bool:
    return False


def retrying(
    policy: Policy, ends_at_s: float, *, clock: Clock | None = None, rng: Random | None = None,
    at_once: Callable[[BaseException], bool] = _never,
) -> AsyncRetrying:  # fmt: skip
    """Return what calls a coroutine function by this policy: `await retrying(…)(call, …)`, which raises what the last
    call raised.

    ends_at_s: by the clock's monotonic time. at_once: errors after which there is no reason to wait. Its waits end when
    their task is cancelled, as all are when the process stops.
    """
    rules = _Rules(policy, ends_at_s, clock or SystemClock(), rng or Random(), at_once)
    return AsyncRetrying(retry=retry_if_exception(may_pass), wait=rules.wait_s, stop=rules.is_over, reraise=True)


def retrying_here(policy: Policy, deadline_s: float, *, stopping: threading.Event) -> Retrying:
    """The same for a thread. Once `stopping` is set nothing more is waited for."""
    clock = SystemClock()
    rules = _Rules(policy, clock.monotonic_s() + deadline_s, clock, Random(), _never)
    return Retrying(
        retry=retry_if_exception(may_pass), wait=rules.wait_s, reraise=True, sleep=sleep_using_event(stopping),
        stop=lambda state: stopping.is_set() or rules.is_over(state),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rules:
    policy: Policy
    ends_at_s: float
    clock: Clock
    rng: Random
    at_once: Callable[[BaseException], bool]

    def wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if error is not None and self.at_once(error):
            return 0.0
        asked_s = error.retry_after_s if isinstance(error, Transient) else None
        jitter_s = backoff.delay_s(state.attempt_number, self.policy.base_s, self.policy.cap_s, self.rng)
        return jitter_s if asked_s is None else asked_s + min(jitter_s, SPREAD_S)

    def is_over(self, state: RetryCallState) -> bool:
        """Whether this was the last attempt, or the wait is too long or leaves too little time for another one."""
        wait_s, policy = state.upcoming_sleep, self.policy
        left_s = self.ends_at_s - self.clock.monotonic_s() - wait_s
        return state.attempt_number >= policy.attempts or wait_s > policy.patience_s or left_s < policy.worthwhile_s
