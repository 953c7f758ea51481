"""When somebody looks whether all is well, and what tables weigh."""

from __future__ import annotations

from tasks.job_step import job

evaluate_alerts = job("health.evaluate_alerts", "Run every check and tell what is wrong, and what is over.")
keep_sizes = job("health.keep_sizes", "Keep what each table weighs today.")
