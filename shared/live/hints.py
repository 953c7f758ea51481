"""Receives hints that a lease was lost. A hint makes the holder check at once; without one it checks every second."""

from __future__ import annotations

import redis

from shared.live.topics import HINTS, Moved, channel_name, decode

WAIT_S = 1.0
HINTS_MAX = 1_000


class HintListener:
    """One subscription, for one thread, on a connection of its own, because it blocks while it waits."""

    def __init__(self, client: redis.Redis) -> None:
        database = int(client.connection_pool.connection_kwargs.get("db") or 0)
        self._channel = channel_name(database, HINTS)
        self._client = client
        self._subscription: redis.client.PubSub | None = None

    def listen(self) -> list[Moved]:
        """Return the hints that came within WAIT_S. Raises redis' errors; the next call subscribes again."""
        try:
            return self._listen()
        except (redis.RedisError, OSError):
            self.close()
            raise

    def _listen(self) -> list[Moved]:
        if self._subscription is None:
            self._subscription = self._client.pubsub()  # type: ignore[no-untyped-call]
            self._subscription.subscribe(self._channel)
        found: list[Moved] = []
        wait_s = WAIT_S
        while len(found) < HINTS_MAX and (message := self._subscription.get_message(timeout=wait_s)) is not None:
            wait_s = 0.0  # what has gathered behind it is taken along
            hint = decode(message["data"]) if message["type"] == "message" else None
            if isinstance(hint, Moved):
                found.append(hint)
        return found

    def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
