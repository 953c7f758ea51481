"""Who holds an API key. Keys that were good before are looked up first and without a limit; others as strangers'."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.http.failures import Failures
from gateway.http.refused import Refused
from gateway.http.strangers import Strangers, count
from shared.clock import Clock
from shared.settings import PerMinute
from shared.store.db.pool import Database
from shared.store.tenants import companies

GOOD_MAX = 10_000
BAD_MAX = 10_000
BAD_TTL_S = 5.0
AGENT_SCOPES = frozenset({"read", "write"})
"""What an agent's key may do."""


@dataclass(frozen=True, slots=True)
class Holder:
    company_id: int
    agent_id: int
    scopes: frozenset[str] = AGENT_SCOPES


class Keys:
    """Remembers hashes only. A good key is looked up again with every request, so that a disabled agent is out at
    once; that it was good decides by which way it is looked up."""

    def __init__(
        self, db: Database, threads: ThreadPoolExecutor, strangers: Strangers, clock: Clock, limit: PerMinute
    ) -> None:
        self._db, self._threads, self._strangers, self._clock = db, threads, strangers, clock
        self._failures = Failures(limit, clock)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._bad: OrderedDict[bytes, float] = OrderedDict()

    async def holder(self, key: str, address: str) -> Holder:
        """Raises Refused(401, 429), Transient."""
        hashed = companies.hash_key(key)
        if hashed in self._good:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, self._db, key)
            if found is None:
                self._good.pop(hashed, None)
        else:
            count(self._failures, address, "wrong API keys")
            found = await self._strange(key, hashed, address)
        if found is None:
            raise Refused(401, "no agent has this API key")
        self._keep(hashed)
        return found

    async def _strange(self, key: str, hashed: bytes, address: str) -> Holder | None:
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


def _look_up(db: Database, key: str) -> Holder | None:
    with db.transaction() as conn:
        found = companies.agent_of_key(conn, key)
    return None if found is None else Holder(*found)
