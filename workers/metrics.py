"""Metrics of the fleet's processes: sweeps, background threads, stalls."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

SWEPT = Counter("swept_total", "Overdue work found by the sweeper.", ("station", "how"))
BACKGROUND_THREAD_ERRORS = Counter(
    "background_thread_errors_total", "Rounds of a background thread that failed.", ("thread",)
)
WORK_EVENTS = Counter("work_events_total", "Events of pieces of work that were published for Flower.")
WORK_EVENTS_DROPPED = Counter(
    "work_events_dropped_total", "Reports of pieces of work that Flower will not show: too many, or the broker away."
)
WORK_EVENTS_CPU = Counter("work_events_cpu_seconds_total", "CPU time of the thread that publishes events of work.")
WORKERS_STALLED = Counter(
    "workers_stalled_total", "Workers that ended themselves because they took no wake-up.", ("process",)
)
