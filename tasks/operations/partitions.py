"""Partitions of the log tables, made ahead."""

from __future__ import annotations

from shared.store.inbound import drops
from shared.store.operations import partitions
from shared.store.operations.jobs import Cursor
from shared.store.tenants import channel_health
from tasks.operations.jobs import Batch, Job, Preview, Work


def _make_partitions(work: Work, cursor: Cursor | None) -> Batch:
    """Create missing partitions, each in a transaction of its own. Old counts of webhook answers are deleted with the
    day; the watch needs one hour of them."""
    channel_health.purge_answers(work.conn)
    drops.purge(work.conn)
    return Batch(partitions.make_partitions(work.conn, work.clock.now().date()))


def _missing_partitions(work: Work) -> Preview:
    names = partitions.missing_partitions(work.conn, work.clock.now().date())
    return Preview(len(names), 0, tuple(f"would make {name}" for name in names))


MAKE_PARTITIONS = Job("operations.make_partitions", _make_partitions, _missing_partitions)
