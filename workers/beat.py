"""What `celery -A workers.beat beat` finds: the app without the workers' resources, which take a second to import."""

from __future__ import annotations

import random
from typing import Any

from celery import signals

from beat_schedule import schedule
from shared import settings
from shared.telemetry import logs
from tasks.app import app
from workers.ready import say_ready

app.conf.beat_schedule = schedule(random.random())


@signals.setup_logging.connect(weak=False)
def setup_logging(**_: Any) -> None:
    logs.configure(settings.load().system.log_level, process="beat")


@signals.beat_init.connect(weak=False)
def beat_init(**_: Any) -> None:
    say_ready("beat")


__all__ = ["app"]
