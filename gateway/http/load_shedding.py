"""Load shedding of the gateway: webhooks are refused while the journal or its disk is nearly full, or not read.

Looked at once a second beside the requests, so that refusing costs a request nothing but an attribute. Where the look
itself fails the state stays: a journal that is away says so by each write.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.http import metrics
from shared.resilience import disk
from shared.settings import Settings
from shared.store.inbound import journal
from shared.store.inbound.journal import State
from shared.store.inbound.journal_writer import Refusal, Writer

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
CALM_MEMORY_SHARE = 0.9
"""Of the bound: refusing ends below it, so that it does not begin and end with every request."""
CALM_AGE_SHARE = 0.5
RETRY_AFTER_S = 15
"""Longer than a gateway's look and intake's pauses, short against the hour after which platforms give up."""
WORDS = {
    "disk": "the journal's disk is full or cannot be written to (DISK_REFUSE_FREE_BYTES, DISK_REFUSE_FREE_SHARE)",
    "memory": "the journal's Redis has nearly used up its memory (REFUSE_MEMORY_SHARE)",
    "age": "what was accepted has waited too long for an intake worker (REFUSE_AGE_S)",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """memory_share: of the server's maxmemory; without one there is no bound. age_s: of the journal's oldest entry."""

    memory_share: float
    age_s: float


def reason(state: State, bounds: Bounds, refusing: bool, disk_full: bool = False) -> str | None:
    """Return why to refuse webhooks: `disk`, `memory` or `age`; None: accept them. refusing: whether it is so until
    now. disk_full: whether the disk that the journal lies on is, where it is one of this machine."""
    if disk_full or state.unwritten:
        return "disk"
    memory = bounds.memory_share * (CALM_MEMORY_SHARE if refusing else 1.0)
    age_s = bounds.age_s * (CALM_AGE_SHARE if refusing else 1.0)
    if state.max_bytes and state.used_bytes >= memory * state.max_bytes:
        return "memory"
    return "age" if state.oldest_s >= age_s else None


class LoadShedder:
    """Refuses webhooks while the journal or its disk is nearly full."""

    def __init__(self, client: Redis, writer: Writer, settings: Settings) -> None:
        self._client, self._writer = client, writer
        self._shards = settings.journal.shards
        self._bounds = Bounds(settings.journal.refuse_memory_share, settings.journal.refuse_age_s)
        self._folder = disk.journal_folder(settings)
        self._disk_bounds = disk.Bounds.of(settings)
        self._disk_full = False
        self._disk_look: asyncio.Task[None] | None = None
        self._reason: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._closing = True  # a cancellation that meets a time-out may end as that, and be waited for without an end
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while not self._closing:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        await self._look_at_disk()
        try:
            state = await journal.state(self._client, self._shards)
        except (TimeoutError, RedisError, OSError):
            return  # nobody can say how full it is: what was seen last holds
        found = reason(state, self._bounds, self._reason is not None, self._disk_full)
        if found == self._reason:
            return
        self._writer.refusal = Refusal(WORDS[found], RETRY_AFTER_S) if found else None
        metrics.REFUSING.set(1 if found else 0)
        if found is not None:
            log.error(
                "gateway_refuses", reason=found, used_bytes=state.used_bytes, max_bytes=state.max_bytes,
                oldest_s=round(state.oldest_s),
            )  # fmt: skip
        else:
            log.warning("gateway_takes_again", reason=self._reason)
        self._reason = found

    async def _look_at_disk(self) -> None:
        """In a thread, because a network's disk may hang; then what was seen last holds, and nobody looks again."""
        if self._folder is None or (self._disk_look is not None and not self._disk_look.done()):
            return
        self._disk_look = asyncio.create_task(self._measure(self._folder))
        await asyncio.wait([self._disk_look], timeout=LOOK_EVERY_S)

    async def _measure(self, folder: Path) -> None:
        with suppress(OSError):  # a folder that cannot be measured says nothing: what was seen last holds
            room = await asyncio.to_thread(disk.look, folder, self._disk_bounds, full_until_now=self._disk_full)
            self._disk_full = room.level in ("full", "read_only")
