"""What `celery -A workers.app` finds: the app with the workers' background threads and lifecycle."""

from __future__ import annotations

import warnings

from celery.exceptions import SecurityWarning

from tasks.app import app
from tasks.broker import forgive_lost_channels
from workers import lifecycle
from workers.hints import HintsStep
from workers.intake import IntakeStep
from workers.lease_reclaimer import LeaseReclaimerStep
from workers.load_shedding import LoadSheddingStep
from workers.stall_watchdog import StallWatchdogStep
from workers.sweeper import SweeperStep

# Celery warns every process of root because of pickle, which is never taken here (accept_content in celeryconfig):
# seven times the same in a fresh installation's logs, and nothing to change.
warnings.filterwarnings("ignore", category=SecurityWarning)

forgive_lost_channels()
app.steps["worker"].add(HintsStep)
app.steps["worker"].add(LeaseReclaimerStep)
app.steps["worker"].add(IntakeStep)
app.steps["worker"].add(LoadSheddingStep)
app.steps["worker"].add(SweeperStep)
app.steps["worker"].add(StallWatchdogStep)
lifecycle.connect()

__all__ = ["app"]
