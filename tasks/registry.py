"""All jobs by their names. Whoever adds a job adds it here, to beat_schedule.py and as a task of its domain."""

from __future__ import annotations

from tasks.answers import returns
from tasks.inbox import media_sweep, unread
from tasks.knowledge import identifiers, popular, refresh, vector_indexes
from tasks.lifecycle import archive, backup, retention
from tasks.models import budget_check, digest, monthly_report, price_sync
from tasks.operations import alerts, indexes, partitions
from tasks.operations.jobs import Job

JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        partitions.MAKE_PARTITIONS,
        retention.DROP_RAW,
        retention.DROP_LOGS,
        returns.RETURN,
        unread.RECONCILE,
        budget_check.CHECK,
        archive.MOVE_MESSAGES,
        archive.DELETE_OLD,
        alerts.KEEP_SIZES,
        alerts.EVALUATE,
        price_sync.SYNC,
        digest.SEND,
        monthly_report.SEND,
        indexes.REBUILD,
        vector_indexes.BUILD_VECTOR_INDEXES,
        popular.FIND,
        popular.WARM,
        refresh.REFRESH,
        identifiers.FIND_IDENTIFIERS,
        backup.MAKE,
        backup.PROVE,
        media_sweep.SWEEP,
    )
}
