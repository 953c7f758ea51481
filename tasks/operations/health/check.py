"""What a health check works with and returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import redis

from shared.settings import Settings
from shared.store.db.pool import Conn, describe


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Services that a check may ask; None: it is away, or there is none. As either role, without a company set."""

    settings: Settings
    now: datetime
    conn: Conn | None
    journal: redis.Redis | None
    broker: redis.Redis | None
    cache: redis.Redis | None


class Away(Exception):
    """The service that a check asks is away, or is not one that it knows."""


@dataclass(frozen=True, slots=True)
class Problem:
    """key: which one, a static word or a name of ours; the same as long as it is the same problem. words: for people,
    with numbers, without anything of a customer's."""

    key: str
    words: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """data: as JSON takes it."""

    data: dict[str, Any]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Examined:
    """error: why there is no data. ms: how long the look took."""

    data: dict[str, Any] | None
    problems: tuple[Problem, ...]
    error: str | None
    ms: float


Check = Callable[[CheckContext], CheckResult]


def run(check: Check, visit: CheckContext) -> Examined:
    started = time.perf_counter()

    def took() -> float:
        return round((time.perf_counter() - started) * 1000, 1)

    try:
        if visit.conn is None:
            found = check(visit)
        else:
            with visit.conn.transaction():  # a statement that fails must not take the other checks with it
                found = check(visit)
    except Away as e:
        return Examined(None, (), str(e) or "away", took())
    except (psycopg.Error, redis.RedisError, OSError) as e:
        problem = Problem("unreachable", f"could not be checked: {describe(e)}")
        return Examined(None, (problem,), describe(e), took())
    return Examined(found.data, found.problems, None, took())


def need(service: Any) -> Any:
    """Raises Away."""
    if service is None:
        raise Away("away")
    return service
