"""Redis clients with bounded waits and no hidden repetition."""

from __future__ import annotations

from typing import Any

import hiredis
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECT_TIMEOUT_S = 2.0
SOCKET_TIMEOUT_S = 5.0


def connect(url: str, *, socket_timeout_s: float = SOCKET_TIMEOUT_S) -> redis.Redis:
    """A client that answers or fails in bounded time. redis-py would repeat a command ten times on its own:
    an XADD or INCR whose answer was lost would count twice."""
    return redis.Redis.from_url(
        url,
        socket_timeout=socket_timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 0),
    )


class PackedConnection(redis.asyncio.Connection):
    """Commands packed in C, as redis-py does it for its other client."""

    def pack_command(self, *args: Any) -> list[bytes]:
        name, *rest = args
        words = name.encode().split() if isinstance(name, str) else name.split()  # "CONFIG GET" is two
        try:
            return [hiredis.pack_command((*words, *rest))]
        except TypeError:  # a memoryview, or something that redis-py has a word to say about
            return super().pack_command(*args)


def connect_async(
    url: str, *, socket_timeout_s: float = SOCKET_TIMEOUT_S, max_connections: int = 8
) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=socket_timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=15,
        max_connections=max_connections,
        connection_class=PackedConnection,  # an address of rediss: or unix: brings a class of its own
        retry=AsyncRetry(NoBackoff(), 0),
    )
