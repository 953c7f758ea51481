"""Limits how often an address may fail: wrong API keys, unknown apps, visitors without a valid token.

Counted by each gateway in its own memory: a guess must cost neither Redis nor a thread, or guessing would itself be
the attack.
"""

from __future__ import annotations

from collections import OrderedDict

from shared.clock import Clock
from shared.settings import PerMinute

ADDRESSES_MAX = 20_000


class Failures:
    """GCRA (generic cell rate algorithm), as shared/resilience/limiter.py has it, with attempts that can be undone."""

    def __init__(self, limit: PerMinute, clock: Clock) -> None:
        self._clock = clock
        self.a_minute = limit.count
        self._step_s = 60.0 / limit.count
        self._ahead_s = self._step_s * (limit.burst - 1)
        self._idle_at_s: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str) -> float:
        """0.0: it may try, and the try is counted. Otherwise the seconds after which it may try again."""
        now_s = self._clock.monotonic_s()
        idle_at_s = max(self._idle_at_s.get(address, now_s), now_s)
        if idle_at_s - now_s > self._ahead_s:
            return idle_at_s - now_s - self._ahead_s
        self._idle_at_s[address] = idle_at_s + self._step_s
        self._idle_at_s.move_to_end(address)
        if len(self._idle_at_s) > ADDRESSES_MAX:
            self._idle_at_s.popitem(last=False)
        return 0.0

    def give_back(self, address: str) -> None:
        """Take an attempt back that did not fail."""
        if address in self._idle_at_s:
            self._idle_at_s[address] -= self._step_s
