"""`GET /metrics` for Prometheus: what all processes of this machine counted, and the state of things now.

Behind a token of its own (OPS_TOKEN), because it tells how much business there is. The state is asked for at most
every few seconds, however many ask, and a service that is away costs a bounded wait and its own numbers only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import redis
from prometheus_client import CONTENT_TYPE_LATEST, Metric
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.gauges import House, Memory, gauge, single
from gateway.api.operators import operator
from gateway.http.edge import Edge
from gateway.http.parameters import Parameters
from gateway.http.resource import Operation, Resource
from shared.errors import DatabaseUnavailable
from shared.resilience.load_shedding import STEPS
from shared.settings import Settings
from shared.store.answers import load
from shared.store.db.metrics import pool_stats
from shared.store.db.redis import connect
from shared.store.inbound import balance
from shared.store.inbound.journal import Reader
from shared.store.lifecycle import backups
from shared.store.operations import state
from shared.telemetry import metrics

KEPT_S = 5.0
WITHIN_S = 3.0
SOCKET_S = 1.0
STATEMENT_MS = 2_000


class Watch:
    """The state of services and tables, as gauges. One look at a time, in a thread of its own: it must not hold
    the ones that look up webhooks' apps."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="watch")
        self._journal = connect(edge.settings.need("JOURNAL_URL"), socket_timeout_s=SOCKET_S)
        self._broker = _redis_broker(edge.settings)
        self._memory = Memory()
        self._house = House(edge.settings, edge.clock)
        self._look: asyncio.Task[list[Metric]] | None = None
        self._looked_at_s = -KEPT_S

    async def metrics(self) -> list[Metric]:
        """The newest look; empty when it takes too long (it goes on, and the next scrape has it)."""
        now_s = self._edge.clock.monotonic_s()
        if self._look is None or (self._look.done() and now_s - self._looked_at_s >= KEPT_S):
            self._looked_at_s = now_s
            self._look = asyncio.create_task(self._in_thread())
        try:
            return await asyncio.wait_for(asyncio.shield(self._look), WITHIN_S)
        except TimeoutError:
            return []

    async def _in_thread(self) -> list[Metric]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: list(self._ask()))

    def _ask(self) -> Iterator[Metric]:
        self._memory = Memory()
        reachable = gauge("service_reachable_bool", "Whether the gateway could ask this service just now.", "service")
        for service, ask in (("journal", self._of_journal), ("broker", self._of_broker), ("database", self._of_rows)):
            try:
                yield from list(ask())
                reachable.add_metric([service], 1)
            except (redis.RedisError, OSError, DatabaseUnavailable, psycopg.Error):
                reachable.add_metric([service], 0)
        yield reachable
        yield self._memory.used
        yield self._memory.limit

    def _of_journal(self) -> Iterator[Metric]:
        found = state.of_journal(Reader(self._journal, self._edge.settings.journal.shards))
        yield single("journal_backlog_entries", "Accepted requests that are not stored yet.", found.entries)
        yield single("journal_oldest_entry_age_seconds", "Since when the oldest of them waits.", found.oldest_s)
        self._memory.add("journal", self._journal)

    def _of_broker(self) -> Iterator[Metric]:
        if self._broker is None:
            return
        depth = gauge("queue_depth_messages", "Wake-ups that no worker has taken yet.", "queue")
        for name, length in state.of_queues(self._broker).items():
            depth.add_metric([name], length)
        yield depth
        if self._edge.settings.redis.broker_url != self._edge.settings.redis.journal_url:
            self._memory.add("broker", self._broker)

    def _of_rows(self) -> Iterator[Metric]:
        with self._edge.db.transaction() as conn:
            conn.execute("/* metrics.bound */ SELECT set_config('statement_timeout', %s, true)", (str(STATEMENT_MS),))
            found = state.of_database(conn)
            found_balance, found_backups = balance.newest(conn), backups.state(conn)
            behind = load.now(conn)
            house = list(self._house.ask(conn))
        yield single("overdue_turns", "Turns that are due and not under a lease.", found.overdue_turns)
        yield single("overdue_turn_age_seconds", "Since when the oldest of them is due.", found.overdue_turn_s)
        yield single("overdue_parts", "Parts that are due and not sent.", found.overdue_parts)
        yield single("overdue_part_age_seconds", "Since when the oldest of them is due.", found.overdue_part_s)
        yield single("unknown_outcomes", "Sends whose outcome nobody knows; a person settles them.",
                      found.unknown_outcomes)  # fmt: skip
        yield single("dead_letters", "Requests set aside with their error; a person redrives them.",
                      found.dead_letters)  # fmt: skip
        yield from _of_overload(behind)
        yield from _of_balance(found_balance)
        yield from _of_backups(found_backups)
        yield from house
        yield single("needing_reauth_channels", "Channels whose credentials are refused.",
                      found.needing_reauth)  # fmt: skip

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._journal.close()
        if self._broker is not None:
            self._broker.close()


def _redis_broker(settings: Settings) -> redis.Redis | None:
    url = settings.need("BROKER_URL")
    return connect(url, socket_timeout_s=SOCKET_S) if url.startswith(("redis://", "rediss://")) else None


def _of_overload(found: load.Now) -> Iterator[Metric]:
    """Report what the reply workers measured last."""
    yield single("turns_clear_seconds", "How long the last customer of the company that waits longest still waits.",
                 found.clear_s)  # fmt: skip
    yield single("turns_pace_per_second", "Turns that the reply workers could answer a second.", found.per_s)
    companies = gauge("overloaded_companies", "Companies whose answers an overload keeps at this step.", "step")
    for level, step in enumerate(STEPS[1:], 1):
        companies.add_metric([step], sum(one == level for one in found.levels.values()))
    yield companies


def _of_balance(found: balance.Noted | None) -> Iterator[Metric]:
    """Report the newest balance, which a scheduled job stores."""
    if found is None:
        return
    yield single("balance_missing_requests", "Received and neither stored nor in flight; not 0 is an alarm.",
                  found.missing)  # fmt: skip
    yield single("balance_taken_timestamp_seconds", "When that was found.", found.taken_at.timestamp())


def _of_backups(found: backups.State) -> Iterator[Metric]:
    yield single("backup_bytes", "What all backups that are kept take.", found.bytes)
    if found.made_at is not None:
        yield single("backup_newest_timestamp_seconds", "When the newest backup was made.", found.made_at.timestamp())
    if found.restorable_at is not None:
        yield single("backup_restorable_timestamp_seconds", "When the newest one was made that was seen to restore.",
                     found.restorable_at.timestamp())  # fmt: skip
    if found.proof is not None:
        yield single("backup_proof_failed_bool", "Whether the newest proof failed.",
                     found.proof in ("differs", "failed"))  # fmt: skip


async def show(request: Request, asked: Parameters) -> Response:
    """200 with the text format; 401 without the token; 404 where no OPS_TOKEN is set."""
    edge: Edge = request.app.state.edge
    watch: Watch = request.app.state.watch
    now = await watch.metrics()
    pool_stats("gateway", edge.db.stats())
    folder = edge.settings.metrics_folder
    text = await asyncio.to_thread(metrics.exposition, folder, now)
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})


ROUTES = [Resource("/metrics", {"GET": Operation(show, operator)})]
