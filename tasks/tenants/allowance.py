"""Limits costly work: rates per second and minute first, then what is left of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from shared.errors import Transient
from shared.model import Rate
from shared.resilience.limiter import Limiter
from shared.store.db.pool import Conn
from shared.store.tenants import limits

SPREAD_S = 900.0
"""What waits for midnight does not come at the first second of the day, all at once."""


class NotAllowed(Transient):
    """The work may be done after retry_after_s. reason: `daily_limit` or `rate`, a static word."""

    def __init__(self, reason: str, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.reason = reason


def take(
    conn: Conn, company_id: int, kind: str, *, now: datetime, contact_id: int | None = None, many: int = 1,
    limiter: Limiter | None = None, rates: Sequence[Rate] = (), spread: float = 0.0,
) -> None:  # fmt: skip
    """Take what the work costs, before it is done. conn: in a short transaction of the company's. spread: 0 to 1, how
    late in the first quarter of the next day a refusal says to come back. Raises NotAllowed, with nothing of the
    day taken."""
    if limiter is not None and (wait_s := limiter.take(rates)) > 0:
        raise NotAllowed("rate", f"{kind}: too many at once", retry_after_s=wait_s)
    spent = limits.take(conn, company_id, kind, now.astimezone(UTC).date(), contact_id=contact_id, many=many)
    if spent is not None:
        raise NotAllowed(
            "daily_limit",
            f"{kind}: {spent.used} of {spent.bound} a day are used by this {spent.scope}, until 00:00 UTC:"
            " ./switchboard limit set",
            retry_after_s=until_tomorrow_s(now) + spread * SPREAD_S,
        )


def until_tomorrow_s(now: datetime) -> float:
    tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    return (tomorrow - now).total_seconds()
