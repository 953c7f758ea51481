"""The Celery app. `workers.app` is what `celery -A` finds; it adds the worker's resident threads."""

from __future__ import annotations

from celery import Celery

STATIONS = (
    "reply", "deliver", "channels", "unread", "index", "media", "maintenance", "retention", "archive", "health",
)  # fmt: skip

app = Celery("switchboard", include=[f"tasks.{station}" for station in STATIONS])
app.config_from_object("celeryconfig")  # read when first needed, not at import
