"""Ringing: a Celery message without content says that there is work of a kind, however much. A lost one only delays."""

from __future__ import annotations

import structlog
from celery import Task
from kombu.exceptions import OperationalError

from shared.store.db.pool import describe
from shared.telemetry import metrics

log = structlog.get_logger(__name__)

COUNTDOWN_MAX_S = 60.0
"""Longer countdowns do not fit under the visibility timeout; the row knows its time and the sweeper finds it."""


def ring(task: Task, *, countdown_s: float = 0.0) -> bool:
    """Ring `task`; whether the ring went out. Never raises: the sweeper covers what is missing."""
    if countdown_s > COUNTDOWN_MAX_S:
        return False
    try:
        task.apply_async(countdown=countdown_s or None)
    except (OperationalError, OSError) as e:
        metrics.RINGS_LOST.inc(task.name)
        log.warning("ring_lost", task=task.name, error=describe(e))
        return False
    metrics.RINGS.inc(task.name)
    return True
