"""Runs jobs: scheduled work in bounded batches, within a time budget, continued where it stopped.

A job is a function that does one batch and says where the next one begins. Everything else stands here: the lease, so
that two beats or a person and the timetable do not do it at once; the cursor, kept after each batch; the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from shared import faults
from shared.clock import Clock
from shared.errors import SwitchboardError, Transient
from shared.resources import Resources
from shared.settings import Settings
from shared.store.db import timed
from shared.store.db.pool import Conn, describe, set_companies
from shared.store.operations import jobs as store
from shared.store.operations.jobs import Cursor
from tasks.operations import metrics

STATEMENT_S = 60.0
LOCK_S = 2.0
"""Waiting longer for a lock would make those wait who come behind; the next attempt may find it free."""
LEASE_S = 600.0
"""Above the longest batch: a killed run's job is taken up after so long."""
RENEW_S = 30.0
BUDGET_S = 120.0
"""One child runs all jobs: after so long it looks what else is due, and goes on afterwards."""
RETRY_S = 60.0
KEEP_S = 10.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch did. size: bytes freed or moved. next: where the following one begins, None if nothing is left.
    lacking: what the job needs and there is not, in words for who runs it by hand; on the timetable it is no fault."""

    rows: int = 0
    size: int = 0
    next: Cursor | None = None
    lacking: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do, exactly, as of now. lines: for people, without content."""

    rows: int
    size: int
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What a job works with. conn: in autocommit, of the role that the job says; the owner's where a person runs it.
    resources: the worker's; None where a person runs it. keep: to be called again and again by a batch that takes
    long: it renews the lease, and raises LeaseLost."""

    conn: Conn
    settings: Settings
    clock: Clock
    resources: Resources | None = None
    keep: Callable[[], None] = field(default=lambda: None)

    @contextmanager
    def transaction(
        self, *companies: int, statement_s: float = STATEMENT_S, lock_s: float = LOCK_S, lasting: bool = True
    ) -> Iterator[Conn]:
        """One transaction whose statements and waits are bounded. companies: whose rows the application role sees in
        it. lasting: False where the job is not, either."""
        with self.conn.transaction():
            if companies:
                set_companies(self.conn, companies)
            self.conn.execute(
                """
                /* jobs.bound */
                SELECT
                    set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)
                """,
                (str(round(statement_s * 1000)), str(round(lock_s * 1000))),
            )
            if not lasting:
                _wait_for_no_disk(self.conn)
            yield self.conn

    @contextmanager
    def beside(self) -> Iterator[Conn]:
        """Another connection of the owner's, in autocommit, for a statement of minutes: `keep` needs the first one."""
        with timed.Connection.connect(
            self.settings.need("DATABASE_ADMIN_URL"), autocommit=True, connect_timeout=5, prepare_threshold=None,
            application_name="switchboard job",
        ) as conn:  # fmt: skip
            yield conn

    def meanwhile(self, do: Callable[[Conn], T]) -> T:
        """Do on a connection of its own what takes longer than the job's lease, which is renewed on ours meanwhile.
        Cancels the statement if the lease is lost or the task's time is over, and raises what `do` raises."""
        with self.beside() as conn, ThreadPoolExecutor(1) as pool:
            doing = pool.submit(do, conn)
            try:
                while wait([doing], timeout=KEEP_S).not_done:
                    self.keep()
            except BaseException:
                while not doing.done():  # repeated, because the statement may not have begun yet
                    conn.cancel_safe()
                    wait([doing], timeout=1.0)
                raise
            return doing.result()


@dataclass(frozen=True, slots=True)
class Job:
    """name: its task's. batch: does one bounded batch from a cursor on; doing one again after a crash does nothing
    twice. preview: what a run would do; it runs in a transaction that may write nothing. lasting: False where batches
    do nothing outside of the database: should the server fail, those of the last half second may be lost whole, their
    cursor with them, and are done again; so none of them waits for the disk. as_owner: False where the application role
    is enough, whose jobs migrations name (switchboard_own_job)."""

    name: str
    batch: Callable[[Work, Cursor | None], Batch]
    preview: Callable[[Work], Preview]
    budget_s: float = BUDGET_S
    lasting: bool = True
    as_owner: bool = True


@dataclass(slots=True)
class Ran:
    """outcome: done or more. lacking: what there was not, so that nothing could be done."""

    outcome: str = "more"
    batches: int = 0
    rows: int = 0
    size: int = 0
    seconds: float = field(default=0.0)
    lacking: str | None = None


class LeaseLost(Transient):
    """Another process has taken the job over."""


def run(
    job: Job, work: Work, *, slot: datetime | None, by: str = "timetable", budget_s: float | None = None
) -> Ran | None:
    """Run a job until it is done or its time is over; None if its slot is done or another process runs it.

    slot: the hour of the timetable that this run is for; None: now, because a person wants it. budget_s: default the
    job's. What goes wrong is recorded, and raised.
    """
    if slot is None:
        store.ensure(work.conn, {job.name: work.clock.now()})
    claim = store.claim(work.conn, job.name, slot=slot, by=by, lease_s=LEASE_S)
    if claim is None:
        return None
    started, ran = time.monotonic(), Ran()
    outcome, error = "failed", None
    try:
        _batches(job, work, claim, ran, job.budget_s if budget_s is None else budget_s)
        outcome = ran.outcome
    except BaseException as e:
        error = _told(e)
        raise
    finally:
        ran.seconds = time.monotonic() - started
        metrics.JOB_RUNS.inc(job.name, outcome)
        metrics.JOB.observe(ran.seconds, job.name)
        if not work.conn.broken:  # a lost connection's run is closed by who claims the job next
            store.end(work.conn, claim, outcome, slot=slot, error=error, retry_s=RETRY_S)
    return ran


def _told(error: BaseException) -> str:
    """Return an error in words: our own errors carry only ids and meanings; others may quote rows, so they are named by
    their class."""
    return f"{describe(error)}: {error}"[:500] if isinstance(error, SwitchboardError) else describe(error)


def _keeper(work: Work, claim: store.Claim) -> Callable[[], None]:
    last = time.monotonic()

    def keep() -> None:
        nonlocal last
        if time.monotonic() - last < RENEW_S:
            return
        last = time.monotonic()
        if not store.renew(work.conn, claim, lease_s=LEASE_S):
            raise LeaseLost(f"{claim.name} was taken up by another run")

    return keep


def _batches(job: Job, work: Work, claim: store.Claim, ran: Ran, budget_s: float) -> None:
    until, cursor = time.monotonic() + budget_s, claim.cursor
    work = replace(work, keep=_keeper(work, claim))
    while True:
        did = job.batch(work, cursor)
        faults.reach("job.after_batch")
        ran.batches, ran.rows, ran.size = ran.batches + 1, ran.rows + did.rows, ran.size + did.size
        ran.lacking = did.lacking
        metrics.JOB_ROWS.inc(job.name, by=did.rows)
        cursor = did.next
        with work.conn.transaction():
            if not job.lasting:
                _wait_for_no_disk(work.conn)
            ours = store.progress(work.conn, claim, rows=did.rows, size=did.size, cursor=cursor, lease_s=LEASE_S)
        if not ours:
            raise LeaseLost(f"{job.name} was taken up by another run")
        if cursor is None:
            ran.outcome = "done"
            return
        if time.monotonic() >= until:
            return


def _wait_for_no_disk(conn: Conn) -> None:
    """Let this transaction's commit return before it is on disk. A later commit that waits has it on disk too, because
    the WAL is written in order."""
    conn.execute("/* jobs.wait_for_no_disk */ SELECT set_config('synchronous_commit', 'off', true)")


def preview(job: Job, work: Work) -> Preview:
    """Return what a run would do, in a read-only transaction."""
    with work.transaction() as conn:
        conn.execute("/* jobs.preview */ SET TRANSACTION READ ONLY")
        return job.preview(work)
