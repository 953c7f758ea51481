"""The edge while what it depends on is away, full or hanging: nothing accepted is lost, 503 is the last resort."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
import redis

from gateway.api import liveness
from shared.embedded import Database, Valkey
from shared.store.inbound import journal, journal_writer
from tests.factories import Bot, make_bot, settings_for, update
from tests.integration.gateway_client import RunningGateway, cut_off, running_gateway
from tests.services import Services
from workers.sandbox.waiting import wait_until

WRITE_TIMEOUT_S = 0.3
POOL_TIMEOUT_S = 0.5


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


@pytest.fixture
def valkey(make_valkey: Callable[..., Valkey]) -> Valkey:
    return make_valkey()


@pytest.fixture
def gateway(database: Database, valkey: Valkey) -> Iterator[RunningGateway]:
    with running_gateway(_settings(database, valkey.redis_url)) as running:
        yield running


def _settings(database: Database, redis_url: str, **values: Any) -> Any:
    bounds = {"JOURNAL_WRITE_TIMEOUT_S": WRITE_TIMEOUT_S, "DATABASE_POOL_TIMEOUT_S": POOL_TIMEOUT_S}
    return settings_for(database, redis_url, **{**bounds, **values})


def _backlog(valkey: Valkey) -> int:
    with redis.Redis.from_url(valkey.redis_url) as client:
        return journal.Reader(client, 16).backlog()


def _must_retry(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1


@contextmanager
def _hanging(valkey: Valkey) -> Iterator[None]:
    """The server takes connections and bytes and answers nothing."""
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(valkey.pid, signal.SIGCONT)


@pytest.fixture(autouse=True)
def _readiness_looks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each question, where a gateway keeps what it saw for a second."""
    monkeypatch.setattr(liveness, "KEPT_S", 0.0)


def test_a_journal_that_is_away_means_503_until_it_is_back(gateway: RunningGateway, bot: Bot, valkey: Valkey) -> None:
    assert gateway.post(bot, update("before")).status_code == 200

    valkey.stop()
    assert _must_retry(gateway.post(bot, update("meanwhile")))
    assert gateway.get("/health/ready").status_code == 503
    assert gateway.get("/health/live").status_code == 200

    valkey.start()
    assert gateway.post(bot, update("after")).status_code == 200
    assert gateway.get("/health/ready").status_code == 200
    assert _backlog(valkey) == 2


def _fill(client: redis.Redis) -> None:
    """Until nothing more goes in."""
    try:
        while True:
            client.append("filling", "x" * 256 * 1024)
    except redis.exceptions.OutOfMemoryError:
        return


def test_a_journal_that_is_full_means_503_and_not_ready_until_there_is_room(
    database: Database, make_valkey: Callable[..., Valkey], bot: Bot
) -> None:
    valkey = make_valkey(maxmemory_bytes=8 * 1024 * 1024)
    with running_gateway(_settings(database, valkey.redis_url)) as gateway:
        with redis.Redis.from_url(valkey.redis_url) as client:
            assert gateway.get("/health/ready").status_code == 200
            _fill(client)

            ready = gateway.get("/health/ready")
            full = "takes no webhooks: Redis has no memory left (maxmemory) (OutOfMemoryError)"
            assert (ready.status_code, ready.json()["checks"]["journal"]) == (503, full)
            assert _must_retry(gateway.post(bot, update("meanwhile")))

            client.delete("filling")
            assert gateway.get("/health/ready").status_code == 200
            assert gateway.post(bot, update("after")).status_code == 200
            assert client.exists(journal_writer.PROBE) == 0
        assert _backlog(valkey) == 1


def test_a_journal_that_hangs_keeps_nobody_waiting(gateway: RunningGateway, bot: Bot, valkey: Valkey) -> None:
    assert gateway.post(bot, update("before")).status_code == 200

    with _hanging(valkey):
        answers = gateway.together([gateway.webhook(bot, update("meanwhile", chat=n)) for n in range(20)])
        assert all(map(_must_retry, answers))
        assert gateway.get("/health/ready").status_code == 503

    assert gateway.post(bot, update("after")).status_code == 200


def test_a_long_queue_at_a_hanging_journal_is_refused_as_soon_as_a_short_one(valkey: Valkey) -> None:
    """Batch after batch would wait for its own timeout: forty of them, twelve seconds."""

    async def crowd() -> list[BaseException | str]:
        client = journal_client(valkey.redis_url)
        writer = journal_writer.Writer(client, 16, max_waiting_bytes=2**30, timeout_s=WRITE_TIMEOUT_S)
        with _hanging(valkey):
            asks = [writer.append(1, str(n), "telegram", 0, b"{}") for n in range(40 * journal_writer.PIPELINE_ENTRIES)]
            async with asyncio.timeout(6):
                answers = await asyncio.gather(*asks, return_exceptions=True)
        await client.aclose()
        return answers

    answers = asyncio.run(crowd())

    assert {type(answer).__name__ for answer in answers} == {"JournalUnavailable"}


def test_requests_that_arrive_together_share_round_trips(database: Database, bot: Bot, valkey: Valkey) -> None:
    patient = _settings(database, valkey.redis_url, JOURNAL_WRITE_TIMEOUT_S=20.0)  # two hundred keep a busy core busy
    with running_gateway(patient) as gateway, redis.Redis.from_url(valkey.redis_url) as client:
        gateway.post(bot, update("warm"))
        reads_before = client.info("stats")["total_reads_processed"]

        answers = gateway.together([gateway.webhook(bot, update("hi", chat=n)) for n in range(200)])

        reads = client.info("stats")["total_reads_processed"] - reads_before
        writes = client.info("commandstats")["cmdstat_xadd"]["calls"]
    assert {answer.status_code for answer in answers} == {200}
    assert writes == 201
    assert reads < 50


def test_with_the_database_down_known_bots_are_taken_and_strangers_retry(
    services: Services, database: Database, valkey: Valkey, bot: Bot
) -> None:
    stranger = make_bot(database.admin_url)
    with running_gateway(_settings(database, valkey.redis_url, APP_CACHE_TTL_S=0)) as gateway:
        assert gateway.post(bot, update("before")).status_code == 200

        with cut_off(services, database) as open_again:
            # what is known is old by now, and still counts
            assert [gateway.post(bot, update(f"meanwhile {n}")).status_code for n in range(3)] == [200] * 3
            assert gateway.post(bot, update("forged"), headers={}).status_code == 401
            assert _must_retry(gateway.post(stranger, update("meanwhile")))
            ready = gateway.get("/health/ready")
            assert (ready.status_code, ready.json()["checks"]["database"]) == (200, "unavailable")
            open_again()

        wait_until(lambda: gateway.post(stranger, update("after")).status_code == 200, "the gateway takes it again", 15)
        assert gateway.get("/health/ready").json()["checks"]["database"] == "ok"
    assert _backlog(valkey) == 5


def test_a_gateway_that_starts_without_its_database_serves_once_it_is_back(
    services: Services, database: Database, valkey: Valkey, bot: Bot
) -> None:
    with cut_off(services, database) as open_again, running_gateway(_settings(database, valkey.redis_url)) as gateway:
        ready = gateway.get("/health/ready")
        assert (ready.status_code, ready.json()["ok"]) == (503, False)
        assert "this gateway knows no app yet" in ready.json()["checks"]["database"]
        assert _must_retry(gateway.post(bot, update("early")))

        open_again()

        wait_until(lambda: gateway.post(bot, update("late")).status_code == 200, "the gateway takes it again", 15)
        assert gateway.get("/health/ready").status_code == 200


def test_a_grant_that_was_lost_is_no_reason_to_refuse_known_bots(database: Database, valkey: Valkey, bot: Bot) -> None:
    with running_gateway(_settings(database, valkey.redis_url, APP_CACHE_TTL_S=0)) as gateway:
        gateway.post(bot, update("before"))
        stranger = make_bot(database.admin_url)
        with psycopg.connect(database.admin_url, autocommit=True) as conn:
            conn.execute("REVOKE SELECT ON apps FROM switchboard_app")

        assert gateway.post(bot, update("meanwhile")).status_code == 200
        assert _must_retry(gateway.post(stranger, update("meanwhile")))


def test_many_made_up_bots_bury_neither_the_database_nor_the_real_ones(
    database: Database, valkey: Valkey, bot: Bot
) -> None:
    with running_gateway(_settings(database, valkey.redis_url, APP_CACHE_TTL_S=0)) as gateway:
        assert gateway.post(bot, update("before")).status_code == 200
        made_up = [gateway.webhook(bot, {}, path=f"/webhooks/telegram/made-up-{n}") for n in range(1000)]
        real = [gateway.webhook(bot, update("hello", chat=n)) for n in range(20)]

        answers = gateway.together([*made_up, *real])

        assert {answer.status_code for answer in answers[:1000]} == {404, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
        assert {answer.status_code for answer in answers[1000:]} == {200}
        with psycopg.connect(database.admin_url) as conn:
            [(connections,)] = conn.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'switchboard gateway%'"
                " AND datname = current_database()"
            )
        assert connections <= 3


def journal_client(url: str) -> Any:
    from shared.store.db.redis import connect_async

    return connect_async(url, socket_timeout_s=WRITE_TIMEOUT_S)
