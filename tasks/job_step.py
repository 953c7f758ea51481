"""JobStep: what every task of the timetable does."""

from __future__ import annotations

from tasks import jobs
from tasks.base import Step
from tasks.doorbell import ring


class JobStep(Step):
    """A task that has the name of its job."""

    abstract = True

    def run_job(self) -> None:
        """Run the job if its hour has come, and ring again where its time was over before its work: other jobs' rings
        stand between."""
        r = self.process.resources
        ran = jobs.run_due(self.name, r.settings, r.clock)
        if ran is not None and ran.outcome == "more":
            ring(self)
