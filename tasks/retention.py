"""When logs that are over go: raw bodies first, because the ledger says which of them a person still needs."""

from __future__ import annotations

from tasks.app import app
from tasks.job_step import JobStep


@app.task(base=JobStep, bind=True, name="retention.drop_raw")
def drop_raw(self: JobStep) -> None:
    """Drop request bodies whose term is over."""
    self.run_job()


@app.task(base=JobStep, bind=True, name="retention.drop_logs")
def drop_logs(self: JobStep) -> None:
    """Drop the ledger's, attempts', calls' and runs' days that are over."""
    self.run_job()
