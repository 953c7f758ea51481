"""Work of the owner role on the timetable: partitions ahead, raw bodies behind."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import structlog

from shared.store import health, maintenance
from tasks.app import app
from tasks.base import Step

log = structlog.get_logger(__name__)


@app.task(base=Step, bind=True, name="maintenance.make_partitions")
def make_partitions(self: Step) -> None:
    """Make the daily partitions of the coming week. Running it twice makes nothing twice."""
    r = self.process.resources
    with psycopg.connect(r.settings.need("database_admin_url"), autocommit=True, connect_timeout=5) as conn:
        made = maintenance.make_partitions(conn, r.clock.now().date())
    log.info("partitions_made", partitions=made)


@app.task(base=Step, bind=True, name="maintenance.purge_raw")
def purge_raw(self: Step) -> None:
    """Drop raw request bodies older than RAW_RETENTION_DAYS, a partition at a time, and old counts of answers."""
    r = self.process.resources
    keep_from = r.clock.now().date() - timedelta(days=r.settings.raw_retention_days)
    with psycopg.connect(r.settings.need("database_admin_url"), autocommit=True, connect_timeout=5) as conn:
        partitions, rows = maintenance.purge(conn, "webhook_raw", keep_from)
        minutes = health.purge_answers(conn)
    log.info("raw_purged", partitions=partitions, rows=rows, keep_from=keep_from.isoformat(), minutes=minutes)
