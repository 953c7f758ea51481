"""The registry of jobs, and how a task of the timetable runs one. Whoever adds a job adds it here, to beat_schedule.py
and as a task of its station."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.clock import Clock
from shared.resources import Resources
from shared.settings import Settings
from shared.store.db import timed
from tasks.inbox import media_sweep
from tasks.knowledge import popular, refresh, vector_indexes
from tasks.lifecycle import archive, backup, retention
from tasks.operations import alerts, upkeep
from tasks.operations import jobs as flow
from tasks.operations.jobs import Job, Work

JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        upkeep.MAKE_PARTITIONS,
        retention.DROP_RAW,
        retention.DROP_LOGS,
        upkeep.RECONCILE_TOTALS,
        archive.MOVE_MESSAGES,
        archive.DELETE_OLD,
        alerts.KEEP_SIZES,
        alerts.EVALUATE,
        vector_indexes.MAKE_GRAPHS,
        popular.FIND,
        popular.WARM,
        refresh.REFRESH,
        backup.MAKE,
        backup.PROVE,
        media_sweep.SWEEP,
    )
}


@contextmanager
def open_work(settings: Settings, clock: Clock, resources: Resources | None = None) -> Iterator[Work]:
    """A connection of the owner's for one run."""
    with timed.Connection.connect(
        settings.need("database_admin_url"), autocommit=True, connect_timeout=5, prepare_threshold=None,
        application_name="switchboard job",
    ) as conn:  # fmt: skip
        yield Work(conn, settings, clock, resources)


@contextmanager
def _work_of(job: Job, settings: Settings, clock: Clock, resources: Resources | None) -> Iterator[Work]:
    """As the job's role: a process that holds the application role alone has no other."""
    if job.as_owner or resources is None:
        with open_work(settings, clock, resources) as work:
            yield work
        return
    with resources.db.connection() as conn:
        yield Work(conn, settings, clock, resources)


def run_due(name: str, settings: Settings, clock: Clock, resources: Resources | None = None) -> flow.Ran | None:
    """Run the job if its hour has come; None if it is done or somebody is at it, as after a second ring."""
    from tasks.operations.timetable import slot_of

    with _work_of(JOBS[name], settings, clock, resources) as work:
        slot = slot_of(work.conn, name, clock.now())
        return flow.run(JOBS[name], work, slot=slot) if slot is not None else None
