"""Unread counts are kept as messages come and are read; this looks after what arithmetic cannot promise."""

from __future__ import annotations

import structlog

from shared.store import companies, conversations
from tasks.app import app
from tasks.base import Step

log = structlog.get_logger(__name__)


@app.task(base=Step, bind=True, name="unread.reconcile_totals")
def reconcile_totals(self: Step) -> None:
    """Hold every company's totals against its conversations; a short transaction each."""
    db = self.process.resources.db
    with db.transaction() as conn:
        ids = companies.ids(conn)
    drifted = 0
    for company_id in ids:
        with db.transaction(company_id) as conn:
            drifted += conversations.reconcile_totals(conn, company_id)
    log.info("totals_reconciled", companies=len(ids), drifted=drifted)
