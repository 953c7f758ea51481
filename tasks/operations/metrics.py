"""Metrics of scheduled jobs."""

from __future__ import annotations

from shared.telemetry.metrics import JOB_S, Counter, Histogram

# `scheduled`, because Prometheus has a label `job` of its own and would rename ours.
JOB_RUNS = Counter("job_runs_total", "Runs of scheduled jobs.", ("scheduled", "outcome"))
JOB = Histogram("job_seconds", "Duration of a run of a scheduled job.", ("scheduled",), buckets=JOB_S)
JOB_ROWS = Counter("job_rows_total", "Rows that scheduled jobs moved, dropped or corrected.", ("scheduled",))
