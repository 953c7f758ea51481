"""Which apps there are and their secrets, kept in memory: a webhook must not wait for the database."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from shared.clock import Clock
from shared.errors import DatabaseUnavailable, Transient
from shared.store import channels
from shared.store.pool import Database
from shared.store.vault import Vault

KNOWN_MAX = 100_000
UNKNOWN_MAX = 10_000
LOOKUPS_MAX = 200


@dataclass(frozen=True, slots=True)
class KnownApp:
    """secrets: decrypted, newest first; never printed."""

    id: int
    platform: str
    secrets: tuple[str, ...] = field(repr=False)


class AppDirectory:
    """Looks apps up by platform and slug. What is older than the ttl is looked up again; while the database
    is away the old answer still counts, so that its outage refuses nobody's webhooks."""

    def __init__(self, db: Database, vault: Vault, clock: Clock, threads: ThreadPoolExecutor, *, ttl_s: float) -> None:
        self._db = db
        self._vault = vault
        self._clock = clock
        self._threads = threads
        self._ttl_s = ttl_s
        self._known: OrderedDict[tuple[str, str], tuple[float, KnownApp]] = OrderedDict()
        self._unknown: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lookups: dict[tuple[str, str], asyncio.Task[KnownApp | None]] = {}

    async def find(self, platform: str, slug: str) -> KnownApp | None:
        """None: no such app, or it is disabled. Raises Transient when nobody can say."""
        key = (platform, slug)
        now_s = self._clock.monotonic_s()
        held = self._known.get(key)
        if held is not None and now_s - held[0] < self._ttl_s:
            return held[1]
        refused_at_s = self._unknown.get(key)
        if refused_at_s is not None and now_s - refused_at_s < min(self._ttl_s, 5.0):
            return None
        try:
            return await self._look_up_once(key)
        except DatabaseUnavailable:
            if held is not None:
                self._keep(key, held[1])
                return held[1]
            raise

    async def _look_up_once(self, key: tuple[str, str]) -> KnownApp | None:
        """One look-up a key at a time, and not too many together: made-up slugs must not bury the database."""
        task = self._lookups.get(key)
        if task is None:
            if len(self._lookups) >= LOOKUPS_MAX:
                raise Transient("too many apps are being looked up", retry_after_s=1)
            task = asyncio.create_task(self._look_up(key))
            self._lookups[key] = task
            task.add_done_callback(lambda _: self._lookups.pop(key, None))
        return await asyncio.shield(task)

    async def _look_up(self, key: tuple[str, str]) -> KnownApp | None:
        row = await asyncio.get_running_loop().run_in_executor(self._threads, self._read, key)
        if row is None or row.state != "active":
            self._known.pop(key, None)
            self._unknown[key] = self._clock.monotonic_s()
            while len(self._unknown) > UNKNOWN_MAX:
                self._unknown.popitem(last=False)
            return None
        app = KnownApp(row.id, row.platform, tuple(self._vault.open(row.secrets)))
        self._keep(key, app)
        return app

    def _read(self, key: tuple[str, str]) -> channels.AppRow | None:
        with self._db.transaction() as conn:
            return channels.app_by_slug(conn, *key)

    def _keep(self, key: tuple[str, str], app: KnownApp) -> None:
        self._unknown.pop(key, None)
        self._known[key] = (self._clock.monotonic_s(), app)
        self._known.move_to_end(key)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
