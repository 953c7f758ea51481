"""When somebody looks whether all is well, and what tables weigh."""

from __future__ import annotations

from tasks.app import app
from tasks.base import Step
from tasks.operations.health import clearing
from tasks.operations.job_task import job

evaluate_alerts = job("health.evaluate_alerts", "Run every check and tell what is wrong, and what is over.")
keep_sizes = job("health.keep_sizes", "Keep what each table weighs today.")


@app.task(base=Step, bind=True, name="health.note_depths")
def note_depths(self: Step) -> None:
    """Note what waits in every queue, so that operators see when each will be empty."""
    clearing.note(self.process.resources)
