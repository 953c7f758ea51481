"""Delivers parts when woken: after an answer, after a part that has more behind it, or by the sweeper."""

from __future__ import annotations

from shared import queues
from tasks.app import app
from tasks.base import Step
from tasks.context import Process
from tasks.delivery import deliver
from tasks.delivery.deliver import Taken
from tasks.dispatch import ClaimCapacity, Claimed, Dispatcher
from tasks.wakeups import wake_up


@app.task(base=Step, bind=True, name="delivery.send_due", runs_on=queues.DELIVER)
def send_due(self: Step) -> None:
    """Send due parts, as many at a time as this process has capacity for, until none is due."""
    self.process.dispatchers[queues.DELIVER].drain()


def dispatcher(process: Process) -> Dispatcher[Taken]:
    """Return the dispatcher that sends this process's parts, DELIVER_THREADS at a time."""
    r = process.resources

    def claim(after_company: int, room: ClaimCapacity) -> Claimed[Taken]:
        return deliver.take_due(r, after_company, room)

    def work(taken: Taken) -> None:
        again_in_s = deliver.deliver(r, taken).again_in_s
        if again_in_s == 0:
            process.wakeups.request(send_due)
        elif again_in_s is not None:
            wake_up(send_due, countdown_s=again_in_s)  # at a time of its own, so it is not coalesced

    return Dispatcher(
        queues.DELIVER, r.settings.processes.deliver_threads, r.settings.processes.company_slots_share,
        r.settings.processes.channel_slots_share, claim=claim, work=work,
        pass_on=lambda: process.wakeups.request(send_due),
    )  # fmt: skip


def deliver_one(process: Process) -> bool:
    """Send one due part on this thread. Returns whether its conversation has more to send."""
    cursor = getattr(process.cursors, "deliver", 0)
    delivered = deliver.deliver_next_part(process.resources, cursor)
    process.cursors.deliver = delivered.company
    return delivered.again_in_s is not None
