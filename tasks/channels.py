"""When channels are looked after: every few minutes by the timetable."""

from __future__ import annotations

import structlog

from shared.flow import watch as flow
from tasks.app import app
from tasks.base import Step

log = structlog.get_logger(__name__)


@app.task(base=Step, bind=True, name="channels.watch")
def watch(self: Step) -> None:
    """Ask platforms how their webhooks fare and tell a person where they fail. Running it twice tells nothing twice."""
    r = self.process.resources
    looked, failing = flow.watch_channels(r)
    forgotten = flow.forget_early(r)
    log.info("channels_watched", channels=looked, failing=failing, forgotten=forgotten)
