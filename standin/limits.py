"""Telegram's flood limits as token buckets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """At most `burst` at once and `per_s` in the long run."""

    burst: float
    per_s: float
    tokens: float
    at: float

    def wait_s(self, now: float) -> float:
        """How long until one more is allowed; 0 if it is."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_s)
        self.at = now
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.per_s


@dataclass
class FloodLimits:
    """Messages per chat, per bot and per group (a chat with a negative id), as core.telegram.org/bots/faq has them.

    chat_burst: how many a chat takes at once before one per second holds.
    """

    enforced: bool = True
    chat_per_s: float = 1.0
    chat_burst: int = 3
    bot_per_s: float = 30.0
    group_per_min: float = 20.0
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[tuple[str, ...], Bucket] = field(default_factory=dict)

    def change(self, **values: float | bool) -> None:
        """Set limits anew; buckets start full. Raises ValueError on an unknown name or a limit that is not positive."""
        known = {"enforced", "chat_per_s", "chat_burst", "bot_per_s", "group_per_min"}
        if unknown := set(values) - known:
            raise ValueError(f"unknown limits: {', '.join(sorted(unknown))}")
        if any(value <= 0 for name, value in values.items() if name != "enforced"):
            raise ValueError("a limit should be positive; switch limits off with enforced: false")
        for name, value in values.items():
            setattr(self, name, value)
        self._buckets.clear()

    def take(self, token: str, chat_id: str) -> int | None:
        """Count one message. Returns None if it may go, else after how many whole seconds to try again; one
        that may not go counts against nothing."""
        if not self.enforced:
            return None
        now = self.clock()
        buckets = [
            self._bucket(("chat", token, chat_id), self.chat_burst, self.chat_per_s, now),
            self._bucket(("bot", token), self.bot_per_s, self.bot_per_s, now),
        ]
        if chat_id.startswith("-"):
            buckets.append(self._bucket(("group", token, chat_id), self.group_per_min, self.group_per_min / 60, now))
        wait_s = max(bucket.wait_s(now) for bucket in buckets)
        if wait_s > 0:
            return math.ceil(wait_s - 1e-9)  # a rounding error is no second more
        for bucket in buckets:
            bucket.tokens -= 1
        return None

    def spend(self, key: tuple[str, ...], per_s: float) -> int | None:
        """Count one against a limit of so many a second, as `take` does."""
        if not self.enforced:
            return None
        now = self.clock()
        bucket = self._bucket(key, per_s, per_s, now)
        wait_s = bucket.wait_s(now)
        if wait_s > 0:
            return math.ceil(wait_s - 1e-9)
        bucket.tokens -= 1
        return None

    def _bucket(self, key: tuple[str, ...], burst: float, per_s: float, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(burst, per_s, burst, now)
        return bucket
