"""Apps and their secrets, cached in memory, so that a webhook does not wait for the database."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from gateway.http.failures import Failures
from gateway.http.strangers import Strangers, count
from shared.clock import Clock
from shared.errors import DatabaseUnavailable, Transient
from shared.model import Route
from shared.settings import PerMinute
from shared.store.db.pool import Database, describe
from shared.store.db.vault import Vault
from shared.store.tenants import channels

KNOWN_MAX = 100_000
UNKNOWN_MAX = 10_000
UNKNOWN_TTL_S = 5.0
STALE_AFTER_S = 0.5
"""How long an app that is known may wait to be looked up again; then what is known of it counts."""
AWAY_S = 1.0
"""For so long after a failure the database is not asked: each try could hold a thread for the pool's timeout."""
SLUG = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KnownApp:
    """secrets: decrypted, newest first; never printed, nor is verify_token, which handshakes by GET must bear. origins,
    route: of a widget's app, which has one channel."""

    id: int
    platform: str
    secrets: tuple[str, ...] = field(repr=False)
    origins: tuple[str, ...] = ()
    route: Route | None = None
    verify_token: str | None = field(default=None, repr=False)


class AppDirectory:
    """Looks apps up by platform and slug. What is older than the ttl is looked up again; while the database
    is away or slow the old answer still counts, so that its outage refuses nobody's webhooks. What this gateway does
    not know is looked up as strangers are: limited by address, beside the look-ups of apps that it knows."""

    def __init__(
        self, db: Database, vault: Vault, clock: Clock, threads: ThreadPoolExecutor, strangers: Strangers,
        limit: PerMinute, *, ttl_s: float,
    ) -> None:  # fmt: skip
        """limit: of an address, requests for apps that there are not."""
        self._db = db
        self._vault = vault
        self._clock = clock
        self._threads = threads
        self._strangers = strangers
        self._failures = Failures(limit, clock)
        self._ttl_s = ttl_s
        self._known: OrderedDict[tuple[str, str], tuple[float, KnownApp]] = OrderedDict()
        self._unknown: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lookups: dict[tuple[str, str], asyncio.Task[KnownApp | None]] = {}
        self._away_until_s: float | None = None

    @property
    def knows_any(self) -> bool:
        """Return whether webhooks of any app can be accepted without the database."""
        return bool(self._known)

    def known(self, platform: str, slug: str, *, within_s: float | None = None) -> KnownApp | None:
        """Return the app if it is known and fresh; None: `find` it. within_s: as there."""
        held = self._known.get((platform, slug))
        ttl_s = self._ttl_s if within_s is None else min(self._ttl_s, within_s)
        if held is not None and self._clock.monotonic_s() - held[0] < ttl_s:
            return held[1]
        return None

    async def find(
        self, platform: str, slug: str, *, address: str | None = None, within_s: float | None = None
    ) -> KnownApp | None:
        """None: no such app, or it is disabled. Raises Transient when nobody can say, Refused(429) when this address
        asked for too many apps that there are not.

        within_s: how old the answer may be, where that is less than the ttl.
        """
        key = (platform, slug)
        if address is None or key in self._known:
            return await self._find(key, within_s)
        count(self._failures, address, "unknown names")
        try:
            found = await self._find(key, within_s)
        except Exception:
            self._failures.give_back(address)  # nobody could say
            raise
        if found is not None:
            self._failures.give_back(address)
        return found

    async def _find(self, key: tuple[str, str], within_s: float | None) -> KnownApp | None:
        platform, slug = key
        if not SLUG.fullmatch(slug):
            return None  # nothing that the table could hold
        if (fresh := self.known(platform, slug, within_s=within_s)) is not None:
            return fresh
        held = self._known.get(key)
        refused_at_s = self._unknown.get(key)
        if refused_at_s is not None and self._clock.monotonic_s() - refused_at_s < min(self._ttl_s, UNKNOWN_TTL_S):
            return None
        if held is None:
            return await self._look_up_once(key)
        try:
            # a look-up that takes longer continues, and later requests use its result
            return await asyncio.wait_for(self._look_up_once(key), STALE_AFTER_S)
        except (Transient, TimeoutError):
            self._keep(key, held[1])
            return held[1]

    async def _look_up_once(self, key: tuple[str, str]) -> KnownApp | None:
        """One look-up a key at a time."""
        task = self._lookups.get(key)
        if task is None:
            task = asyncio.create_task(self._look_up(key))
            self._lookups[key] = task
            task.add_done_callback(lambda _: self._lookups.pop(key, None))
        return await asyncio.shield(task)

    async def _look_up(self, key: tuple[str, str]) -> KnownApp | None:
        if key in self._known:
            row, route = await asyncio.get_running_loop().run_in_executor(self._threads, self._read, self._db, key)
        else:
            row, route = await self._strangers.look_up(lambda: self._read(self._strangers.db, key))
        if row is None or row.state != "active":
            self._known.pop(key, None)
            self._unknown[key] = self._clock.monotonic_s()
            while len(self._unknown) > UNKNOWN_MAX:
                self._unknown.popitem(last=False)
            return None
        secrets = tuple(self._vault.open(row.secrets))
        token = None if row.verify_token is None else str(self._vault.open(row.verify_token))
        app = KnownApp(row.id, row.platform, secrets, row.origins, route, token)
        self._keep(key, app)
        return app

    def _read(self, db: Database, key: tuple[str, str]) -> tuple[channels.AppRow | None, Route | None]:
        if self._away_until_s is not None and self._clock.monotonic_s() < self._away_until_s:
            raise DatabaseUnavailable("it was away a moment ago", retry_after_s=AWAY_S)
        try:
            with db.transaction() as conn:
                row = channels.app_by_slug(conn, *key)
                routes = channels.routes(conn, [row.id]) if row is not None and row.platform == "widget" else []
        except (DatabaseUnavailable, psycopg.Error) as e:
            self._away_until_s = self._clock.monotonic_s() + AWAY_S
            if isinstance(e, DatabaseUnavailable):
                raise
            # a lost grant or a missing column: no app is to blame, and what is known still counts
            raise DatabaseUnavailable(describe(e), retry_after_s=AWAY_S) from e
        self._away_until_s = None
        return row, routes[0] if routes else None

    def _keep(self, key: tuple[str, str], app: KnownApp) -> None:
        self._unknown.pop(key, None)
        self._known[key] = (self._clock.monotonic_s(), app)
        self._known.move_to_end(key)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
