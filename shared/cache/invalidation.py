"""Tells every process that something cached has changed, by Redis' publish and subscribe.

A topic is a static word and ids below it: `routes:7` is what company 7 has of `routes`. Tell after the commit. A
process whose subscription was away runs all its callbacks when it stands again, because something may have been missed.
What is lost all the same ends with the caches' TTL.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable
from typing import Any

import redis
import structlog

from shared.cache import metrics
from shared.store.db.pool import describe

log = structlog.get_logger(__name__)

TOPIC = re.compile(r"[a-z_]{1,40}(?::[0-9]{1,19}|:[a-z_]{1,40}){0,4}")
POLL_S = 0.5
"""How long the thread waits for a message at a time, so how long it may take to end."""
QUIET_POLLS = 10
"""After so many without a word Redis is asked; after as many more without an answer it counts as gone."""
PAUSES_S = (0.05, 0.2, 0.5, 1.0)
"""After failures in a row; the first is short, because most outages are restarts."""
UNTOLD_MAX = 1_000

Callback = Callable[[str | None], None]
"""Called with the topic; with None when any of its topics may have changed. It is short and may be called from any
thread."""


def below(topic: str, prefix: str) -> bool:
    """Whether a topic is this one or stands below it."""
    return topic == prefix or topic.startswith(f"{prefix}:")


class Invalidations:
    """What this process tells others and hears from them.

    client: synchronous, with short timeouts. The one thread begins with the first callback, so after any fork, and ends
    with `close` or the process. Redis may be away at any time, at the start as well.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        database = int(client.connection_pool.connection_kwargs.get("db") or 0)
        self._channel = f"sb:changed:{database}"  # publishing is not divided by Redis' logical databases; names are
        self._own = uuid.uuid4().hex
        self._callbacks: list[tuple[str, Callback]] = []
        self._untold: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._connected = threading.Event()

    @property
    def connected(self) -> bool:
        """Whether the subscription stands: what others tell now is heard."""
        return self._connected.is_set()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the subscription stands; False after timeout_s."""
        return self._connected.wait(timeout_s)

    def on(self, prefix: str, callback: Callback) -> None:
        """Have a callback called for this topic and what stands below it, and with None when something may have been
        missed. Raises ValueError for what is no topic."""
        _check(prefix)
        with self._lock:
            self._callbacks.append((prefix, callback))
            self._begin()

    def tell(self, topic: str) -> bool:
        """Run this process' callbacks of a topic and tell the other processes. Call it after the commit and not from an
        event loop: Redis may take its timeout. Raises ValueError for what is no topic.

        False: Redis is away. It is told when Redis is back and this process is still there; otherwise the TTL counts.
        """
        _check(topic)
        self._run(topic)
        if self._thread is None or self.connected:
            try:
                self._publish(topic)
                return True
            except (redis.RedisError, OSError) as e:
                log.warning("invalidation_untold", topic=topic, error=describe(e))
        metrics.INVALIDATIONS.inc("untold")
        with self._lock:
            if len(self._untold) < UNTOLD_MAX:
                self._untold.add(topic)
            self._begin()
        return False

    def close(self) -> None:
        """End the thread. Twice is once."""
        self._closing.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(4 * POLL_S)

    def _begin(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._listen, name="invalidations", daemon=True)
            self._thread.start()

    def _listen(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                for message in self._messages():
                    failures = 0
                    self._take(message)
            except Exception as e:  # noqa: BLE001  whatever it was, listening goes on; a break shows in many ways
                self._connected.clear()
                if failures == 0:
                    log.warning("invalidations_unheard", error=describe(e))
                self._closing.wait(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
        self._connected.clear()

    def _messages(self) -> Any:
        """Subscribe and yield what comes until the end. Raises redis' errors, OSError."""
        subscription = self._client.pubsub()  # type: ignore[no-untyped-call]
        try:
            subscription.subscribe(self._channel)
            quiet = 0
            while not self._closing.is_set():
                message = subscription.get_message(timeout=POLL_S)
                quiet = 0 if message is not None else quiet + 1
                if message is not None:
                    yield message
                if self._untold and self.connected:
                    self._tell_untold()
                if quiet == QUIET_POLLS:
                    subscription.ping()
                elif quiet >= 2 * QUIET_POLLS:
                    raise redis.TimeoutError("no answer to a ping")
        finally:
            subscription.close()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            # also when redis-py connected anew by itself: what was told before it is unknown
            self._connected.set()
            metrics.INVALIDATIONS.inc("subscribed")
            self._run(None)
        elif message["type"] == "message":
            own, _, topic = bytes(message["data"]).decode("ascii", "replace").partition(" ")
            if own != self._own and TOPIC.fullmatch(topic):
                metrics.INVALIDATIONS.inc("heard")
                self._run(topic)

    def _tell_untold(self) -> None:
        with self._lock:
            untold = list(self._untold)
        for topic in untold:
            self._publish(topic)
            with self._lock:
                self._untold.discard(topic)

    def _publish(self, topic: str) -> None:
        self._client.publish(self._channel, f"{self._own} {topic}")
        metrics.INVALIDATIONS.inc("told")

    def _run(self, topic: str | None) -> None:
        with self._lock:
            callbacks = [callback for prefix, callback in self._callbacks if topic is None or below(topic, prefix)]
        for callback in callbacks:
            try:
                callback(topic)
            except Exception as e:  # the other caches still have to forget
                log.error("invalidation_callback_failed", topic=topic, exc_info=e)


def _check(topic: str) -> None:
    if not TOPIC.fullmatch(topic):
        raise ValueError(f"{topic!r} is no topic: a lower-case word, then ids or words after colons, such as routes:7")
