"""Limits that all processes share, because a platform limits a channel, and a company a contact, and not one worker."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast

import redis
import structlog

from shared.clock import Clock, SystemClock
from shared.model import Rate
from shared.resilience.limiter_alone import Alone, decision
from shared.resilience.limiter_scripts import RENEW, TAKE
from shared.resilience.limits import (
    PLACE_RETRY_S,
    AtOnce,
    Decision,
    Limit,
    Window,
    checked,
    name_of,
    slot_us,
    step_us,
)

log = structlog.get_logger(__name__)

REST_S = 1.0
"""How long Redis is not asked after a failure, because each attempt may cost a caller the client's whole timeout."""
RENEWALS = 3
"""In the time of a lease."""


class Limiter:
    """Takes from several limits at once, all or nothing.

    client: redis-py, synchronous, with short timeouts and no retries (a retried EVAL takes twice); None to count for
    this process alone. While Redis is unavailable or refuses writes, each process counts for itself: n processes may
    then allow up to n times the limit. After a failover the last takes may be lost with the old server.
    """

    def __init__(self, client: redis.Redis | None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._client = client
        self._script: Any = client.register_script(TAKE) if client is not None else None
        self._renewal: Any = client.register_script(RENEW) if client is not None else None
        self._alone = Alone()
        self._lock = threading.Lock()
        self._away_until_s: float | None = None
        self._renewer = _Renewer(self)

    def take(self, rates: Sequence[Rate | Window]) -> float:
        """`decide`, for who needs the wait alone."""
        return self.decide(rates).wait_s

    def decide(self, limits: Sequence[Rate | Window]) -> Decision:
        """Take one from every limit, or take nothing and say after how long to ask again.

        Without limits everything is allowed. Raises ValueError for a limit whose numbers are not positive, and for two
        of one kind with one key.
        """
        return self._decide(limits, "")

    def hold(self, limits: Sequence[Limit]) -> Held:
        """The same with places among the limits (AtOnce). If it is allowed the places are held, and their leases
        renewed, until the answer is freed or the process dies: `with limiter.hold(limits) as held: if held.allowed: …`.
        """
        token = uuid.uuid4().hex
        found = self._decide(limits, token)
        places = tuple(limit for limit in limits if isinstance(limit, AtOnce)) if found.allowed else ()
        held = Held(found, places, token, self._renewer)
        if places:
            self._renewer.add(held)
        return held

    def _decide(self, limits: Sequence[Limit], token: str) -> Decision:
        wanted = checked(limits)
        if not wanted:
            return Decision(0.0)
        now_s = self._clock.monotonic_s()
        if self._script is None or self._resting(now_s):
            return self._alone.take(wanted, now_s, token)
        try:
            found = self._ask(wanted, token)
        except redis.RedisError as error:
            self._left(error)
            return self._alone.take(wanted, now_s, token)
        self._back()
        if found.allowed:
            # Counted here too, or an outage would begin with a second burst.
            self._alone.note(wanted, now_s, token)
        return found

    def _ask(self, limits: Sequence[Limit], token: str) -> Decision:
        numbers: list[str | int] = [number for limit in limits for number in arguments(limit)]
        told = cast(list[Any], self._script(keys=[name_of(limit) for limit in limits], args=[*numbers, token]))
        wait_us, *stands = map(int, told)
        return decision(limits, wait_us, list(zip(stands[::2], stands[1::2], strict=True)))

    def renew(self, held: Sequence[Held]) -> None:
        """Renew these places, here and in Redis, in one round trip."""
        now_s = self._clock.monotonic_s()
        for one in held:
            self._alone.note(one.places, now_s, one.token)
        if self._client is None or self._resting(now_s):
            return
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for one in held:
                    leases = [round(place.lease_s * 1_000_000) for place in one.places]
                    self._renewal(keys=list(map(name_of, one.places)), args=[one.token, *leases], client=pipe)
                pipe.execute()
        except redis.RedisError as error:
            self._left(error)

    def free(self, held: Held) -> None:
        self._alone.free(held.places, held.token)
        if self._client is None or self._resting(self._clock.monotonic_s()):
            return  # in Redis the lease ends by itself
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for place in held.places:
                    pipe.zrem(name_of(place), held.token)
                pipe.execute()
        except redis.RedisError as error:
            self._left(error)

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


def arguments(limit: Limit) -> tuple[str | int, ...]:
    """What the script is told of a limit."""
    if isinstance(limit, Rate):
        return "rate", step_us(limit), step_us(limit) * (limit.burst - 1), 0
    if isinstance(limit, Window):
        return "window", limit.count, round(limit.per_s * 1_000_000), slot_us(limit)
    return "places", limit.count, round(limit.lease_s * 1_000_000), round(PLACE_RETRY_S * 1_000_000)


class Held:
    """An answer with the places that were taken. Freed once, at the end of a `with` block or by free()."""

    def __init__(self, found: Decision, places: tuple[AtOnce, ...], token: str, renewer: _Renewer) -> None:
        self.decision, self.places, self.token = found, places, token
        self._renewer = renewer

    @property
    def allowed(self) -> bool:
        return self.decision.allowed

    def free(self) -> None:
        if self.places:
            self._renewer.drop(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.free()


class _Renewer:
    """Renews what this process holds on one thread, which lives while anything is held."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._changed = threading.Condition()
        self._held: dict[str, Held] = {}
        self._due_s = 0.0
        self._runs = False

    def add(self, held: Held) -> None:
        due_s = time.monotonic() + _every_s(held)
        with self._changed:
            self._held[held.token] = held
            self._due_s = min(self._due_s, due_s) if self._runs else due_s
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="limits-renewal", daemon=True).start()
            self._changed.notify()

    def drop(self, held: Held) -> None:
        with self._changed:
            if self._held.pop(held.token, None) is None:
                return
            self._changed.notify()
        self._limiter.free(held)

    def _run(self) -> None:
        while (held := self._wait()) is not None:
            self._limiter.renew(held)
            with self._changed:
                freed = [one for one in held if one.token not in self._held]
            for one in freed:  # while it was renewed, perhaps before that reached Redis
                self._limiter.free(one)

    def _wait(self) -> list[Held] | None:
        """What is held, once it is to be renewed; None: nothing is."""
        with self._changed:
            while self._held:
                left_s = self._due_s - time.monotonic()
                if left_s <= 0:
                    self._due_s = time.monotonic() + min(map(_every_s, self._held.values()))
                    return list(self._held.values())
                self._changed.wait(left_s)
            self._runs = False
            return None


def _every_s(held: Held) -> float:
    return min(place.lease_s for place in held.places) / RENEWALS
