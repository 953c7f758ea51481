"""The Celery app. `workers.app` is what `celery -A` finds; it adds the worker's resident threads."""

from __future__ import annotations

from celery import Celery

app = Celery(
    "switchboard",
    include=[
        "tasks.reply",
        "tasks.deliver",
        "tasks.channels",
        "tasks.unread",
        "tasks.index",
        "tasks.media",
        "tasks.maintenance",
    ],
)
app.config_from_object("celeryconfig")  # read when first needed, not at import
