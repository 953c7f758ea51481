"""The sums that count against budgets are the ledger's: a job compares them, and charges what nobody has settled."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from shared.store.models import budget_check as store
from shared.store.models.budget_check import Drift
from shared.store.operations.jobs import Cursor
from shared.store.tenants import companies
from tasks.models import metrics
from tasks.operations.jobs import Batch, Job, Preview, Work

log = structlog.get_logger(__name__)

COMPANIES_A_BATCH = 20


def _check(work: Work, cursor: Cursor | None) -> Batch:
    """Charge and compare company by company. rows: days that are not the ledger's."""
    after = int(cursor["after"]) if cursor else 0
    ids = companies.ids_after(work.conn, after, limit=COMPANIES_A_BATCH)
    found: list[Drift] = []
    for company_id in ids:
        charge(work, company_id)
        found += drifted(work, company_id)
        with work.transaction() as conn:
            store.delete_old(conn, company_id)
        work.keep()
    return Batch(len(found), next={"after": ids[-1]} if len(ids) == COMPANIES_A_BATCH else None)


def charge(work: Work, company_id: int) -> int:
    """Charge a company's reservations that have expired; returns how many."""
    charged = 0
    while True:
        with work.transaction() as conn:
            more = store.charge_expired(conn, company_id)
        charged += more
        if not more:
            break
    if charged:
        metrics.BUDGET_CHARGED.inc(by=charged)
        log.warning("reservations_charged", company_id=company_id, reservations=charged)
    return charged


def drifted(work: Work, company_id: int) -> Sequence[Drift]:
    """Return the days of a company and its contacts that are not the ledger's; they are counted and logged."""
    with work.transaction() as conn:
        found = store.drifted(conn, company_id)
    for one in found:
        difference = one.counted_micros - one.ledger_micros
        metrics.BUDGET_DRIFT.inc(by=abs(difference) / 1_000_000)
        log.error(
            "budget_drifted", company_id=one.company_id, contact_id=one.contact_id or None, day=one.day.isoformat(),
            difference_micros=difference,
        )  # fmt: skip
    return found


def repair(work: Work, found: Sequence[Drift]) -> None:
    """Set the sums to the ledger's, each in a transaction of its own."""
    for one in found:
        with work.transaction() as conn:
            store.recount(conn, one)


def _preview(work: Work) -> Preview:
    found = [
        one
        for company_id in companies.ids_after(work.conn, 0, limit=2**31 - 1)
        for one in store.drifted(work.conn, company_id)
    ]
    return Preview(len(found), 0, tuple(line(one) for one in found))


def line(one: Drift) -> str:
    who = f"contact {one.company_id}/{one.contact_id}" if one.contact_id else f"company {one.company_id}"
    return f"{who}  {one.day}: counted {one.counted_micros}, in the ledger {one.ledger_micros} (millionths)"


CHECK = Job("models.check_budgets", _check, _preview)
