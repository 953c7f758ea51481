"""Celery task that takes the balance of requests: what was received, and where all of it is."""

from __future__ import annotations

import structlog

from shared import queues
from shared.store.inbound import balance
from tasks.app import app
from tasks.base import Step
from tasks.context import Process

log = structlog.get_logger(__name__)

STUCK_AFTER_S = 300.0
"""An entry that has waited for so long in the journal is not under way any more: somebody should look."""


@app.task(base=Step, bind=True, name="inbound.take_balance", runs_on=queues.INTAKE)
def take_balance(self: Step) -> None:
    """Take the balance, store it, and log what is wrong."""
    take(self.process)


def take(process: Process) -> None:
    r = process.resources
    with r.db.connection() as conn:
        found = balance.take(conn, r.journal)
        oldest_s = r.journal.oldest_age_s()
        balance.note(conn, found, oldest_s)
    fields = {"received": found.requests_received, "in_flight": found.requests_in_flight, "oldest_s": round(oldest_s)}
    if not found.closes:
        log.error("balance_open", missing=found.missing, **fields)
    elif oldest_s > STUCK_AFTER_S:
        log.error("journal_stuck", **fields)
    else:
        log.info("balance_taken", **fields)
