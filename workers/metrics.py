"""Metrics of the fleet's processes: sweeps, background threads, stalls."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

SWEPT = Counter("swept_total", "Overdue work found by the sweeper.", ("station", "how"))
BACKGROUND_THREAD_ERRORS = Counter(
    "background_thread_errors_total", "Failed rounds of background threads.", ("thread",)
)
WORK_EVENTS = Counter("work_events_total", "Events of pieces of work that were published for Flower.")
WORK_EVENTS_DROPPED = Counter(
    "work_events_dropped_total", "Events of pieces of work that were dropped: too many, or the broker unavailable."
)
WORK_EVENTS_CPU = Counter("work_events_cpu_seconds_total", "CPU time of the thread that publishes events of work.")
WORKERS_STALLED = Counter(
    "workers_stalled_total", "Workers that the stall watchdog ended, because they took no wake-ups.", ("process",)
)
