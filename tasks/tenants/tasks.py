"""Celery task that asks platforms about our channels, every few minutes by the timetable."""

from __future__ import annotations

import structlog

from shared import queues
from shared.store.operations import rounds
from tasks.app import app
from tasks.base import Step
from tasks.tenants import watch

HALF_S = 150.0
"""Half of the timetable's pause: of the wake-ups within it one asks the platforms, and no due round is left out."""

log = structlog.get_logger(__name__)


@app.task(base=Step, bind=True, name="tenants.watch_channels", runs_on=queues.DELIVER)
def watch_channels(self: Step) -> None:
    """Ask platforms how webhooks to us fare, and report channels that fail. Running it twice reports nothing twice."""
    r = self.process.resources
    with r.db.transaction() as conn:
        if not rounds.begins(conn, self.name, not_within_s=HALF_S):
            return
    looked, failing = watch.watch_channels(r)
    forgotten = watch.forget_early(r)
    log.info("channels_watched", channels=looked, failing=failing, forgotten=forgotten)
