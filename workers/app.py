"""What `celery -A workers.app` finds: the app with the workers' resident threads and lifecycle."""

from __future__ import annotations

from tasks.app import app
from workers import lifecycle
from workers.consumer import forgive_lost_channels
from workers.heirs import HeirsStep
from workers.hints import HintsStep
from workers.intake import IntakeStep
from workers.pressure import PressureStep
from workers.sweeper import SweeperStep
from workers.wedge import WedgeStep

forgive_lost_channels()
app.steps["worker"].add(HintsStep)
app.steps["worker"].add(HeirsStep)
app.steps["worker"].add(IntakeStep)
app.steps["worker"].add(PressureStep)
app.steps["worker"].add(SweeperStep)
app.steps["worker"].add(WedgeStep)
lifecycle.connect()

__all__ = ["app"]
