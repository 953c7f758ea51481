"""How each app's webhooks were answered, told to the database now and then: by this the watch knows of trouble before
the platforms act on it. What cannot be told yet waits here, bounded."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from shared.store.db.pool import Database, describe
from shared.store.tenants import channel_health
from shared.store.tenants.channel_health import Answers

log = structlog.get_logger(__name__)

TELL_EVERY_S = 15.0
WAITING_MAX = 10_000
"""Apps times minutes. Beyond it new ones are not counted: numbers are not the gateway's work."""

Key = tuple[int, int]
"""(app, minute since 1970)"""


class AnswerCounts:
    """Counts on the event loop; tells in a thread of its own choosing."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counts: dict[Key, list[int]] = {}
        self._task: asyncio.Task[None] | None = None

    def count(self, app_id: int, status: int, received_ms: int) -> None:
        key = (app_id, received_ms // 60_000)
        counts = self._counts.get(key)
        if counts is None:
            if len(self._counts) >= WAITING_MAX:
                return
            counts = self._counts[key] = [0, 0, 0]
        counts[0 if status < 400 else 1 if status < 500 else 2] += 1

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.tell()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell what was counted since; keep it where the database does not take it."""
        counted, self._counts = self._counts, {}
        if not counted:
            return
        try:
            await asyncio.to_thread(self._write, counted)
        except Exception as e:  # noqa: BLE001  whatever it was, the next time may be better
            log.warning("answers_not_told", error=describe(e))
            for key, counts in counted.items():
                mine = self._counts.setdefault(key, [0, 0, 0])
                mine[:] = [a + b for a, b in zip(mine, counts, strict=True)]

    def _write(self, counted: dict[Key, list[int]]) -> None:
        rows = [
            (app_id, datetime.fromtimestamp(minute * 60, UTC), Answers(*counts))
            for (app_id, minute), counts in sorted(counted.items())
        ]
        with self._db.transaction() as conn:
            channel_health.add_answers(conn, rows)
