"""SIGKILL at every named point of the way and of every process, a consumer that hangs, wake-ups lost and doubled."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from redis.exceptions import RedisError

from shared import faults, queues
from shared.store.db.redis import connect
from workers.drill.stage import Fault, Stage

POINTS = {
    "gateway.verified": "the gateway, before the journal has the request",
    "gateway.journalled": "the gateway, after the journal has it and before the platform's 200",
    "intake.after_read": "intake, with a batch read and nothing stored",
    "intake.locked": "intake, in the middle of the batch's transaction",
    "intake.before_commit": "intake, with everything written and nothing committed",
    "intake.after_commit": "intake, committed and not yet taken out of the journal",
    "reply.claimed": "a replier that has just leased a turn",
    "reply.asking": "a replier while the model writes",
    "reply.quiet": "a replier with the answer written, which waits for the end of the quiet window",
    "reply.before_commit": "a replier with the answer written and not committed",
    "reply.after_commit": "a replier before it wakes up delivery",
    "wakeup.requested": "intake, a replier or a sender that is about to send a wake-up",
    "deliver.claimed": "a sender that has just leased a part",
    "deliver.before_write": "a sender that has said that the request leaves, before it does",
    "deliver.after_write": "a sender whose request has left",
    "deliver.before_retry": "a sender that its platform asked to wait, before it sends again",
    "deliver.before_record": "a sender with the platform's answer, before it is written down",
    "deliver.after_record": "a sender after it is written down",
}
IN_SHORT = ("gateway.journalled", "intake.after_commit", "reply.asking", "deliver.before_record")
BESIDE = ("index", "media", "maintenance", "beat", "flower")
"""What no message needs on its way; only the full form runs them."""
THIEVES = 4


def _at(point: str) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        before = stage.system.restarts()
        mark = faults.arm(stage.system.marks, point)
        if point == "deliver.before_retry":
            stage.system.control(
                "POST", "faults", target="telegram", kind="status", status=429, retry_after=1, count=None
            )
        try:
            stage.wait(mark.exists, f"{point} is reached")
        finally:
            faults.disarm(stage.system.marks, point)
            stage.system.control("DELETE", "faults")
        stage.struck(mark.stat().st_ctime)  # when it was renamed
        stage.wait(lambda: stage.system.restarts() > before, "the victim is started again")

    return play


def _any_time(process: str) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        child = stage.system.child(process)
        before, pid = child.restarts, child.process.pid
        assert pid is not None
        stage.struck()
        os.kill(pid, signal.SIGKILL)
        stage.wait(lambda: child.restarts > before, f"{process} is started again")

    return play


def _hang(stage: Stage) -> None:
    before = stage.system.restarts()
    mark = faults.arm(stage.system.marks, "worker.received", "hang")
    stage.wait(mark.exists, "a consumer hangs")
    stage.struck(mark.stat().st_ctime)
    stalled_s = stage.system.config.processes.stalled_after_s
    stage.wait(lambda: stage.system.restarts() > before, "it ends itself and is started again", stalled_s + 30)


def _wakeups_lost(stage: Stage) -> None:
    """Pops the wake-ups in the workers' place and drops them: what is lost with a worker that dies between the pop and
    its note, only more often."""
    stolen: list[bytes] = []
    _steal(stage, lambda _, wakeup: stolen.append(wakeup))
    stage.note = f"{len(stolen)} wake-ups popped and dropped"
    stage.wait(lambda: bool(stolen), "a wake-up is stolen", 0)


def _wakeups_doubled(stage: Stage) -> None:
    copied: list[bytes] = []

    def copy(key: bytes, wakeup: bytes) -> None:
        copies = 20 if len(copied) < 5 else 1
        copied.append(wakeup)
        client.lpush(key, *[wakeup] * copies)

    client = connect(str(stage.system.config.redis.url))
    _steal(stage, copy, thieves=1)
    client.close()
    stage.note = f"{min(len(copied), 5)} wake-ups came twenty times"
    stage.wait(lambda: bool(copied), "a wake-up is doubled", 0)


def _steal(stage: Stage, take: Callable[[bytes, bytes], None], thieves: int = THIEVES) -> None:
    """Wait at the workers' queues for a while, before them, and do something with what comes."""
    over = threading.Event()
    keys = [queues.REDIS_PREFIX + name for name in (queues.REPLY, queues.DELIVER)]

    def wait_at_queue() -> None:
        client = connect(str(stage.system.config.redis.url), socket_timeout_s=5.0)
        while not over.is_set():
            try:
                popped = client.brpop(keys, timeout=1)
            except RedisError:
                continue
            if popped:
                take(*popped)
        client.close()

    threads = [threading.Thread(target=wait_at_queue, daemon=True) for _ in range(thieves)]
    stage.struck()
    for thread in threads:
        thread.start()
    stage.hold(2.0, 4.0)
    over.set()
    for thread in threads:
        thread.join(timeout=5)


FAULTS = (
    *(
        Fault(
            f"kill {point}", what, _at(point), short=point in IN_SHORT, kill=True,
            # a sender may be the victim, and another thread of it between send and record when it dies
            unknown_outcomes=not point.startswith(("gateway.", "intake.", "reply.")),
        )
        for point, what in POINTS.items()
    ),
    *(Fault(f"kill {name}", f"{name}, whatever it does", _any_time(name), kill=True) for name in BESIDE),
    Fault("worker hangs", "a worker's consumer hangs while its threads live", _hang, unknown_outcomes=True),
    Fault("wake-ups lost", "wake-ups popped from the broker that reach no worker", _wakeups_lost, short=True),
    Fault("wake-ups doubled", "wake-ups that come twenty times", _wakeups_doubled),
)  # fmt: skip
