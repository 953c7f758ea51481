"""JobStep: what every task of the timetable does."""

from __future__ import annotations

from typing import Any, cast

import structlog

from tasks import registry
from tasks.app import app
from tasks.base import Step
from tasks.wakeups import ring

log = structlog.get_logger(__name__)


class JobStep(Step):
    """A task that has the name of its job."""

    abstract = True

    def run_job(self) -> None:
        """Run the job if its hour has come, and ring again where its time was over before its work: other jobs' rings
        stand between."""
        r = self.process.resources
        ran = registry.run_due(self.name, r.settings, r.clock, r)
        if ran is None:
            return
        log.info(
            "job_ran", job=self.name, outcome=ran.outcome, batches=ran.batches, rows=ran.rows, bytes=ran.size,
            duration_ms=round(ran.seconds * 1000),
        )  # fmt: skip
        if ran.outcome == "more":
            ring(self)


def job(name: str, does: str, **options: Any) -> JobStep:
    """The task of a job, which has its name. does: what people read of it. options: Celery's."""

    def run(self: JobStep) -> None:
        self.run_job()

    run.__doc__, run.__module__ = does, f"tasks.{name.partition('.')[0]}"
    return cast(JobStep, app.task(base=JobStep, bind=True, name=name, **options)(run))
