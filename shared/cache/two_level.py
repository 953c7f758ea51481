"""A cache in two levels: this process's memory in front of Redis. One thread makes a missing value; the others wait for
it.

Values that are made under a topic can be forgotten by it, in both levels (`forget`, a callback of
shared/cache/invalidation.py). In Redis each topic has a mark, and a value stands behind the marks that were read before
it was made; forgetting replaces the mark. So whoever read an old row and stores it late stores what nobody takes.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import redis
import structlog

from shared.cache import metrics
from shared.cache.invalidation import Invalidations, below
from shared.clock import Clock
from shared.store.db.pool import describe

log = structlog.get_logger(__name__)

PREFIX = "sb:cache:"
MARK = "sb:cache:mark:"
MARK_BYTES = 8
MARK_LIVES = 10
"""A mark lives so many times as long as the values behind it. Without one they are made anew."""
OWED_MAX = 1_000
REST_S = 5.0
"""After a failure Redis is left alone so long: a cache that makes people wait is none."""
FLIGHT_S = 2.0
"""So long the others wait; then each makes its own."""


def key_of(kind: str, *parts: str) -> str:
    """Return a cache key that does not reveal its parts. Their lengths are part of it, so that no two lists give the
    same key."""
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "replace"))
    return f"{kind}:{digest.hexdigest()}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """How things stood before a value was made. marks: what it stands behind in Redis, None: it is not kept there."""

    forgets: int
    marks: bytes | None


@dataclass(frozen=True, slots=True)
class _Far:
    marks: bytes
    values: dict[str, bytes]


class TwoLevel:
    """Caches bytes by key, for all threads of a process.

    Redis is asked through a client with a short timeout. Without Redis, or while it is away or full, only the memory is
    used.
    """

    def __init__(self, client: redis.Redis, clock: Clock, *, ttl_s: float, entries: int) -> None:
        """entries: in this process' memory."""
        self._client, self._clock, self._ttl_s, self._entries = client, clock, ttl_s, entries
        self._lock = threading.Lock()
        self._near: OrderedDict[str, tuple[float, bytes, str | None]] = OrderedDict()
        self._flights: dict[str, threading.Event] = {}
        self._rest_until_s = 0.0
        self._forgets = 0
        self._owed: dict[str, bytes] = {}

    def follow(self, invalidations: Invalidations, prefix: str) -> None:
        """Forget what was made under this topic or one below it whenever it is told, or may have been."""
        invalidations.on(prefix, lambda topic: self.forget(prefix if topic is None else topic))

    def forget(self, topic: str) -> None:
        """Forget what was made under this topic or one below it, here and in Redis. What is being made now goes to its
        caller and is not kept. While Redis is away it is owed, and done before Redis is asked again."""
        with self._lock:
            self._forgets += 1
            for key in [key for key, (_, _, its) in self._near.items() if its is not None and below(its, topic)]:
                del self._near[key]
            self._owed[topic] = _new_mark()
            if len(self._owed) > OWED_MAX:
                self._owed = {each.partition(":")[0]: _new_mark() for each in self._owed}
        self._ask(self._pay)

    def get_or_make(
        self, key: str, make: Callable[[], bytes], *, looked: bool = False, topic: str | None = None
    ) -> bytes:
        """Return the value under a key, made if it is missing. What `make` raises is raised to its own caller only.

        topic: what it is forgotten by; always the same for a key. `make` then has to read what is committed now.
        """
        return self.get_or_make_many([key], lambda _: {key: make()}, looked=looked, topic=topic)[key]

    def get_or_make_many(
        self,
        keys: Sequence[str],
        make: Callable[[Sequence[str]], Mapping[str, bytes]],
        *,
        wait_s: float = FLIGHT_S,
        looked: bool = False,
        topic: str | None = None,
    ) -> dict[str, bytes]:
        """Return the values under several keys; missing ones are made together by this thread, unless another thread is
        making them already.

        wait_s: how long to wait for that thread before making them here. looked: the caller has just found none of
        them. An exception of `make` is raised to its own caller only.
        """
        found, seen = self._look([] if looked and topic is None else list(dict.fromkeys(keys)), topic)
        mine, others, landed = self._board([key for key in dict.fromkeys(keys) if key not in found])
        found |= landed
        try:
            if mine:
                made = make(mine)
                self._put(made, topic, seen)
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
        return self._look(keys, None)[0]

    def put_many(self, values: Mapping[str, bytes]) -> None:
        self._put(values, None, _Seen(0, b""))

    def _look(self, keys: Sequence[str], topic: str | None) -> tuple[dict[str, bytes], _Seen]:
        """What is cached of these keys, and how things stood before it was looked for."""
        now_s = self._clock.monotonic_s()
        found: dict[str, bytes] = {}
        with self._lock:
            seen = _Seen(self._forgets, b"" if topic is None else None)
            for key in keys:
                entry = self._near.get(key)
                if entry is not None and entry[0] > now_s:
                    self._near.move_to_end(key)
                    found[key] = entry[1]
        _count(found, "near")
        missing = [key for key in keys if key not in found]
        far = self._ask(lambda: self._far(missing, topic)) if missing else None
        if isinstance(far, _Far):
            seen = _Seen(seen.forgets, far.marks)
            self._keep(far.values, topic, seen)
            found |= far.values
            _count(far.values, "far")
            missing = [key for key in missing if key not in far.values]
        _count(missing, "nowhere")
        return found, seen

    def _far(self, keys: Sequence[str], topic: str | None) -> _Far:
        """What Redis has of these keys behind the topic's marks. Raises redis' errors."""
        self._pay()
        names = _marks(topic)
        found = self._client.mget([*names, *(PREFIX + key for key in keys)])
        behind = _joined(found[: len(names)])
        if behind is None:
            return _Far(self._new_marks(names), {})
        values = {
            key: value[len(behind) :]
            for key, value in zip(keys, found[len(names) :], strict=True)
            if isinstance(value, bytes) and value.startswith(behind)
        }
        return _Far(behind, values)

    def _new_marks(self, names: Sequence[str]) -> bytes:
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.set(name, _new_mark(), px=self._mark_ms(), nx=True)
            pipe.mget(names)
            behind = _joined(pipe.execute()[-1])
        if behind is None:
            raise redis.ResponseError("Redis evicts at once what is written")
        return behind

    def _pay(self) -> None:
        """Replace the marks of what was forgotten. Raises redis' errors."""
        with self._lock:
            owed = dict(self._owed)
        if not owed:
            return
        with self._client.pipeline(transaction=False) as pipe:
            for topic, mark in owed.items():
                pipe.set(MARK + topic, mark, px=self._mark_ms())
            pipe.execute()
        with self._lock:
            for topic, mark in owed.items():
                if self._owed.get(topic) is mark:  # it was not forgotten again meanwhile
                    del self._owed[topic]

    def _mark_ms(self) -> int:
        return round(self._ttl_s * 1000 * MARK_LIVES)

    def _put(self, values: Mapping[str, bytes], topic: str | None, seen: _Seen) -> None:
        self._keep(values, topic, seen)
        behind = seen.marks
        if behind is None:
            return

        def write() -> None:
            with self._client.pipeline(transaction=False) as pipe:
                for key, value in values.items():
                    pipe.set(PREFIX + key, behind + value, px=round(self._ttl_s * 1000))
                pipe.execute()

        self._ask(write)

    def _keep(self, values: Mapping[str, bytes], topic: str | None, seen: _Seen) -> None:
        ends_s = self._clock.monotonic_s() + self._ttl_s
        with self._lock:
            if topic is not None and seen.forgets != self._forgets:
                return  # it may be older than what was forgotten meanwhile
            for key, value in values.items():
                self._near[key] = (ends_s, value, topic)
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


def _marks(topic: str | None) -> list[str]:
    """The names of a topic's marks: its own and those of all that it stands below."""
    parts = [] if topic is None else topic.split(":")
    return [MARK + ":".join(parts[: count + 1]) for count in range(len(parts))]


def _new_mark() -> bytes:
    return secrets.token_bytes(MARK_BYTES)


def _joined(marks: Sequence[object]) -> bytes | None:
    """None if one is missing."""
    there = [mark for mark in marks if isinstance(mark, bytes)]
    return b"".join(there) if len(there) == len(marks) else None
