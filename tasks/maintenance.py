"""The timetable's minute, and partitions ahead."""

from __future__ import annotations

from tasks import jobs, timetable
from tasks.app import app
from tasks.base import Step
from tasks.doorbell import ring
from tasks.job_step import JobStep


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


@app.task(base=JobStep, bind=True, name="maintenance.make_graphs")
def make_graphs(self: JobStep) -> None:
    """Make the graphs by which large companies are searched."""
    self.run_job()
