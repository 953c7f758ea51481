"""How a worker's consumer outlives its broker: Celery's pauses between attempts leave it deaf for half a minute.
What is changed of kombu stands in tasks/broker.py."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

PAUSE_START_S, PAUSE_STEP_S, PAUSE_MAX_S = 0.2, 0.3, 2.0
"""Between attempts to reach the broker. Celery's own grow by 2 s up to 30 s: after an outage of a minute nobody would
hear a wake-up for half a minute, and as the wake-ups go out, the sweepers would not work by hand either."""


class Consumer(CeleryConsumer):
    """Celery's, with short pauses between attempts to connect (`worker_consumer`)."""

    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = partial(
            conn.ensure_connection, interval_start=PAUSE_START_S, interval_step=PAUSE_STEP_S, interval_max=PAUSE_MAX_S
        )
        return super().ensure_connected(conn)
