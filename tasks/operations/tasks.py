"""The timetable's minute, partitions ahead, backups, and bytes that nobody names."""

from __future__ import annotations

from tasks import registry
from tasks.app import app
from tasks.base import Step
from tasks.operations import timetable
from tasks.operations.job_task import job
from tasks.wakeups import ring

LIMITS = {"time_limit": 7_200, "soft_time_limit": 7_100}
"""Above the most that BACKUP_DEADLINE_S may be, which ends it in order: one program does all of it, so there is nowhere
to stop between. A graph is one statement, too, of a minute for some hundred thousand chunks. Both limits, because an
unset one is the fleet's."""


@app.task(base=Step, bind=True, name="maintenance.ring_due_jobs")
def ring_due_jobs(self: Step) -> None:
    """Ring the tasks of the jobs whose hour has come. Ringing one twice runs it once."""
    r = self.process.resources
    with registry.open_work(r.settings, r.clock) as work:
        due = timetable.due(work.conn, r.clock.now())
    for one in due:
        ring(app.tasks[one.name])


make_partitions = job("maintenance.make_partitions", "Make the daily partitions of the coming week.")
make_graphs = job("maintenance.make_graphs", "Make the graphs by which large companies are searched.", **LIMITS)
make_backup = job("maintenance.make_backup", "Make a backup, and delete those that are no longer kept.", **LIMITS)
prove_backup = job("maintenance.prove_backup", "Try whether the newest backup restores and balances.", **LIMITS)
sweep_media = job("maintenance.sweep_media", "Delete attachments' bytes that no row names.")
