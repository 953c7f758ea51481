"""`/health/ready` needs no key, so asking it often must not cost what webhooks need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from shared.embedded import Database
from tests.factories import make_bot, settings_for, update
from tests.integration.gateway_client import RunningGateway, running_gateway

MANY = 300
WRITERS_CONNECTIONS = 8


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url)) as running:
        yield running


def test_many_who_ask_share_one_look(gateway: RunningGateway, database: Database, redis_url: str) -> None:
    bot = make_bot(database.admin_url)
    asked = [gateway.ask("GET", "/health/ready") for _ in range(MANY)]
    with redis.Redis.from_url(redis_url) as client:

        def written() -> int:
            return int(client.info("commandstats").get("cmdstat_xadd", {"calls": 0})["calls"])

        before = written()
        answers = gateway.together([*asked, *(gateway.webhook(bot, update(f"hello {n}")) for n in range(50))])
        writes_and_looks = written() - before

    assert {answer.status_code for answer in answers} == {200}
    assert writes_and_looks < 50 + MANY / 10


def test_readiness_takes_no_connection_of_the_writer(gateway: RunningGateway, database: Database) -> None:
    assert gateway.post(make_bot(database.admin_url), update("hello")).status_code == 200
    pool: Any = gateway.app._pages.state.edge.redis.connection_pool

    async def take_all() -> list[Any]:
        return [await pool.get_connection() for _ in range(WRITERS_CONNECTIONS)]

    async def give_back(taken: list[Any]) -> None:
        for connection in taken:
            await pool.release(connection)

    taken = gateway.run(take_all())
    try:
        assert gateway.get("/health/ready").status_code == 200
    finally:
        gateway.run(give_back(taken))
