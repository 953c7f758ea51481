"""Celery tasks of models: their prices and budgets."""

from __future__ import annotations

from tasks.models import budget_check, price_sync
from tasks.operations.job_task import task_of

check_budgets = task_of(budget_check.CHECK, "Charge what nobody has settled, and compare what counts with the ledger.")
sync_prices = task_of(price_sync.SYNC, "Take over the list of models' prices.")
