"""The connections and caches that a gateway process holds open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from gateway.http.allowance import Allowance, Counted
from gateway.http.answer_counts import AnswerCounts
from gateway.http.apps import AppDirectory
from gateway.http.bodies import Bodies
from gateway.http.failures import Failures
from gateway.http.keys import Keys
from gateway.http.limits import Limits
from gateway.http.load_shedding import LoadShedder
from gateway.http.strangers import THREADS as STRANGERS_THREADS
from gateway.http.strangers import Strangers
from gateway.http.streams import Streams
from shared import channels as platforms_registry
from shared import faults
from shared.cache.invalidation import Invalidations
from shared.channels.base import Platform
from shared.clock import Clock, SystemClock
from shared.errors import DatabaseUnavailable
from shared.live.hub import Hub
from shared.live.publisher import Publisher
from shared.resilience.limiter import Limiter
from shared.resilience.refusals import Refusals
from shared.settings import Settings
from shared.store.db import objects
from shared.store.db.objects import Objects
from shared.store.db.pool import Database
from shared.store.db.redis import connect, connect_async
from shared.store.db.vault import Vault
from shared.store.inbound.journal_writer import Writer
from shared.store.tenants.limit_table import LimitTable

T = TypeVar("T")

DATABASE_THREADS = 2
CACHE_TIMEOUT_S = 0.5
WRITING_CONNECTIONS = 8
PROBING_CONNECTIONS = 2
"""Of their own: whoever asks for readiness needs no key, and must not take a connection that a webhook waits for."""


@dataclass(slots=True)
class Edge:
    settings: Settings
    clock: Clock
    db: Database
    threads: ThreadPoolExecutor
    redis: AsyncRedis
    probing: AsyncRedis
    journal: Writer
    apps: AppDirectory
    objects: Objects
    platforms: dict[str, Platform]
    cache: Redis
    limits: Limits
    live: Publisher
    invalidations: Invalidations
    rate_limits: LimitTable
    refusals: Refusals
    watching: AsyncRedis
    hub: Hub
    streams: Streams
    tally: AnswerCounts
    load_shedder: LoadShedder
    strangers: Strangers
    keys: Keys
    bodies: Bodies
    wrong_tokens: Failures
    attempts: Failures
    allowance: Allowance

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking database work beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def close(self) -> None:
        await self.hub.close()
        await self.tally.close()
        await self.keys.uses.close()
        await self.load_shedder.close()
        await self.watching.aclose()
        self.limits.close()
        self.live.close()
        self.invalidations.close()
        self.refusals.close()
        self.cache.close()
        await self.redis.aclose()
        await self.probing.aclose()
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.strangers.close()
        self.db.close()


def open_edge(settings: Settings, clock: Clock | None = None) -> Edge:
    """Raises SettingsError when a setting is missing or the database role is not held by row-level security.

    A database that is away does not keep the edge from starting: what it knows of apps it learns later. Should its role
    then turn out to be one that we refuse, whatever needs the database gets a 503.
    """
    clock = clock or SystemClock()
    faults.configure(settings.system.faults, settings.system.faults_dir)
    db = _database(settings, DATABASE_THREADS, "switchboard gateway")
    try:
        db.check()
    except DatabaseUnavailable:
        pass  # readiness says so until it is back; with nothing known every webhook gets a 503 until then
    client, probing = (
        connect_async(
            settings.need("JOURNAL_URL"), socket_timeout_s=settings.journal.write_timeout_s, max_connections=most
        )
        for most in (WRITING_CONNECTIONS, PROBING_CONNECTIONS)
    )
    threads = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="database")
    cache = connect(settings.need("CACHE_URL"), socket_timeout_s=CACHE_TIMEOUT_S)
    invalidations = Invalidations(cache)
    rate_limits, refusals = LimitTable(db, clock, invalidations), Refusals(cache, clock)
    limits = Limits(Limiter(cache, clock), clock, rate_limits, refusals, invalidations)
    writer = Writer(
        client,
        settings.journal.shards,
        max_waiting_bytes=settings.journal.max_waiting_bytes,
        timeout_s=settings.journal.write_timeout_s,
        replicas=settings.journal.wait_replicas,
        probing=probing,
    )
    watching = connect_async(settings.need("CACHE_URL"))
    strangers = Strangers(_database(settings, STRANGERS_THREADS, "switchboard gateway strangers"))
    vault = Vault(settings.system.fernet_keys)
    return Edge(
        settings=settings,
        clock=clock,
        db=db,
        threads=threads,
        redis=client,
        probing=probing,
        journal=writer,
        apps=AppDirectory(
            db, vault, clock, threads, strangers, settings.gateway.unknown_limit, ttl_s=settings.gateway.app_cache_ttl_s
        ),
        platforms=platforms_registry.build(settings.channels, clock),
        objects=objects.from_settings(settings),
        cache=cache,
        limits=limits,
        live=Publisher(cache, clock),
        invalidations=invalidations,
        rate_limits=rate_limits,
        refusals=refusals,
        watching=watching,
        hub=Hub(watching),
        streams=Streams(
            settings.widget.streams_max, settings.widget.streams_address_max, settings.widget.streams_company_max
        ),
        tally=AnswerCounts(db),
        load_shedder=LoadShedder(client, writer, settings),
        strangers=strangers,
        keys=Keys(db, threads, strangers, clock, settings.gateway.wrong_keys_limit),
        bodies=Bodies(
            most=settings.gateway.bodies_max_bytes, most_of_address=settings.gateway.bodies_address_max_bytes
        ),
        wrong_tokens=Failures(settings.gateway.wrong_keys_limit, clock),
        attempts=Failures(settings.widget.attempts_limit, clock),
        allowance=Counted(limits, settings.gateway.forwarded_hops),
    )


def _database(settings: Settings, connections: int, name: str) -> Database:
    db = Database(
        settings.need("DATABASE_URL"), max_size=connections, timeout_s=settings.database.pool_timeout_s,
        connect_timeout_s=settings.database.connect_timeout_s, name=name,
    )  # fmt: skip
    db.open()
    return db
