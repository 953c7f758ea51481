"""When turns are answered: at a wake-up after the quiet window, or when the sweeper finds one overdue."""

from __future__ import annotations

from shared import queues
from tasks.answers import reply, returns
from tasks.answers.leases import Leases
from tasks.answers.reply import Result, Taken
from tasks.app import app
from tasks.base import Step
from tasks.context import Process
from tasks.delivery import tasks
from tasks.dispatch import ClaimCapacity, Claimed, Dispatcher
from tasks.operations.job_task import task_of


@app.task(base=Step, bind=True, name="answers.answer_due", runs_on=queues.REPLY)
def answer_due(self: Step) -> None:
    """Begin answering whatever is due, as much as this process has room for, until nothing is."""
    self.process.dispatchers[queues.REPLY].drain()


def dispatcher(process: Process) -> Dispatcher[Taken]:
    """Answers this process' share of the turns, REPLY_THREADS at a time."""
    r, leases = process.resources, process.of(Leases)

    def claim(after_company: int, room: ClaimCapacity) -> Claimed[Taken]:
        return reply.take_due(r, leases, after_company, room)

    def work(taken: Taken) -> None:
        if reply.answer(r, leases, taken) is Result.ANSWERED:
            process.wakeups.request(tasks.send_due)

    return Dispatcher(
        queues.REPLY, r.settings.processes.reply_threads, r.settings.processes.company_slots_share, claim=claim,
        work=work, pass_on=lambda: process.wakeups.request(answer_due),
    )  # fmt: skip


def answer_one(process: Process) -> bool:
    """Answer one due turn, here and now; true if it became a reply that wants delivery."""
    cursor = getattr(process.cursors, "reply", 0)
    result, process.cursors.reply = reply.answer_next_turn(process.resources, process.of(Leases), cursor)
    return result is Result.ANSWERED


return_to_bot = task_of(
    returns.RETURN,
    "Come back to conversations that have been quiet since a handover.",
    runs_on=queues.REPLY,
)
