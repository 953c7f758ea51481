"""The Celery app. `workers.app` is what `celery -A` finds; it adds the worker's background threads."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task

DOMAINS = ("operations", "tenants", "models", "inbox", "inbound", "delivery", "answers", "knowledge", "lifecycle")

app = Celery("switchboard", include=[f"tasks.{domain}.tasks" for domain in DOMAINS])
app.config_from_object("celeryconfig")  # read when first needed, not at import


def route(
    name: str, args: object, kwargs: object, options: dict[str, Any], task: Task | None = None, **_: Any
) -> dict[str, str] | None:
    """The queue of a task, which it names where it is declared (`runs_on`). For Celery's setting task_routes."""
    queue = getattr(task or app.tasks.get(name), "runs_on", None)
    return None if queue is None else {"queue": queue}
