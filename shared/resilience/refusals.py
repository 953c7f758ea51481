"""Who was refused most by a limit in the last day, counted in Redis by the hour.

Of an address only a hash is kept, by a salt that ends with what it is for: it tells whether two refusals were of one
address, and not of which.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import redis
import structlog

from shared.clock import Clock
from shared.resilience.metrics import LIMIT_TAKES

log = structlog.get_logger(__name__)

Asker = Literal["stranger", "contact", "agent", "key"]
ASKERS: tuple[Asker, ...] = get_args(Asker)
PREFIX = "sb:refusals:"
HOURS = 24
KEPT_S = (HOURS + 1) * 3600
KEPT_MAX = 10_000
"""Of an hour; those with the fewest refusals are forgotten first."""
READ_MAX = 1_000
"""Of an hour, the most refused first."""
WAITING_MAX = 2_000
"""Not yet written, in this process; more askers than that at once count in the metrics alone."""
WRITE_AFTER_S = 2.0
HASH_CHARS = 12


@dataclass(frozen=True, slots=True)
class Refused:
    """refused: how often in the last day. who: a contact's, agent's or key's id, or the hash of an address. company_id:
    None where none was known."""

    purpose: str
    asker: Asker
    company_id: int | None
    who: str
    refused: int

    @property
    def by_address(self) -> bool:
        return _is_address(self.purpose, self.asker)


def _is_address(purpose: str, asker: Asker) -> bool:
    return asker == "stranger" or purpose.startswith("address")


class Refusals:
    """For all threads of a process. Without Redis, or while it is away, refusals count in the metrics alone."""

    def __init__(self, client: redis.Redis, clock: Clock) -> None:
        self._client: Any = client
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: Counter[tuple[str, Asker, int, str]] = Counter()
        self._timer: threading.Timer | None = None

    def allowed(self, purpose: str, asker: Asker) -> None:
        LIMIT_TAKES.inc(purpose, asker, "allowed")

    def refused(self, purpose: str, asker: Asker, company_id: int | None, who: str, *, again: bool = False) -> None:
        """again: they were told when to come back, and came before."""
        LIMIT_TAKES.inc(purpose, asker, "refused_again" if again else "refused")
        entry = (purpose, asker, company_id or 0, who)
        with self._lock:
            if entry not in self._waiting and len(self._waiting) >= WAITING_MAX:
                return
            self._waiting[entry] += 1
            if self._timer is None:
                self._timer = threading.Timer(WRITE_AFTER_S, self.write)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> None:
        """Write what was counted; what Redis does not take is lost."""
        with self._lock:
            waiting, self._waiting, self._timer = self._waiting, Counter(), None
        if not waiting:
            return
        key = f"{PREFIX}{self._hour()}"
        try:
            salt = self._salt() if any(_is_address(purpose, asker) for purpose, asker, _, _ in waiting) else b""
            with self._client.pipeline(transaction=False) as pipe:
                for (purpose, asker, company, who), count in waiting.items():
                    name = _hashed(salt, who) if _is_address(purpose, asker) else who
                    pipe.zincrby(key, count, f"{purpose} {asker} {company} {name}")
                pipe.expire(key, KEPT_S)
                pipe.zremrangebyrank(key, 0, -KEPT_MAX - 1)
                pipe.execute()
        except redis.RedisError as e:
            log.warning("refusals_not_kept", error=type(e).__name__)

    def most(self, *, limit: int, company_id: int | None = None, address: str | None = None) -> list[Refused]:
        """List the most refused of the last day. company_id, address: of these alone. Raises redis' errors."""
        with self._client.pipeline(transaction=False) as pipe:
            for hour in range(self._hour() - HOURS, self._hour() + 1):
                pipe.zrevrange(f"{PREFIX}{hour}", 0, READ_MAX - 1, withscores=True)
            hours = pipe.execute()
        found: Counter[str] = Counter()
        for entries in hours:
            for member, count in entries:
                found[member.decode()] += round(count)
        wanted = _hashed(self._salt(), address) if address is not None else None
        rows = (_row(member, count) for member, count in found.most_common())
        return [
            row for row in rows
            if (company_id is None or row.company_id == company_id)
            and (wanted is None or (row.by_address and row.who == wanted))
        ][:limit]  # fmt: skip

    def close(self) -> None:
        with self._lock:
            timer = self._timer
        if timer is not None:
            timer.cancel()
            self.write()

    def _hour(self) -> int:
        return int(self._clock.now().timestamp() // 3600)

    def _salt(self) -> bytes:
        key = f"{PREFIX}salt"
        self._client.set(key, secrets.token_bytes(16), nx=True, ex=KEPT_S)
        self._client.expire(key, KEPT_S)
        return bytes(self._client.get(key) or b"")


def _hashed(salt: bytes, address: str) -> str:
    return hmac.new(salt, address.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:HASH_CHARS]


def _row(member: str, count: int) -> Refused:
    purpose, asker, company, who = member.split(" ", 3)
    kind = next(one for one in ASKERS if one == asker)
    return Refused(purpose, kind, int(company) or None, who, count)


def shown(rows: Iterable[Refused]) -> list[dict[str, Any]]:
    """As JSON."""
    return [
        {"purpose": row.purpose, "asker": row.asker, "company_id": row.company_id, "who": row.who,
         "refused": row.refused}
        for row in rows
    ]  # fmt: skip
