"""What `celery -A workers.app` finds: the app with the workers' resident threads and lifecycle."""

from __future__ import annotations

from kombu.transport.redis import Channel

from tasks.app import app
from workers import lifecycle
from workers.hints import HintsStep
from workers.intake import IntakeStep
from workers.sweeper import SweeperStep
from workers.wedge import WedgeStep

# A lost broker connection closes the channel, which would put rings held for their countdown back into Redis,
# over the connection that is just gone: in kombu 5.7 that is an AttributeError, and it ends the worker. Nothing needs
# to go back: the rows hold the work (docs/decisions/0001-rings-are-not-restored.md).
Channel.do_restore = False

app.steps["worker"].add(HintsStep)
app.steps["worker"].add(IntakeStep)
app.steps["worker"].add(SweeperStep)
app.steps["worker"].add(WedgeStep)
lifecycle.connect()

__all__ = ["app"]
