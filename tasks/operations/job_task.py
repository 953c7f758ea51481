"""JobTask, the base of every task of the timetable."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog

from shared import queues
from shared.clock import Clock
from shared.resources import Resources
from shared.settings import Settings
from shared.store.db import timed
from shared.telemetry import work
from tasks.app import app
from tasks.base import Step
from tasks.operations import jobs
from tasks.operations.jobs import Job, Ran, Work
from tasks.operations.timetable import slot_of
from tasks.wakeups import wake_up

log = structlog.get_logger(__name__)

LONG = {"time_limit": 7_200, "soft_time_limit": 7_100}
"""Celery's limits of a job that does all of its work in one program or statement, with nowhere to stop between: a
backup, which BACKUP_DEADLINE_S ends before, or the index of some hundred thousand vectors. Both, because an unset one
is the fleet's."""


class JobTask(Step):
    """The Celery task of a job, under the job's name."""

    abstract = True
    job: Job

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell of this run from its beginning: it may take an hour."""
        with work.piece(self.name, self.request.id), work.caused_by(self.request.id):
            yield

    def run_job(self) -> str:
        """Run the job if its hour has come, and wake itself again where its time was over before its work: other jobs'
        wake-ups stand between. Returns how it went, which Flower shows."""
        r = self.process.resources
        ran = run_due(self.job, r.settings, r.clock, r)
        if ran is None:
            return "not_due"
        log.info(
            "job_ran", job=self.name, outcome=ran.outcome, batches=ran.batches, rows=ran.rows, bytes=ran.size,
            duration_ms=round(ran.seconds * 1000),
        )  # fmt: skip
        if ran.outcome == "more":
            wake_up(self)
        return ran.outcome


def task_of(job: Job, does: str, **options: Any) -> JobTask:
    """The task of a job. does: what people read of it. options: Celery's. A job of the owner's runs on the queue
    `maintenance`, whose worker alone holds the owner's URL."""
    module = sys._getframe(1).f_globals["__name__"]  # Celery shows where a task was declared

    def run(self: JobTask) -> str:
        return self.run_job()

    run.__doc__, run.__module__ = does, module
    options = {"runs_on": queues.MAINTENANCE, **options}
    return cast(JobTask, app.task(base=JobTask, bind=True, name=job.name, job=job, **options)(run))


@contextmanager
def open_work(settings: Settings, clock: Clock, resources: Resources | None = None) -> Iterator[Work]:
    """Open a connection of the owner role for one run."""
    with timed.Connection.connect(
        settings.need("DATABASE_ADMIN_URL"), autocommit=True, connect_timeout=5, prepare_threshold=None,
        application_name="switchboard job",
    ) as conn:  # fmt: skip
        yield Work(conn, settings, clock, resources)


@contextmanager
def _work_of(job: Job, settings: Settings, clock: Clock, resources: Resources | None) -> Iterator[Work]:
    """Return a connection as the role for jobs; a process that has only the application role uses that."""
    if job.as_owner or resources is None:
        with open_work(settings, clock, resources) as work:
            yield work
        return
    with resources.db.connection() as conn:
        yield Work(conn, settings, clock, resources)


def run_due(job: Job, settings: Settings, clock: Clock, resources: Resources | None = None) -> Ran | None:
    """Run the job if its hour has come; None if it is done or somebody is at it, as after a second wake-up."""
    with _work_of(job, settings, clock, resources) as work:
        slot = slot_of(work.conn, job.name, clock.now())
        return jobs.run(job, work, slot=slot) if slot is not None else None
