"""Look-ups for callers that this gateway does not know: limited by address, on a thread and a connection of their own,
so that made-up keys and app names keep nobody waiting whom it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.http.failures import Failures
from gateway.http.rate_headers import used_up
from gateway.http.refused import Refused
from shared.errors import Transient
from shared.store.db.pool import Database

T = TypeVar("T")

THREADS = 1
WAITING_MAX = 200


class Strangers:
    def __init__(self, db: Database) -> None:
        self.db = db
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="strangers")
        self._waiting = 0

    async def look_up(self, work: Callable[[], T]) -> T:
        """Run blocking work that uses `db`. Raises Transient when too many wait."""
        if self._waiting >= WAITING_MAX:
            raise Transient("too many look-ups for unknown callers", retry_after_s=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.db.close()


def count(failures: Failures, address: str, what: str) -> None:
    """Count a try of this address as failed until it is given back. Raises Refused(429)."""
    wait_s = failures.take(address)
    if wait_s > 0:
        raise Refused(
            429, f"too many requests with {what} from this address: wait before the next", wait_s,
            headers=used_up(what.replace(" ", "-").lower(), failures.a_minute, wait_s),
        )  # fmt: skip
