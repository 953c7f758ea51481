"""The rate limits that hold for a company, kept by each process for ten minutes or until it is told of a change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

import psycopg
import structlog

from shared.cache.invalidation import Invalidations
from shared.clock import Clock
from shared.errors import DatabaseUnavailable
from shared.store.db.pool import Database, describe
from shared.store.tenants import rate_limits
from shared.store.tenants.rate_limits import DEFAULTS, TOPIC, Bounds, Purpose

log = structlog.get_logger(__name__)

TTL_S = 600.0
AWAY_S = 5.0
"""So long after a failure the database is not asked again; what was known last counts, else the built-in defaults."""
COMPANIES_MAX = 10_000


class LimitTable:
    """Of every company; for all threads of a process."""

    def __init__(self, db: Database, clock: Clock, invalidations: Invalidations) -> None:
        self._db, self._clock = db, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[int, tuple[float, Mapping[Purpose, Bounds]]] = OrderedDict()
        self._changes = 0
        invalidations.on(TOPIC, self._forget)

    def of(self, company_id: int, purpose: Purpose) -> Bounds:
        """May ask the database, so not on an event loop. Raises nothing: while the database is away the limits that
        were known last hold."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            known = self._known.get(company_id)
            changes = self._changes
        if known is not None and now_s < known[0]:
            return _bounds(known[1], purpose)
        try:
            with self._db.transaction(company_id) as conn:
                found: Mapping[Purpose, Bounds] = rate_limits.bounds_of(conn, company_id)
            keep_s = TTL_S
        except (DatabaseUnavailable, psycopg.Error) as e:
            log.warning("rate_limits_unread", company_id=company_id, error=describe(e))
            found, keep_s = known[1] if known is not None else DEFAULTS, AWAY_S
        with self._lock:
            # what was read before a change that was told meanwhile is asked for again by the next caller
            self._known[company_id] = (now_s + keep_s if changes == self._changes else now_s, found)
            self._known.move_to_end(company_id)
            if len(self._known) > COMPANIES_MAX:
                self._known.popitem(last=False)
        return _bounds(found, purpose)

    def _forget(self, topic: str | None) -> None:
        """What is forgotten stays as what was known last."""
        company = topic.removeprefix(TOPIC).removeprefix(":") if topic is not None else ""
        with self._lock:
            self._changes += 1
            for known in [int(company)] if company else list(self._known):
                if known in self._known:
                    self._known[known] = (0.0, self._known[known][1])


def _bounds(known: Mapping[Purpose, Bounds], purpose: Purpose) -> Bounds:
    return known.get(purpose, DEFAULTS[purpose])
