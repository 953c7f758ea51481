"""The broker as Celery uses it, in one place: queues and their exchange, how Redis is spoken to, and what of kombu's
Redis transport is changed, each with its reason. Here is what is kombu's; workers/consumer.py has what is Celery's.

Messages are wake-ups without content: losing one delays work, doubling one does nothing. So nothing here is about
keeping messages, and all of it about processes that outlive their broker.
"""

from __future__ import annotations

from typing import Any

from kombu.entity import Queue
from kombu.transport import redis, virtual
from kombu.utils.json import dumps

from shared import queues
from shared.settings import Settings


def declared_queues() -> list[Queue]:
    """The queues of the fleet (`task_queues`), one a kind of worker.

    Without an exchange of their own, so that Celery publishes to a queue by its name through the default one: kombu
    pushes to its list at once, without asking Redis first which queues are bound to an exchange.
    """
    return [Queue(name) for name in queues.ALL]  # type: ignore[no-untyped-call]


def transport_options(config: Settings) -> dict[str, Any]:
    """How Redis is spoken to (`broker_transport_options`)."""
    return {
        "global_keyprefix": queues.REDIS_PREFIX,
        # Redelivery is not our safety net, the rows are; but it must stay above the longest countdown (60 s).
        "visibility_timeout": config.redis.visibility_timeout_s,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,  # the default of 10 turned 5 s into 101 s
        # kombu passes no timeout by itself: a publish could hang for ever
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry_on_timeout": False,  # it would replay an LPUSH
    }


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


class CountingChannel(redis.Channel):
    """A channel that keeps how many were subscribed when it last published, which Redis says and kombu throws away:
    what is published between a broker's restart and Flower's next subscription is lost."""

    listeners = 0

    def _put_fanout(self, exchange: str, message: object, routing_key: str, **_: object) -> None:
        topics = self._get_publish_topics(exchange, routing_key)  # type: ignore[no-untyped-call]
        payload = dumps(message)  # type: ignore[no-untyped-call]
        with self.conn_or_acquire() as client:
            self.listeners = sum(client.publish(topic, payload) for topic in topics)


def count_listeners(connection: Any) -> None:
    """Have this connection's channels be CountingChannels, where its broker is Redis. Before it connects, which opens
    the first one."""
    if isinstance(connection.transport, redis.Transport):
        connection.transport.Channel = CountingChannel
