"""Who holds an API key. Keys that were good before are looked up first and without a limit; others as strangers'."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from gateway.http.failures import Failures
from gateway.http.key_uses import KeyUses
from gateway.http.refused import Refused
from gateway.http.strangers import Strangers, count
from shared.clock import Clock
from shared.settings import PerMinute
from shared.store.db.pool import Database
from shared.store.tenants import api_keys

GOOD_MAX = 10_000
BAD_MAX = 10_000
BAD_TTL_S = 5.0


@dataclass(frozen=True, slots=True)
class Holder:
    """agent_id: the person whose key it is, None: a program's. expires_at: None where it does not."""

    company_id: int
    key_id: int
    scopes: frozenset[str]
    agent_id: int | None = None
    expires_at: datetime | None = None


class Keys:
    """Remembers hashes only. A good key is looked up again with every request, so that a revoked one is out at once,
    in every gateway; that it was good decides by which way it is looked up."""

    def __init__(
        self, db: Database, threads: ThreadPoolExecutor, strangers: Strangers, clock: Clock, limit: PerMinute
    ) -> None:
        self._db, self._threads, self._strangers, self._clock = db, threads, strangers, clock
        self._failures = Failures(limit, clock)
        self.uses = KeyUses(db)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._bad: OrderedDict[bytes, float] = OrderedDict()

    async def holder(self, key: str, address: str) -> Holder:
        """Raises Refused(401, 429), Transient."""
        if api_keys.is_mistyped(key):
            count(self._failures, address, "wrong API keys")
            raise Refused(401, "this is no API key: it was mistyped or cut off, because its checksum does not fit")
        hashed = api_keys.hash_key(key)
        if hashed in self._good:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, self._db, key)
            if found is None:
                self._good.pop(hashed, None)
        else:
            count(self._failures, address, "wrong API keys")
            found = await self._strange(key, hashed, address)
        if found is None:
            raise no_longer()
        self._keep(hashed)
        if found.unnoted:
            self.uses.note(found.company_id, found.key_id)
        return Holder(found.company_id, found.key_id, frozenset(found.scopes), found.agent_id, found.expires_at)

    async def _strange(self, key: str, hashed: bytes, address: str) -> api_keys.Holder | None:
        if self._clock.monotonic_s() - self._bad.get(hashed, -BAD_TTL_S) < BAD_TTL_S:
            return None
        try:
            found = await self._strangers.look_up(lambda: _look_up(self._strangers.db, key))
        except Exception:
            self._failures.give_back(address)  # nobody could say whether it was wrong
            raise
        if found is not None:
            self._failures.give_back(address)
            return found
        self._bad[hashed] = self._clock.monotonic_s()
        self._bad.move_to_end(hashed)
        if len(self._bad) > BAD_MAX:
            self._bad.popitem(last=False)
        return None

    def _keep(self, hashed: bytes) -> None:
        self._good[hashed] = None
        self._good.move_to_end(hashed)
        if len(self._good) > GOOD_MAX:
            self._good.popitem(last=False)


def no_longer() -> Refused:
    return Refused(401, "no company has this API key, or it was revoked or has expired")


def _look_up(db: Database, key: str) -> api_keys.Holder | None:
    with db.transaction() as conn:
        return api_keys.holder_of(conn, key)
