"""What a gateway needs to ask models: made with the first request, because most gateways only take webhooks.

Everything here has threads, connections and caches of its own, so that programs which ask models take nothing from
webhooks but time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.http.edge import Edge
from shared.cache.invalidation import Invalidations
from shared.cache.two_level import TwoLevel
from shared.clock import Clock
from shared.llm import known_prices, router
from shared.llm import routes as llm_routes
from shared.llm.api import http_client, is_neutral
from shared.llm.known_prices import KnownPrices
from shared.llm.router import Router
from shared.llm.routes import Routes
from shared.resilience.egress import Egress
from shared.resilience.lease_records import LeaseRecords
from shared.resilience.limiter import Limiter
from shared.resilience.loop import Loop
from shared.resilience.shared_breaker import ANSWER_WITHIN_S, SharedBreakers
from shared.settings import Settings
from shared.store.db.pool import Database
from shared.store.db.redis import connect_async
from shared.store.db.vault import Vault

T = TypeVar("T")

THREADS = 2
"""And as many connections to the database."""
CONNECTIONS = 100
"""To models."""
ENTRIES = 500
"""Remembered in this process; Redis has what the fleet remembers."""
PROBE_MARGIN_S = 5.0
"""A breaker's trial call holds its place for the call's deadline and so much more."""


@dataclass(slots=True)
class Opened:
    """Also what spending needs (tasks/models/spending.py)."""

    settings: Settings
    clock: Clock
    db: Database
    prices: KnownPrices
    routes: Routes
    default: Router | None
    limiter: Limiter
    loop: Loop
    breakers: SharedBreakers
    own_breakers: SharedBreakers
    egress: Egress
    invalidations: Invalidations
    threads: ThreadPoolExecutor
    lease_records: LeaseRecords = field(default_factory=LeaseRecords)

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def close(self) -> None:
        await self.egress.aclose()
        await self.breakers.aclose()
        await self.own_breakers.aclose()
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.loop.stop()
        self.db.close()


def open_models(edge: Edge) -> Opened:
    """Not from the event loop: it reads certificates."""
    settings, clock = edge.settings, edge.clock
    db = Database(
        settings.need("DATABASE_URL"), max_size=THREADS, timeout_s=settings.database.pool_timeout_s,
        connect_timeout_s=settings.database.connect_timeout_s, name="switchboard gateway models",
    )  # fmt: skip
    db.open()
    http, egress = http_client(CONNECTIONS), Egress(settings.egress.openings, connections=CONNECTIONS)
    breakers, own_breakers = (breakers_of(settings, clock, kind) for kind in (None, "company_model"))
    vault = Vault(settings.system.fernet_keys)
    prices = KnownPrices(db, TwoLevel(edge.cache, clock, ttl_s=known_prices.TTL_S, entries=ENTRIES), edge.invalidations)
    loop = Loop("models")
    routes = Routes(
        settings, db, TwoLevel(edge.cache, clock, ttl_s=llm_routes.TTL_S, entries=ENTRIES), lambda: vault, loop,
        http=http, guarded=egress.client("model"), breakers=breakers, own_breakers=own_breakers,
        invalidations=edge.invalidations, priced=prices, clock=clock,
    )  # fmt: skip
    return Opened(
        settings, clock, db, prices, routes, router.from_settings(settings, http, breakers), Limiter(edge.cache, clock),
        loop, breakers, own_breakers, egress, edge.invalidations, ThreadPoolExecutor(THREADS, "models"),
    )  # fmt: skip


def breakers_of(settings: Settings, clock: Clock, kind: str | None) -> SharedBreakers:
    return SharedBreakers(
        connect_async(settings.need("CACHE_URL"), socket_timeout_s=ANSWER_WITHIN_S),
        probe_ttl_s=settings.llm.call_deadline_s + PROBE_MARGIN_S, clock=clock, neutral=is_neutral, kind=kind,
    )  # fmt: skip
