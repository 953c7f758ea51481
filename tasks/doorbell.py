"""Ringing: a Celery message without content says that there is work of a kind. A lost ring delays, never loses."""

from __future__ import annotations

import structlog
from celery import Task
from kombu.exceptions import OperationalError

from shared.store.pool import describe
from shared.telemetry import metrics

log = structlog.get_logger(__name__)

COUNTDOWN_MAX_S = 60.0
"""Longer countdowns do not fit under the visibility timeout; the row knows its time and the sweeper finds it."""


def ring(task: Task, times: int = 1, *, countdown_s: float = 0.0) -> int:
    """Ring `task` this often; returns how many rings went out. Never raises: the sweeper covers what is missing."""
    if countdown_s > COUNTDOWN_MAX_S:
        return 0
    for rung in range(times):
        try:
            task.apply_async(countdown=countdown_s or None)
        except (OperationalError, OSError) as e:
            # the first refusal speaks for all: a broker that is full or away would cost a timeout for each
            metrics.RINGS_LOST.inc(task.name, by=times - rung)
            log.warning("ring_lost", task=task.name, rings=times - rung, error=describe(e))
            return rung
    return times
