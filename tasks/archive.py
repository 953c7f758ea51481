"""When quiet conversations go to the archive."""

from __future__ import annotations

from tasks.app import app
from tasks.job_step import JobStep


@app.task(base=JobStep, bind=True, name="archive.move_messages")
def move_messages(self: JobStep) -> None:
    """Move old messages of quiet conversations, company by company."""
    self.run_job()


@app.task(base=JobStep, bind=True, name="archive.delete_old")
def delete_old(self: JobStep) -> None:
    """Delete archives older than their bound, where there is one."""
    self.run_job()
