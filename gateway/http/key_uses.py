"""Which API keys were used, told to the database now and then, so that no request waits for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from shared.store.db.pool import Database, describe
from shared.store.tenants import api_keys

log = structlog.get_logger(__name__)

TELL_EVERY_S = 15.0
WAITING_MAX = 10_000


class KeyUses:
    """Gathers on the event loop; tells in a thread. Its task begins with the first use."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._used: set[tuple[int, int]] = set()
        self._task: asyncio.Task[None] | None = None

    def note(self, company_id: int, key_id: int) -> None:
        if len(self._used) < WAITING_MAX:
            self._used.add((company_id, key_id))
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.tell()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell what was used since. What the database does not take is dropped: the next use tells it again."""
        used, self._used = sorted(self._used), set()
        if not used:
            return
        try:
            await asyncio.to_thread(self._write, used)
        except Exception as e:  # noqa: BLE001  whatever it was, the next time may be better
            log.warning("key_uses_not_told", error=describe(e))

    def _write(self, used: list[tuple[int, int]]) -> None:
        with self._db.transaction() as conn:
            api_keys.note_used(conn, used)
