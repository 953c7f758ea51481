"""What `celery -A workers.beat beat` finds: the app without the workers' resources, which take a second to import."""

from __future__ import annotations

import random
from typing import Any

import redis
import structlog
from celery import signals

from beat_schedule import schedule
from shared import settings
from shared.store.db.redis import connect
from shared.telemetry import log_files, logs
from tasks.app import app
from workers.ready import say_ready

log = structlog.get_logger(__name__)

PHASE = "sb:beat:phase"


def phase_of(client: redis.Redis) -> float:
    """Return this installation's place within the jitters, 0 to 1: drawn by the first beat that asks and kept in
    Redis, so that all of them start a job at the same minute. While Redis is away it is drawn anew, which does nothing
    twice: the rows know a job's hours, not its minutes."""
    drawn = random.random()
    try:
        client.set(PHASE, drawn, nx=True)
        return min(1.0, max(0.0, float(client.get(PHASE) or drawn)))
    except (redis.RedisError, ValueError) as e:
        log.warning("phase_not_known", error=type(e).__name__)
        return drawn


@signals.setup_logging.connect(weak=False)
def setup_logging(**_: Any) -> None:
    logs.configure(settings.load().system.log_level, process="beat")
    log_files.follow(settings.log_file())


@app.on_after_finalize.connect(weak=False)  # beat reads its schedule after that
def place(**_: Any) -> None:
    client = connect(settings.load().need("REDIS_URL"))
    try:
        app.conf.beat_schedule = schedule(phase_of(client))
    finally:
        client.close()


@signals.beat_init.connect(weak=False)
def beat_init(**_: Any) -> None:
    say_ready("beat")


__all__ = ["app"]
