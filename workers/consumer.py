"""How a worker's consumer outlives its broker: what Celery and kombu do on Redis ends workers and leaves them deaf."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.transport import redis, virtual

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


class ForgivingQoS(redis.QoS):
    """A wake-up that waits out its countdown in this process may find its channel gone when it is acknowledged. kombu
    5.7 then makes a pool from a connection that is None: an AttributeError, which ends the worker."""

    def ack(self, delivery_tag: str) -> None:
        if self.channel.connection is None:
            # forgotten here; Redis gives it out once more, and it finds nothing to do
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
        else:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]


def forgive_lost_channels() -> None:
    """Called once, by workers.app."""
    # A lost broker connection closes the channel, which would put wake-ups held for their countdown back into Redis,
    # over the connection that is just gone: in kombu 5.7 that is an AttributeError as well. Nothing needs to go back:
    # the rows hold the work (docs/decisions/0001-rings-are-not-restored.md).
    redis.Channel.do_restore = False
    redis.Channel.QoS = ForgivingQoS
