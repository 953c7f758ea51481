"""Celery tasks of models: their prices and budgets, and what is told of them."""

from __future__ import annotations

from tasks.models import budget_check, digest, monthly_report, price_sync
from tasks.operations.job_task import task_of

check_budgets = task_of(budget_check.CHECK, "Charge what nobody has settled, and compare what counts with the ledger.")
sync_prices = task_of(price_sync.SYNC, "Take over the list of models' prices.")
send_digest = task_of(digest.SEND, "Tell what the day before cost, and what failed.")
send_report = task_of(monthly_report.SEND, "Tell what the month before cost, and how busy it was.")
