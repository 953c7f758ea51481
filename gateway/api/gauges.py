"""The whole system's state as gauges: sizes, replicas, connections, scheduled jobs, background work, Redis' memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import redis
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from shared.clock import Clock
from shared.model import Purpose
from shared.settings import Settings
from shared.store.db.pool import Conn
from shared.store.models import usage_totals
from shared.store.operations import jobs, state, vitals
from shared.telemetry import metrics

SIZES_KEPT_S = 60.0
"""What grows in hours: the server asks the file system for the size of every file of the database."""


USAGE_KEPT_S = 600.0
"""What is summed up over 30 days."""


def gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(metrics.PREFIX + name, help_text, labels=labels)


def single(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(metrics.PREFIX + name, help_text, value=value)


class House:
    """Asked by one thread."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._sizes: list[Metric] = []
        self._sizes_at_s = -SIZES_KEPT_S
        self._usage: list[Metric] = []
        self._usage_at_s = -USAGE_KEPT_S

    def ask(self, conn: Conn) -> Iterator[Metric]:
        yield from _of_background(conn)
        yield from _of_attention(conn)
        yield from _of_jobs(conn)
        yield from _of_replicas(conn)
        used, allowed = vitals.connections(conn)
        yield single("database_used_connections", "Connections of the whole server in use.", used)
        yield single("database_allowed_connections", "Its max_connections.", allowed)
        now_s = self._clock.monotonic_s()
        if now_s - self._sizes_at_s >= SIZES_KEPT_S:
            self._sizes, self._sizes_at_s = list(self._of_sizes(conn)), now_s
        yield from self._sizes
        if now_s - self._usage_at_s >= USAGE_KEPT_S:
            self._usage, self._usage_at_s = list(_of_usage(conn)), now_s
        yield from self._usage

    def _of_sizes(self, conn: Conn) -> Iterator[Metric]:
        yield single("database_size_bytes", "What the database takes on the disk.", vitals.database_bytes(conn))
        if self._settings.database.quota_bytes is not None:
            yield single("database_quota_bytes", "What it may take (DATABASE_QUOTA_BYTES).",
                         self._settings.database.quota_bytes)  # fmt: skip
        tables = gauge("table_size_bytes", "Tables with indexes and TOAST, as of the newest daily look.", "table")
        for name, size in vitals.sizes_on_newest_day(conn).bytes.items():
            tables.add_metric([name], size)
        yield tables


def _of_background(conn: Conn) -> Iterator[Metric]:
    overdue = gauge("overdue_background_rows", "Documents, attachments and imports that are due.", "station")
    age = gauge("overdue_background_age_seconds", "Since when the oldest of them is due.", "station")
    for found in state.of_background(conn):
        overdue.add_metric([found.station], found.overdue)
        age.add_metric([found.station], found.oldest_s)
    yield overdue
    yield age


def _of_attention(conn: Conn) -> Iterator[Metric]:
    waiting = gauge("attention_conversations", "Conversations that wait for a person, by why.", "reason")
    age = gauge("attention_age_seconds", "For how long the first of them waits.", "reason")
    found = {one.reason: one for one in state.of_attention(conn)}
    for reason in dict.fromkeys((*state.ATTENTION_REASONS, *found)):
        one = found.get(reason)
        waiting.add_metric([reason], one.conversations if one else 0)
        age.add_metric([reason], one.oldest_s if one else 0.0)
    yield waiting
    yield age


def _of_jobs(conn: Conn) -> Iterator[Metric]:
    done = gauge("job_done_timestamp_seconds", "When a job's newest good run ended.", "scheduled")
    failures = gauge("job_failures_in_a_row_runs", "Runs of a job that failed since then.", "scheduled")
    for job in jobs.standings(conn):
        if job.done_at is not None:
            done.add_metric([job.name], job.done_at.timestamp())
        failures.add_metric([job.name], job.failures)
    yield done
    yield failures


def _of_usage(conn: Conn) -> Iterator[Metric]:
    cost = gauge("model_contact_month_cost_currency",
                 "What models cost for a contact for whom one was called, in the last 30 days.", "purpose")  # fmt: skip
    found = {one.purpose: one for one in usage_totals.month(conn)}
    contacts = max((one.contacts for one in found.values()), default=0)
    for purpose in dict.fromkeys((*get_args(Purpose), *found)):
        micros = found[purpose].cost_micros if purpose in found else 0
        cost.add_metric([purpose], micros / 1_000_000 / max(1, contacts))
    yield cost
    yield single("model_month_active_contacts", "Contacts for whom a model was called in the last 30 days.", contacts)


def _of_replicas(conn: Conn) -> Iterator[Metric]:
    lag = gauge("replica_lag_seconds", "How far a replica's replay is behind.", "replica")
    behind = gauge("replica_lag_bytes", "The same in bytes of the log.", "replica")
    for replica in vitals.replicas(conn):
        if replica.lag_s is not None:
            lag.add_metric([replica.name], replica.lag_s)
        if replica.lag_bytes is not None:
            behind.add_metric([replica.name], replica.lag_bytes)
    yield lag
    yield behind


class Memory:
    """Of Redis' parts; parts that are one server are told once."""

    def __init__(self) -> None:
        self.used = gauge("redis_used_bytes", "Memory that Redis has in use.", "part")
        self.limit = gauge("redis_limit_bytes", "Its maxmemory; 0: none.", "part")

    def add(self, part: str, client: redis.Redis) -> None:
        info: Any = client.info("memory")
        self.used.add_metric([part], int(info["used_memory"]))
        self.limit.add_metric([part], int(info["maxmemory"]))
