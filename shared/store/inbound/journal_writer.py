"""Appends verified requests to the journal. Only then is the platform told that they were accepted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis import exceptions
from redis.exceptions import RedisError

from shared.errors import JournalUnavailable
from shared.store.db.redis import exchange, packed
from shared.store.inbound.journal import fields, shard_of, stream_of

PROBE = "sb:journal-probe"
"""A stream that never is."""
PIPELINE_ENTRIES = 256
PIPELINE_BYTES = 4 * 1024 * 1024
CHECK_WAIT_MS = 200
"""How long readiness waits for the replicas."""
USUAL_BYTES = 4096
"""A webhook of usual size: readiness asks whether one like it would be taken."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why requests are refused at present, in words for operators, and when to try again."""

    words: str
    retry_after_s: int


class _Gathering:
    """Entries that become one write. What is not known after `within_s` is given up: one timer for all of them,
    because a timer for each costs as much as the entry's write."""

    __slots__ = ("_loop", "entries", "size_bytes", "timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, within_s: float) -> None:
        self._loop = loop
        self.entries: list[tuple[bytes, asyncio.Future[str]]] = []
        """Commands as they go over the wire, and who waits for their answers."""
        self.size_bytes = 0
        self.timer = loop.call_later(within_s, self._give_up)

    def has_room(self, size_bytes: int) -> bool:
        return len(self.entries) < PIPELINE_ENTRIES and self.size_bytes + size_bytes <= PIPELINE_BYTES

    def add(self, command: bytes, size_bytes: int) -> asyncio.Future[str]:
        future: asyncio.Future[str] = self._loop.create_future()
        self.entries.append((command, future))
        self.size_bytes += size_bytes
        return future

    def _give_up(self) -> None:
        for _, future in self.entries:
            if not future.done():
                future.set_exception(JournalUnavailable("the journal hangs", retry_after_s=1))


class TooFewReplicas(RedisError):
    """A write that reached fewer replicas than required."""


WORDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (TooFewReplicas, "too few replicas have the write (JOURNAL_WAIT_REPLICAS)"),
    (exceptions.OutOfMemoryError, "Redis has no memory left (maxmemory)"),
    (exceptions.ReadOnlyError, "this Redis is a replica, which takes no writes"),
    (exceptions.BusyLoadingError, "Redis is still loading its data"),
    ((exceptions.AuthenticationError, exceptions.NoPermissionError), "Redis refuses our password or our rights"),
    ((TimeoutError, exceptions.TimeoutError), "Redis does not answer in time"),
    ((OSError, exceptions.ConnectionError), "Redis cannot be reached"),
)


def _words(error: BaseException) -> str:
    """What a failed write means, ending with the error's class."""
    meaning = next((words for kinds, words in WORDS if isinstance(error, kinds)), "")
    if str(error).startswith("MISCONF"):
        meaning = "Redis cannot write to its disk"
    name = type(error).__name__
    return f"{meaning} ({name})" if meaning else name


class Writer:
    """Appends requests; those that arrive together share one pipelined write.

    While a write is under way, requests gather, and the next write takes all of them. So an idle gateway adds no delay
    and a busy one pays for few round trips.
    """

    def __init__(
        self, client: redis.asyncio.Redis, shards: int, *, max_waiting_bytes: int, timeout_s: float = 2.0,
        replicas: int = 0, probing: redis.asyncio.Redis | None = None,
    ) -> None:  # fmt: skip
        """timeout_s: how long a write may take; nobody waits for the journal longer than for two.
        replicas: so many must have a write before anybody is told that it was taken.
        probing: what `check` asks, where its connections must not be those of the writes."""
        self._client = client
        self._probing = probing or client
        self._replicas = replicas
        self._shards = shards
        self._timeout_s = timeout_s
        self._max_waiting_bytes = max_waiting_bytes
        self.refusal: Refusal | None = None
        """Set while nothing is to be taken."""
        self._waiting: deque[_Gathering] = deque()
        self._waiting_bytes = 0
        self._flusher: asyncio.Task[None] | None = None

    async def append(
        self,
        app_id: int,
        key: str,
        platform: str,
        received_ms: int,
        raw: bytes,
        request_id: str | None = None,
        delivery_id: str | None = None,
    ) -> str:
        """Returns the entry's id once the journal has it. Raises JournalUnavailable when it has it not, or
        when nobody knows: the platform will send the request again, and a duplicate is harmless."""
        self._need_room(len(raw))
        stream = stream_of(shard_of(app_id, key, self._shards))
        entry = fields(platform, app_id, received_ms, raw, request_id=request_id, delivery_id=delivery_id)
        command = packed("XADD", stream, "*", *(word for pair in entry.items() for word in pair))
        if not self._waiting or not self._waiting[-1].has_room(len(raw)):
            # The write before ours may hang for its whole timeout, and with many waiting there is more than one.
            self._waiting.append(_Gathering(asyncio.get_running_loop(), 2 * self._timeout_s))
        future = self._waiting[-1].add(command, len(raw))
        self._waiting_bytes += len(raw)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        return await future

    def _need_room(self, size_bytes: int) -> None:
        """Raises JournalUnavailable while an entry of this size is not to be taken."""
        if self.refusal is not None:
            raise JournalUnavailable(self.refusal.words, retry_after_s=self.refusal.retry_after_s)
        if self._waiting_bytes + size_bytes > self._max_waiting_bytes:
            raise JournalUnavailable("too many bytes wait for the journal (JOURNAL_MAX_WAITING_BYTES)", retry_after_s=1)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                gathering = self._waiting.popleft()
                self._waiting_bytes -= gathering.size_bytes
                await self._write(gathering)
                gathering.timer.cancel()
        finally:
            self._flusher = None

    async def _write(self, gathering: _Gathering) -> None:
        # the others were told 503 or have left
        batch = [(command, future) for command, future in gathering.entries if not future.done()]
        if not batch:
            return
        for (_, future), result in zip(batch, await self._exchange([command for command, _ in batch]), strict=True):
            if future.done():  # its client has left, or it was given up
                continue
            if isinstance(result, BaseException):
                error = JournalUnavailable(_words(result), retry_after_s=1)
                error.__cause__ = result
                future.set_exception(error)
            else:
                future.set_result(result.decode())

    async def _exchange(self, commands: list[bytes]) -> Sequence[Any]:
        """An entry's id for each, or the error that it met."""
        count = len(commands)
        if self._replicas:
            # For all of these writes at once, and for half of the time that they may take.
            commands = [*commands, packed("WAIT", self._replicas, int(self._timeout_s * 500))]
        try:
            results = await exchange(self._client, commands, within_s=self._timeout_s)
        except (TimeoutError, RedisError, OSError) as e:
            return [e] * count
        if not self._replicas:
            return results
        *results, reached = results
        return [self._unless_few(reached, result) for result in results]

    def _unless_few(self, reached: Any, result: Any) -> Any:
        """The result of a write, or the error that too few replicas have it: it may be lost with its server, so the
        platform keeps it and sends it again."""
        if isinstance(reached, BaseException):
            return reached
        return result if int(reached) >= self._replicas else TooFewReplicas(str(reached))

    def check_room(self) -> None:
        """Raise JournalUnavailable, with the reason, while this process would itself refuse an entry of usual size."""
        self._need_room(min(USUAL_BYTES, self._max_waiting_bytes))

    async def check(self) -> None:
        """Raise JournalUnavailable, with the reason, unless `append` would accept an entry of usual size now."""
        self.check_room()
        await self.check_server()

    async def check_server(self) -> None:
        """Raise JournalUnavailable, with the reason, unless Redis would accept a write now."""
        try:
            # Refused as every write is (out of memory, read-only, too few replicas), and changes nothing: there is no
            # such stream, and NOMKSTREAM makes none.
            await self._probing.xadd(PROBE, {"p": b""}, nomkstream=True)
            if self._replicas and int(await self._probing.wait(self._replicas, CHECK_WAIT_MS)) < self._replicas:
                raise TooFewReplicas
        except (TimeoutError, RedisError, OSError) as e:
            raise JournalUnavailable(_words(e)) from e
