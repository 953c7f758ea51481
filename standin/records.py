"""What happened, in order, and a way to wait until enough of it has."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

Record = dict[str, Any]
Filters = Mapping[str, str]

KEPT = 100_000  # newest records; a long benchmark must not fill the memory


class Log:
    """Records with a growing `index` from 1 and the time `at` (seconds since the epoch).

    Filters name fields and the values they must have, compared as text.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: deque[Record] = deque(maxlen=KEPT)
        self._index = 0
        self._forgotten = 0
        self._waiters: set[_Waiter] = set()

    def append(self, **fields: Any) -> Record:
        self._index += 1
        record = {"index": self._index, "at": self._clock(), **fields}
        self._records.append(record)
        self._tell(record)
        return record

    def update(self, record: Record, **fields: Any) -> None:
        """Change a record; who waits for its new values is woken."""
        record.update(fields)
        if record["index"] > self._forgotten:
            self._tell(record)

    def select(self, filters: Filters, since: int = 0, limit: int | None = None) -> list[Record]:
        """Matching records after index `since`, oldest first, at most `limit`."""
        young = takewhile(lambda record: record["index"] > since, reversed(self._records))
        found = [record for record in young if _matches(record, filters)][::-1]
        return found if limit is None else found[:limit]

    async def wait(self, filters: Filters, count: int, timeout_s: float, since: int = 0) -> int:
        """Return as soon as `count` records match, or after `timeout_s`: how many have matched by then."""
        waiter = _Waiter(filters, count, since, asyncio.get_running_loop().create_future())
        for record in self._records:
            waiter.see(record)
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.reached
        except TimeoutError:
            pass  # the caller compares what it asked for with what there is
        finally:
            self._waiters.discard(waiter)
        return len(waiter.seen)

    def clear(self) -> None:
        """Forget everything; the index goes on growing."""
        self._records.clear()
        self._forgotten = self._index
        for waiter in self._waiters:
            waiter.seen.clear()

    def _tell(self, record: Record) -> None:
        for waiter in self._waiters:
            waiter.see(record)


class _Waiter:
    """Counts as records come, so that a waiting benchmark costs no scan per record."""

    def __init__(self, filters: Filters, count: int, since: int, reached: asyncio.Future[None]) -> None:
        self._filters = filters
        self._count = count
        self._since = since
        self.reached = reached
        self.seen: set[int] = set()
        self._check()

    def see(self, record: Record) -> None:
        if record["index"] > self._since and _matches(record, self._filters):
            self.seen.add(record["index"])
            self._check()

    def _check(self) -> None:
        if len(self.seen) >= self._count and not self.reached.done():
            self.reached.set_result(None)


def _matches(record: Record, filters: Filters) -> bool:
    return all(str(record.get(name)) == value for name, value in filters.items())
