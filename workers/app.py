"""What `celery -A workers.app` finds: the app with the workers' resident threads and lifecycle."""

from __future__ import annotations

from tasks.app import app
from workers import lifecycle
from workers.intake import IntakeStep
from workers.sweeper import SweeperStep

app.steps["worker"].add(IntakeStep)
app.steps["worker"].add(SweeperStep)
lifecycle.connect()

__all__ = ["app"]
