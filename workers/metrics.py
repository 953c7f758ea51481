"""Metrics of the fleet's processes: sweeps, background threads, stalls."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

SWEPT = Counter("swept_total", "Overdue work found by the sweeper.", ("station", "how"))
BACKGROUND_THREAD_ERRORS = Counter(
    "background_thread_errors_total", "Rounds of a background thread that failed.", ("thread",)
)
WORKERS_STALLED = Counter(
    "workers_stalled_total", "Workers that ended themselves because they took no wake-up.", ("process",)
)
