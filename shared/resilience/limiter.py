"""Rate limits that all processes share, because a platform limits a channel and not one worker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, cast

import redis
import structlog

from shared.clock import Clock, SystemClock
from shared.model import Rate

log = structlog.get_logger(__name__)

PREFIX = "sb:limit:"
REST_S = 1.0
"""How long Redis is not asked after a failure, because each attempt may cost a caller the client's whole timeout."""
LOCAL_KEYS_MAX = 20_000

# GCRA (generic cell rate algorithm): a key holds the time at which it would be idle again. A take is allowed
# if that lies no further ahead than the burst allows, and moves it by per_s / count.
#
# The time is the server's: callers' clocks differ, and one that runs two seconds ahead would push every key two
# seconds into the future for all the others. Microseconds as integers stay exact in Lua's doubles.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local wait, next_idle = 0, {}
for i, key in ipairs(KEYS) do
  local step, ahead = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local idle = math.max(tonumber(redis.call('GET', key) or '0'), now)
  wait = math.max(wait, idle - now - ahead)
  next_idle[i] = idle + step
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', next_idle[i]), 'PX', math.ceil((next_idle[i] - now) / 1000) + 1)
end
return 0
"""


def _step_us(rate: Rate) -> int:
    return max(1, round(rate.per_s * 1_000_000 / rate.count))


class Limiter:
    """Takes from several rates at once, all or nothing.

    client: redis-py, synchronous, with short timeouts and no retries (a retried EVAL takes twice); None to count for
    this process alone. While Redis is unavailable or refuses writes, each process counts for itself: n processes may
    then send up to n times the rate, and only the platform's own 429 limits them.
    """

    def __init__(self, client: redis.Redis | None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._script: Any = client.register_script(_TAKE) if client is not None else None
        self._local = _Local()
        self._lock = threading.Lock()
        self._away_until_s: float | None = None

    def take(self, rates: Sequence[Rate]) -> float:
        """Take one from every rate and return 0.0; or take nothing and return the seconds after which to ask again.

        Without rates everything is allowed. Raises ValueError for a rate whose numbers are not positive, and for two
        rates with one key.
        """
        for rate in rates:
            if rate.count < 1 or rate.per_s <= 0 or rate.burst < 1:
                raise ValueError(f"not a valid rate: {rate.count} in {rate.per_s} s, burst {rate.burst}")
        unique = {rate.key: rate for rate in rates}
        if not unique:
            return 0.0
        if len(unique) != len(rates):
            raise ValueError("two rates have the same key")
        now_s = self._clock.monotonic_s()
        if self._script is None or self._resting(now_s):
            return self._local.take(rates, now_s)
        try:
            wait_us = self._ask(rates)
        except redis.RedisError as error:
            self._left(error)
            return self._local.take(rates, now_s)
        self._back()
        if wait_us == 0:
            # Counted here too, or an outage would begin with a second burst.
            self._local.note(rates, now_s)
        return wait_us / 1_000_000

    def _ask(self, rates: Sequence[Rate]) -> int:
        arguments = [number for rate in rates for number in (_step_us(rate), _step_us(rate) * (rate.burst - 1))]
        return int(cast(Any, self._script(keys=[PREFIX + rate.key for rate in rates], args=arguments)))

    def _resting(self, now_s: float) -> bool:
        with self._lock:
            return self._away_until_s is not None and now_s < self._away_until_s

    def _left(self, error: redis.RedisError) -> None:
        with self._lock:
            first = self._away_until_s is None
            self._away_until_s = self._clock.monotonic_s() + REST_S
        if first:
            log.warning("limiter_counts_alone", error=type(error).__name__)

    def _back(self) -> None:
        with self._lock:
            was_away, self._away_until_s = self._away_until_s is not None, None
        if was_away:
            log.info("limiter_shares_again")


class _Local:
    """The same algorithm for one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle_us: dict[str, int] = {}

    def take(self, rates: Sequence[Rate], now_s: float) -> float:
        now = int(now_s * 1_000_000)
        with self._lock:
            ahead = [self._idle(rate, now) - now - _step_us(rate) * (rate.burst - 1) for rate in rates]
            if max(ahead) > 0:
                return max(ahead) / 1_000_000
            self._move(rates, now)
        return 0.0

    def note(self, rates: Sequence[Rate], now_s: float) -> None:
        with self._lock:
            self._move(rates, int(now_s * 1_000_000))

    def _idle(self, rate: Rate, now: int) -> int:
        return max(self._idle_us.get(rate.key, now), now)

    def _move(self, rates: Sequence[Rate], now: int) -> None:
        for rate in rates:
            self._idle_us[rate.key] = self._idle(rate, now) + _step_us(rate)
        if len(self._idle_us) > LOCAL_KEYS_MAX:
            self._idle_us = {key: idle for key, idle in self._idle_us.items() if idle > now}
