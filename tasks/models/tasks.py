"""Celery tasks of models: their prices."""

from __future__ import annotations

from tasks.models import price_sync
from tasks.operations.job_task import task_of

sync_prices = task_of(price_sync.SYNC, "Take over the list of models' prices.")
