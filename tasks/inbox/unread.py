"""Unread counts are kept as messages come and are read; a nightly job corrects what arithmetic cannot promise."""

from __future__ import annotations

from shared.store.inbox import company_totals
from shared.store.operations.jobs import Cursor
from shared.store.tenants import companies
from tasks.operations.jobs import Batch, Job, Preview, Work

COMPANIES_A_BATCH = 50


def _reconcile_totals(work: Work, cursor: Cursor | None) -> Batch:
    """Compare companies' totals with their conversations, each in a short transaction. rows: totals that were wrong."""
    after = int(cursor["after"]) if cursor else 0
    ids = companies.ids_after(work.conn, after, limit=COMPANIES_A_BATCH)
    drifted = 0
    for company_id in ids:
        with work.transaction(company_id) as conn:
            drifted += company_totals.reconcile_totals(conn, company_id)
    return Batch(drifted, next={"after": ids[-1]} if len(ids) == COMPANIES_A_BATCH else None)


def _drifted_totals(work: Work) -> Preview:
    drifted = company_totals.drifted_totals(work.conn)
    return Preview(len(drifted), 0, tuple(f"company {company_id}: would correct its totals" for company_id in drifted))


RECONCILE = Job("inbox.reconcile_totals", _reconcile_totals, _drifted_totals, as_owner=False)
