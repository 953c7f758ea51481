"""A worker's consumer and a broker that goes away, on a real Redis."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from celery import Celery
from kombu.utils import functional

from shared.embedded.ports import choose_port
from tasks.broker import forgive_lost_channels
from workers.consumer import PAUSE_MAX_S, Consumer

kombu: Any = importlib.import_module("kombu")  # half of it is typed
WAKEUPS = kombu.Queue("test-wakeups", kombu.Exchange("test-wakeups"), routing_key="test-wakeups")


class Enough(Exception):
    pass


def test_a_wake_up_that_outlived_its_connection_is_acknowledged_without_harm(redis_url: str) -> None:
    forgive_lost_channels()
    held: list[Any] = []
    connection = kombu.Connection(redis_url)
    with connection.channel() as channel:
        kombu.Producer(channel, WAKEUPS.exchange, WAKEUPS.routing_key, auto_declare=True).publish({}, declare=[WAKEUPS])
        with kombu.Consumer(channel, WAKEUPS, callbacks=[lambda _, message: held.append(message)]):
            connection.drain_events(timeout=5)
    connection.release()

    held[0].ack()

    assert held[0].acknowledged
    with kombu.Connection(redis_url) as another, another.channel() as channel:
        assert channel.client.hlen("unacked") == 1  # given out once more after the visibility timeout


def test_a_broker_that_is_away_is_asked_again_every_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 40:
            raise Enough

    monkeypatch.setattr(functional, "sleep", pause)
    consumer = Consumer.__new__(Consumer)
    consumer.app = Celery(set_as_current=False)
    consumer.app.conf.broker_connection_retry_on_startup = True
    consumer.first_connection_attempt = False
    consumer.broker_connection_retry_attempt = 0
    with pytest.raises(Enough):
        consumer.ensure_connected(kombu.Connection(f"redis://127.0.0.1:{choose_port(None)}/0"))

    assert sum(pauses[-8:]) <= 8 * PAUSE_MAX_S / 2  # each pause is slept second by second, and its remainder
