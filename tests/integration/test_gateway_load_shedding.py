"""The last resort against a real server: nearly full, or nobody takes anything out; and it ends by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from gateway.http.load_shedding import WORDS
from shared.embedded import Database, Valkey
from shared.store.inbound import journal
from tests.factories import Bot, make_bot, settings_for, update
from tests.integration.gateway_client import RunningGateway, running_gateway
from workers.sandbox.waiting import wait_until

MEGABYTE = 1024 * 1024


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


@pytest.fixture
def valkey(make_valkey: Callable[..., Valkey]) -> Valkey:
    return make_valkey()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[Any]:
    with redis.Redis.from_url(valkey.redis_url) as client:
        yield client


@pytest.fixture
def gateway(database: Database, valkey: Valkey) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, valkey.redis_url, REFUSE_AGE_S=100.0, JOURNAL_SHARDS=16)) as running:
        yield running


def _fill(client: Any, megabytes: int) -> None:
    """So much memory is used up, piece by piece: what travels takes memory, too."""
    for number in range(64):
        if number >= megabytes:
            client.delete(f"ballast:{number}")
        elif not client.exists(f"ballast:{number}"):
            client.set(f"ballast:{number}", b"x" * 1_000_000)  # of which the allocator makes a megabyte
    most = (megabytes + 4) * MEGABYTE  # what was deleted is freed beside the commands
    wait_until(lambda: int(client.info("memory")["used_memory"]) < most, f"{megabytes} MB are used", 10)


def _look(gateway: RunningGateway) -> None:
    gateway.run(gateway.app._pages.state.edge.load_shedder.look())


def _said_ready(gateway: RunningGateway) -> tuple[int, str]:
    ready = gateway.get("/health/ready")
    return ready.status_code, ready.json()["checks"]["journal"]


REFUSES_FOR_MEMORY = 503, f"takes no webhooks: {WORDS['memory']}"
REFUSES_FOR_AGE = 503, f"takes no webhooks: {WORDS['age']}"
TAKES = 200, "ok"


def test_it_refuses_before_the_server_does_and_takes_again_well_below(
    gateway: RunningGateway, bot: Bot, client: Any
) -> None:
    client.config_set("maxmemory", 64 * MEGABYTE)
    _fill(client, 59)  # and 90 % of 64 are 57.6
    _look(gateway)

    refused = gateway.post(bot, update("too much"))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "15")
    assert journal.Reader(client, 16).backlog() == 0
    assert _said_ready(gateway) == REFUSES_FOR_MEMORY
    client.set("still", "takes writes")  # it was not the server that refused

    _fill(client, 54)  # below the bound, and not by enough
    _look(gateway)
    assert gateway.post(bot, update("not yet")).status_code == 503
    assert _said_ready(gateway) == REFUSES_FOR_MEMORY

    _fill(client, 20)
    _look(gateway)
    assert gateway.post(bot, update("again")).status_code == 200
    assert _said_ready(gateway) == TAKES


def test_it_refuses_when_what_was_accepted_is_not_taken_out(gateway: RunningGateway, bot: Bot, client: Any) -> None:
    seconds, _ = client.time()
    assert gateway.post(bot, update("before")).status_code == 200
    old = client.xadd("sb:journal:3", {"p": "telegram"}, id=f"{(seconds - 101) * 1000}-0")
    _look(gateway)
    assert gateway.post(bot, update("too far behind")).status_code == 503
    assert _said_ready(gateway) == REFUSES_FOR_AGE

    client.xdel("sb:journal:3", old)
    client.xadd("sb:journal:4", {"p": "telegram"}, id=f"{(seconds - 60) * 1000}-0")
    _look(gateway)
    assert gateway.post(bot, update("still behind")).status_code == 503

    client.delete("sb:journal:4")
    _look(gateway)
    assert gateway.post(bot, update("again")).status_code == 200
    assert _said_ready(gateway) == TAKES


def test_a_server_that_does_not_answer_the_look_changes_nothing(
    gateway: RunningGateway, bot: Bot, valkey: Valkey
) -> None:
    valkey.stop()
    _look(gateway)
    valkey.start()
    assert gateway.post(bot, update("taken")).status_code == 200
