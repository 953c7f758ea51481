"""When somebody looks whether all is well, and what tables weigh."""

from __future__ import annotations

from tasks.app import app
from tasks.job_step import JobStep


@app.task(base=JobStep, bind=True, name="health.evaluate_alerts")
def evaluate_alerts(self: JobStep) -> None:
    """Run every check and tell what is wrong, and what is over."""
    self.run_job()


@app.task(base=JobStep, bind=True, name="health.keep_sizes")
def keep_sizes(self: JobStep) -> None:
    """Keep what each table weighs today."""
    self.run_job()
