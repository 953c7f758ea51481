"""Celery tasks, wake-ups, and the work that they led to."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

TASKS = Counter("tasks_total", "Celery tasks run.", ("task", "outcome"))
TASK = Histogram("task_seconds", "Runtime of a Celery task.", ("task",), buckets=STAGE_S)
PIECES = Counter("pieces_total", "Turns and parts that were worked on, by result.", ("station", "outcome"))
WAKEUPS = Counter("wakeups_total", "Wake-ups that the broker accepted.", ("task",))
WAKEUPS_COALESCED = Counter(
    "wakeups_coalesced_total", "Wake-ups not sent because one for the same task was on its way.", ("task",)
)
WAKEUPS_LOST = Counter("wakeups_lost_total", "Wake-ups that the broker did not accept.", ("task",))
