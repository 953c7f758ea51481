"""When turns are answered: at a ring after the quiet window, or when the sweeper finds one overdue."""

from __future__ import annotations

from shared.flow import reply as flow
from shared.flow.reply import Result
from tasks import deliver
from tasks.app import app
from tasks.base import Step
from tasks.context import Process
from tasks.doorbell import ring


@app.task(base=Step, bind=True, name="reply.answer_due")
def answer_due(self: Step) -> None:
    """Answer the turn that is due next, of the next company in this thread's round."""
    if answer_one(self.process):
        ring(deliver.send_due)


def answer_one(process: Process) -> bool:
    """Answer one due turn; true if it became a reply that wants delivery."""
    cursor = getattr(process.cursors, "reply", 0)
    result, process.cursors.reply = flow.answer_next_turn(process.resources, process.leases, cursor)
    return result is Result.ANSWERED
