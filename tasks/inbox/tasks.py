"""When attachments are fetched: at a ring after they were stored, and every minute for whatever is left."""

from __future__ import annotations

from tasks.app import app
from tasks.base import Step
from tasks.context import Process
from tasks.inbox import media as flow
from tasks.inbox.media import Result
from tasks.wakeups import ring


@app.task(base=Step, bind=True, name="media.fetch_due")
def fetch_due(self: Step) -> None:
    """Fetch the attachment that is due next, of the next company in this thread's round; rings on until nothing is
    due."""
    if fetch_one(self.process):
        ring(fetch_due)


def fetch_one(process: Process) -> bool:
    """Fetch one; whether there may be more to do."""
    cursor = getattr(process.cursors, "media", 0)
    result, process.cursors.media = flow.fetch_next(process.resources, cursor)
    # Nothing behind the cursor is not nothing: the next call begins at the first company.
    return result is not Result.NOTHING_DUE or cursor > 0
