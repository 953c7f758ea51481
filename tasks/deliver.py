"""When parts are delivered: at a ring after an answer, after a part when more wait, or by the sweeper."""

from __future__ import annotations

from shared.flow import deliver as flow
from tasks.app import app
from tasks.base import Step
from tasks.context import Process
from tasks.doorbell import ring


@app.task(base=Step, bind=True, name="deliver.send_due")
def send_due(self: Step) -> None:
    """Send the part that is due next, of the next company in this thread's round."""
    again_in_s = deliver_one(self.process)
    if again_in_s is not None:
        ring(send_due, countdown_s=again_in_s)


def deliver_one(process: Process) -> float | None:
    """Send one due part; returns in how many seconds its conversation wants another ring, None for never."""
    cursor = getattr(process.cursors, "deliver", 0)
    delivered = flow.deliver_next_part(process.resources, cursor)
    process.cursors.deliver = delivered.company
    return delivered.again_in_s
