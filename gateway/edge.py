"""What a gateway process holds open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from gateway.answers import Tally
from gateway.apps import AppDirectory
from gateway.brake import Brake
from gateway.limits import Limits
from gateway.streams import Streams
from shared import channels as platforms_registry
from shared import faults
from shared.channels.base import Platform
from shared.clock import Clock, SystemClock
from shared.errors import DatabaseUnavailable
from shared.live.hub import Hub
from shared.live.publisher import Publisher
from shared.resilience.limiter import Limiter
from shared.settings import Settings
from shared.store import objects
from shared.store.journal_writer import Writer
from shared.store.objects import Objects
from shared.store.pool import Database
from shared.store.redis import connect, connect_async
from shared.store.vault import Vault

T = TypeVar("T")

DATABASE_THREADS = 2
CACHE_TIMEOUT_S = 0.5


@dataclass(slots=True)
class Edge:
    settings: Settings
    clock: Clock
    db: Database
    threads: ThreadPoolExecutor
    redis: AsyncRedis
    journal: Writer
    apps: AppDirectory
    objects: Objects
    platforms: dict[str, Platform]
    cache: Redis
    limits: Limits
    live: Publisher
    watching: AsyncRedis
    hub: Hub
    streams: Streams
    tally: Tally
    brake: Brake

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking database work beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def close(self) -> None:
        await self.hub.close()
        await self.tally.close()
        await self.brake.close()
        await self.watching.aclose()
        self.limits.close()
        self.live.close()
        self.cache.close()
        await self.redis.aclose()
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.db.close()


def open_edge(settings: Settings, clock: Clock | None = None) -> Edge:
    """Raises SettingsError when a setting is missing or the database role is not held by row-level security.

    A database that is away does not keep the edge from starting: what it knows of apps it learns later. Should its role
    then turn out to be one that we refuse, whatever needs the database gets a 503.
    """
    clock = clock or SystemClock()
    faults.configure(settings.faults, settings.faults_dir)
    db = Database(
        settings.need("database_url"),
        max_size=DATABASE_THREADS,
        timeout_s=settings.database_pool_timeout_s,
        name="switchboard gateway",
    )
    db.open()
    try:
        db.check()
    except DatabaseUnavailable:
        pass  # readiness says so until it is back; with nothing known every webhook gets a 503 until then
    client = connect_async(settings.need("journal_url"), socket_timeout_s=settings.journal_write_timeout_s)
    threads = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="database")
    cache = connect(settings.need("cache_url"), socket_timeout_s=CACHE_TIMEOUT_S)
    writer = Writer(
        client,
        settings.journal_shards,
        max_waiting_bytes=settings.journal_max_waiting_bytes,
        timeout_s=settings.journal_write_timeout_s,
        replicas=settings.journal_wait_replicas,
    )
    watching = connect_async(settings.need("cache_url"))
    return Edge(
        settings=settings,
        clock=clock,
        db=db,
        threads=threads,
        redis=client,
        journal=writer,
        apps=AppDirectory(db, Vault(settings.fernet_keys), clock, threads, ttl_s=settings.app_cache_ttl_s),
        platforms=platforms_registry.build(settings, clock),
        objects=objects.from_settings(settings),
        cache=cache,
        limits=Limits(Limiter(cache, clock)),
        live=Publisher(cache, clock),
        watching=watching,
        hub=Hub(watching),
        streams=Streams(settings.widget_streams_max),
        tally=Tally(db),
        brake=Brake(client, writer, settings),
    )
