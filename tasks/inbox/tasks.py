"""Celery tasks of the inbox: fetch and sweep attachments, correct unread counts."""

from __future__ import annotations

from shared import queues
from tasks.app import app
from tasks.base import Step
from tasks.context import Process
from tasks.inbox import media, media_sweep, unread
from tasks.inbox.media import Result
from tasks.operations.job_task import task_of
from tasks.wakeups import wake_up


@app.task(base=Step, bind=True, name="inbox.fetch_media", runs_on=queues.MEDIA)
def fetch_due(self: Step) -> None:
    """Fetch the attachment that is due next, of the next company in this thread's round; wakes its task again until
    nothing is due."""
    if fetch_one(self.process):
        wake_up(fetch_due)


def fetch_one(process: Process) -> bool:
    """Fetch one attachment; return whether there may be more to do."""
    cursor = getattr(process.cursors, "media", 0)
    result, process.cursors.media = media.fetch_next(process.resources, cursor)
    # Nothing behind the cursor is not nothing: the next call begins at the first company.
    return result is not Result.NOTHING_DUE or cursor > 0


reconcile_totals = task_of(
    unread.RECONCILE, "Hold every company's totals against its conversations.", runs_on=queues.INTAKE
)
sweep_media = task_of(media_sweep.SWEEP, "Delete attachments' bytes that no row names.")
