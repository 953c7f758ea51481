"""A cache in two levels: this process's memory in front of Redis. One thread makes a missing value; the others wait for
it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

import redis
import structlog

from shared.cache import metrics
from shared.clock import Clock
from shared.store.db.pool import describe

log = structlog.get_logger(__name__)

PREFIX = "sb:cache:"
REST_S = 5.0
"""After a failure Redis is left alone so long: a cache that makes people wait is none."""
FLIGHT_S = 2.0
"""So long the others wait; then each makes its own."""


def key_of(kind: str, *parts: str) -> str:
    """Return a cache key that does not reveal its parts. Their lengths are part of it, so that no two lists give the
    same key."""
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "replace"))
    return f"{kind}:{digest.hexdigest()}"


class TwoLevel:
    """Caches bytes by key, for all threads of a process.

    Redis is asked through a client with a short timeout. Without Redis, or while it is away or full, only the memory is
    used.
    """

    def __init__(self, client: redis.Redis, clock: Clock, *, ttl_s: float, entries: int) -> None:
        """entries: in this process' memory."""
        self._client, self._clock, self._ttl_s, self._entries = client, clock, ttl_s, entries
        self._lock = threading.Lock()
        self._near: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._flights: dict[str, threading.Event] = {}
        self._rest_until_s = 0.0

    def get_or_make(self, key: str, make: Callable[[], bytes], *, looked: bool = False) -> bytes:
        """Return the value under a key, made if it is missing. What `make` raises is raised to its own caller only."""
        return self.get_or_make_many([key], lambda _: {key: make()}, looked=looked)[key]

    def get_or_make_many(
        self,
        keys: Sequence[str],
        make: Callable[[Sequence[str]], Mapping[str, bytes]],
        *,
        wait_s: float = FLIGHT_S,
        looked: bool = False,
    ) -> dict[str, bytes]:
        """Return the values under several keys; missing ones are made together by this thread, unless another thread is
        making them already.

        wait_s: how long to wait for that thread before making them here. looked: the caller has just found none of
        them. An exception of `make` is raised to its own caller only.
        """
        found = {} if looked else self.get_many(list(dict.fromkeys(keys)))
        mine, others, landed = self._board([key for key in dict.fromkeys(keys) if key not in found])
        found |= landed
        try:
            if mine:
                made = make(mine)
                self.put_many(made)
                found |= made
        finally:
            self._land(mine)
        ends_s = time.monotonic() + wait_s
        for flight in others.values():
            flight.wait(max(0.0, ends_s - time.monotonic()))
        with self._lock:
            found |= {key: self._near[key][1] for key in others if key in self._near}
        if left := [key for key in others if key not in found]:
            found |= make(left)
        return found

    def _board(self, keys: Sequence[str]) -> tuple[list[str], dict[str, threading.Event], dict[str, bytes]]:
        """Which of these this thread makes; what tells when another one has made the rest; what it just has."""
        mine, others, landed, now_s = [], {}, {}, self._clock.monotonic_s()
        with self._lock:
            for key in keys:
                flight, entry = self._flights.get(key), self._near.get(key)
                if flight is not None:
                    others[key] = flight
                elif entry is not None and entry[0] > now_s:
                    landed[key] = entry[1]
                else:
                    self._flights[key] = threading.Event()
                    mine.append(key)
        return mine, others, landed

    def _land(self, keys: Sequence[str]) -> None:
        with self._lock:
            landed = [self._flights.pop(key) for key in keys]
        for flight in landed:
            flight.set()

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values that are cached, by key."""
        now_s = self._clock.monotonic_s()
        found: dict[str, bytes] = {}
        with self._lock:
            for key in keys:
                entry = self._near.get(key)
                if entry is not None and entry[0] > now_s:
                    self._near.move_to_end(key)
                    found[key] = entry[1]
        _count(found, "near")
        missing = [key for key in keys if key not in found]
        far = self._ask(lambda: self._client.mget([PREFIX + key for key in missing])) if missing else None
        if isinstance(far, list):
            there = {key: value for key, value in zip(missing, far, strict=True) if isinstance(value, bytes)}
            self._keep(there)
            found |= there
            _count(there, "far")
            missing = [key for key in missing if key not in there]
        _count(missing, "nowhere")
        return found

    def put_many(self, values: Mapping[str, bytes]) -> None:
        self._keep(values)

        def write() -> None:
            with self._client.pipeline(transaction=False) as pipe:
                for key, value in values.items():
                    pipe.set(PREFIX + key, value, px=round(self._ttl_s * 1000))
                pipe.execute()

        self._ask(write)

    def _keep(self, values: Mapping[str, bytes]) -> None:
        ends_s = self._clock.monotonic_s() + self._ttl_s
        with self._lock:
            for key, value in values.items():
                self._near[key] = (ends_s, value)
                self._near.move_to_end(key)
            while len(self._near) > self._entries:
                self._near.popitem(last=False)

    def _ask(self, work: Callable[[], object]) -> object:
        """Return Redis's answer; None while it gives none."""
        if self._clock.monotonic_s() < self._rest_until_s:
            return None
        try:
            return work()
        except (redis.RedisError, OSError) as e:
            self._rest_until_s = self._clock.monotonic_s() + REST_S
            metrics.CACHE_BACKOFFS.inc()
            log.warning("cache_away", error=describe(e))
            return None


def _count(keys: Iterable[str], where: str) -> None:
    for key in keys:
        metrics.CACHE.inc(key.partition(":")[0], where)
