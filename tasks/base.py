"""Step: the one place that logs, measures and cleans a task's errors. It retries nothing: the row does."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

import structlog
from celery import Task

from shared.errors import SwitchboardError
from shared.store.db.pool import describe
from shared.telemetry import work
from tasks import context, metrics

log = structlog.get_logger(__name__)


class StepFailed(Exception):
    """What Celery, its events and Flower see of an error: its class. psycopg's DETAIL would carry message text."""


class Step(Task):
    """Base of every task. A task is thin: policy, one call of the flow, the next wake-up."""

    abstract = True
    acks_late = False  # the row holds the work: a redelivery could only do nothing twice
    ignore_result = True
    max_retries = 0
    runs_on: str
    """The queue."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        outcome = "failed"
        with self.told():
            try:
                result = super().__call__(*args, **kwargs)
                outcome = "ok"
                if isinstance(result, str):
                    work.ended(result)
                return result
            except Exception as e:
                duration_ms = round((time.perf_counter() - started) * 1000)
                log.error("task_failed", task=self.name, duration_ms=duration_ms, exc_info=e)
                what = str(e) if isinstance(e, SwitchboardError) else describe(e)
                # `from None`: the cause's text would be pickled into the event
                work.failed(what)
                raise StepFailed(what) from None
            finally:
                metrics.TASKS.inc(self.name, outcome)
                metrics.TASK.observe(time.perf_counter() - started, self.name)

    def told(self) -> AbstractContextManager[None]:
        """Tell of this run; where it only looks for work, once it has found some."""
        return work.wakeup(self.name, self.request.id)

    @property
    def process(self) -> context.Process:
        """What this worker process holds open. Raises RuntimeError outside a worker."""
        return context.current()
