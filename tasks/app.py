"""The Celery app. `workers.app` is what `celery -A` finds; it adds the worker's background threads."""

from __future__ import annotations

from celery import Celery

DOMAINS = ("operations", "tenants", "inbox", "inbound", "delivery", "answers", "knowledge", "lifecycle")

app = Celery("switchboard", include=[f"tasks.{domain}.tasks" for domain in DOMAINS])
app.config_from_object("celeryconfig")  # read when first needed, not at import
