"""The timetable's minute, partitions ahead, backups, and bytes that nobody names."""

from __future__ import annotations

from tasks import jobs, timetable
from tasks.app import app
from tasks.base import Step
from tasks.doorbell import ring
from tasks.job_step import JobStep

LIMITS = {"time_limit": 7_200, "soft_time_limit": 7_100}
"""Above the most that BACKUP_DEADLINE_S may be, which ends it in order: one program does all of it, so there is nowhere
to stop between. A graph is one statement, too, of a minute for some hundred thousand chunks. Both limits, because an
unset one is the fleet's."""


@app.task(base=Step, bind=True, name="maintenance.ring_due_jobs")
def ring_due_jobs(self: Step) -> None:
    """Ring the tasks of the jobs whose hour has come. Ringing one twice runs it once."""
    r = self.process.resources
    with jobs.open_work(r.settings, r.clock) as work:
        due = timetable.due(work.conn, r.clock.now())
    for job in due:
        ring(app.tasks[job.name])


@app.task(base=JobStep, bind=True, name="maintenance.make_partitions")
def make_partitions(self: JobStep) -> None:
    """Make the daily partitions of the coming week."""
    self.run_job()


@app.task(base=JobStep, bind=True, name="maintenance.make_graphs", **LIMITS)
def make_graphs(self: JobStep) -> None:
    """Make the graphs by which large companies are searched."""
    self.run_job()


@app.task(base=JobStep, bind=True, name="maintenance.make_backup", **LIMITS)
def make_backup(self: JobStep) -> None:
    """Make a backup, and delete those that are no longer kept."""
    self.run_job()


@app.task(base=JobStep, bind=True, name="maintenance.prove_backup", **LIMITS)
def prove_backup(self: JobStep) -> None:
    """Try whether the newest backup restores and balances."""
    self.run_job()


@app.task(base=JobStep, bind=True, name="maintenance.sweep_media")
def sweep_media(self: JobStep) -> None:
    """Delete attachments' bytes that no row names."""
    self.run_job()
