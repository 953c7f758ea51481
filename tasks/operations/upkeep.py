"""Jobs that keep house: partitions ahead, totals that hold."""

from __future__ import annotations

from shared.store.inbound import drops
from shared.store.inbox import conversations
from shared.store.operations import partitions
from shared.store.operations.jobs import Cursor
from shared.store.tenants import channel_health, companies
from tasks.operations.jobs import Batch, Job, Preview, Work

COMPANIES_A_BATCH = 50


def _make_partitions(work: Work, cursor: Cursor | None) -> Batch:
    """Each in a transaction of its own, so that one batch is bounded however many are missing. Old counts of webhooks'
    answers go with the day, too: the watch looks back an hour."""
    channel_health.purge_answers(work.conn)
    drops.purge(work.conn)
    return Batch(partitions.make_partitions(work.conn, work.clock.now().date()))


def _missing_partitions(work: Work) -> Preview:
    names = partitions.missing_partitions(work.conn, work.clock.now().date())
    return Preview(len(names), 0, tuple(f"would make {name}" for name in names))


def _reconcile_totals(work: Work, cursor: Cursor | None) -> Batch:
    """Hold companies' totals against their conversations; a short transaction each. rows: totals that had drifted."""
    after = int(cursor["after"]) if cursor else 0
    ids = companies.ids_after(work.conn, after, limit=COMPANIES_A_BATCH)
    drifted = 0
    for company_id in ids:
        with work.transaction(company_id) as conn:
            drifted += conversations.reconcile_totals(conn, company_id)
    return Batch(drifted, next={"after": ids[-1]} if len(ids) == COMPANIES_A_BATCH else None)


def _drifted_totals(work: Work) -> Preview:
    drifted = conversations.drifted_totals(work.conn)
    return Preview(len(drifted), 0, tuple(f"company {company_id}: would correct its totals" for company_id in drifted))


MAKE_PARTITIONS = Job("maintenance.make_partitions", _make_partitions, _missing_partitions)
RECONCILE_TOTALS = Job("unread.reconcile_totals", _reconcile_totals, _drifted_totals, as_owner=False)
