"""Publishes live events in order on a thread of its own, fire and forget, so that nobody waits for Redis."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import redis
import structlog

from shared.clock import Clock, SystemClock
from shared.live.topics import HINTS, Chat, Moved, News, channel_name, encode

log = structlog.get_logger(__name__)

WAITING_MAX = 2_000
"""Publications that may wait; beyond it they are dropped, as they are while Redis rests."""
BATCH_MAX = 200
REST_S = 1.0
"""After a failure Redis is left alone for so long."""
CLOSE_WITHIN_S = 1.0

Heard = Callable[[int], None]
"""Told how many subscribers got a publication; 0 when it was dropped. Called from any thread."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    topic: str
    raw: bytes
    heard: Heard | None


class Publisher:
    """Publishes in the order of the calls; each call returns at once. What cannot be published is lost, and
    whoever watches finds it in the table later.

    client: synchronous, with short timeouts. The thread begins with the first publication, so after any fork.
    """

    def __init__(self, client: redis.Redis, clock: Clock | None = None) -> None:
        self._client = client
        self._database = int(client.connection_pool.connection_kwargs.get("db") or 0)
        self._clock = clock or SystemClock()
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._away_until_s: float | None = None

    def tell(self, chats: Iterable[Chat], news: News, heard: Heard | None = None) -> None:
        """Publish events of these conversations."""
        for chat in chats:
            self._put(_Waiting(chat.topic, encode(news), heard))

    def hint(self, moved: Iterable[Moved]) -> None:
        """Make the holders of leases check the table now."""
        for one in moved:
            self._put(_Waiting(HINTS, encode(one), None))

    def close(self) -> None:
        """Publish what still waits, for a limited time, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_WITHIN_S)

    def _put(self, waiting: _Waiting) -> None:
        with self._changed:
            taken = not self._closing and not self._resting() and len(self._waiting) < WAITING_MAX
            if taken:
                self._waiting.append(waiting)
                self._begin()
                self._changed.notify()
        if not taken and waiting.heard is not None:
            waiting.heard(0)

    def _resting(self) -> bool:
        return self._away_until_s is not None and self._clock.monotonic_s() < self._away_until_s

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="live", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while batch := self._next():
            self._publish(batch)

    def _next(self) -> list[_Waiting]:
        """What waits, as soon as there is something; empty when the publisher is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]

    def _publish(self, batch: list[_Waiting]) -> None:
        counts = [0] * len(batch)
        try:
            pipe = self._client.pipeline(transaction=False)
            for waiting in batch:
                pipe.publish(channel_name(self._database, waiting.topic), waiting.raw)
            counts = [int(count) for count in pipe.execute()]
        except Exception as e:  # noqa: BLE001  whatever it was, the thread goes on
            self._left(e)
        else:
            self._back()
        for waiting, count in zip(batch, counts, strict=True):
            if waiting.heard is not None:
                waiting.heard(count)

    def _left(self, error: Exception) -> None:
        with self._changed:
            first = self._away_until_s is None
            self._away_until_s = self._clock.monotonic_s() + REST_S
            dropped, self._waiting = list(self._waiting), deque()
        for waiting in dropped:
            if waiting.heard is not None:
                waiting.heard(0)
        if first:
            log.warning("live_is_silent", error=type(error).__name__)

    def _back(self) -> None:
        with self._changed:
            was_away, self._away_until_s = self._away_until_s is not None, None
        if was_away:
            log.info("live_speaks_again")
