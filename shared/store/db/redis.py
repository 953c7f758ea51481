"""Redis clients with bounded waits and no hidden repetition."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import hiredis
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

CONNECT_TIMEOUT_S = 2.0
SOCKET_TIMEOUT_S = 5.0

_pack: Any = hiredis.pack_command  # its types say a tuple of one word


def connect(url: str, *, socket_timeout_s: float = SOCKET_TIMEOUT_S) -> redis.Redis:
    """Return a Redis client that answers or fails in bounded time and never repeats a command.

    redis-py would retry a command ten times: an XADD or INCR whose answer was lost would count twice.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=socket_timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 0),
    )


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
        retry=AsyncRetry(NoBackoff(), 0),
    )


def packed(*words: str | bytes | int | float) -> bytes:
    """Encode a command for the wire."""
    command: bytes = _pack(words)
    return command


async def exchange(client: redis.asyncio.Redis, commands: Sequence[bytes], *, within_s: float) -> list[Any]:
    """Send packed commands in one write and read their answers, bytes as they came; an error is the answer of the
    command that met it. Raises redis' ConnectionError, TimeoutError: then nobody knows which of them were done.

    redis-py's pipeline packs in Python and sets a timer for each answer, which for small commands is most of its cost.
    """
    pool: Any = client.connection_pool
    connection = await pool.get_connection()
    try:
        async with asyncio.timeout(within_s):
            await connection.send_packed_command([b"".join(commands)])
            return [await _answer(connection) for _ in commands]
    except BaseException:
        await connection.disconnect(nowait=True)  # what was not read would be taken for the next one's answer
        raise
    finally:
        await pool.release(connection)


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)  # the caller's timer counts
    except ResponseError as e:
        return e
