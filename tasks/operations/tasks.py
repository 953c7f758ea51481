"""Celery tasks of operations: start due jobs, make partitions, evaluate alerts, record tables' sizes."""

from __future__ import annotations

from shared import queues
from tasks.app import app
from tasks.base import Step
from tasks.operations import alerts, indexes, partitions, timetable
from tasks.operations.health import clearing
from tasks.operations.job_task import LONG, open_work, task_of
from tasks.wakeups import wake_up


# Each minute; Celery's own events, which the worker of this queue sends, would fill Flower's first page with them. The
# jobs that they wake are shown, and their failures are logged and counted.
@app.task(base=Step, bind=True, name="operations.catch_up", runs_on=queues.MAINTENANCE, send_events=False)
def catch_up(self: Step) -> str | None:
    """Wake the tasks of the jobs that still owe an hour which has come some time ago. Waking one twice runs it once."""
    r = self.process.resources
    with open_work(r.settings, r.clock) as work:
        late = timetable.late(work.conn, r.clock.now())
    for one in late:
        wake_up(app.tasks[one.name])
    return f"woke {len(late)}" if late else None


@app.task(base=Step, bind=True, name="operations.record_queue_depths", runs_on=queues.MAINTENANCE, send_events=False)
def note_depths(self: Step) -> None:
    """Note what waits in every queue, so that operators see when each will be empty."""
    clearing.note(self.process.resources)


make_partitions = task_of(partitions.MAKE_PARTITIONS, "Make the daily partitions of the coming week.")
evaluate_alerts = task_of(alerts.EVALUATE, "Run every check and tell what is wrong, and what is over.")
keep_sizes = task_of(alerts.KEEP_SIZES, "Keep what each table weighs today.")
rebuild_indexes = task_of(indexes.REBUILD, "Build worn and bloated indexes again, beside their readers.", **LONG)
