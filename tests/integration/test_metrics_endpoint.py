"""`GET /metrics`: closed without its token, whole with it, and answering while services are away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.embedded import Database, Valkey
from shared.settings import Settings
from shared.store.db.pool import Database as Pool
from tasks.operations import health
from tests.factories import Bot, make_bot, settings_for, update
from tests.integration.gateway_client import RunningGateway, cut_off, running_gateway
from tests.integration.station import Station
from tests.services import Services

TOKEN = "the-operators-token"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def _settings(database: Database, redis_url: str, tmp_path: Path) -> Settings:
    return settings_for(
        database, redis_url, OPS_TOKEN=TOKEN, METRICS_DIR=tmp_path / "metrics", DATABASE_POOL_TIMEOUT_S=0.5
    )


@pytest.fixture
def gateway(database: Database, redis_url: str, tmp_path: Path) -> Iterator[RunningGateway]:
    with running_gateway(_settings(database, redis_url, tmp_path)) as running:
        yield running


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


def _shown(gateway: RunningGateway) -> dict[tuple[str, ...], float]:
    answer = gateway.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name.removeprefix("switchboard_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer ä"])
def test_without_the_token_there_is_nothing_to_see(gateway: RunningGateway, header: str | None) -> None:
    headers = {"authorization": header.encode()} if header else {}

    for path in ("/metrics", "/health"):
        answer = gateway.get(path, headers=headers)

        assert answer.status_code == 401
        assert "switchboard" not in answer.text


def test_health_is_every_check_as_json_and_says_what_is_wrong(gateway: RunningGateway) -> None:
    answer = gateway.get("/health", headers=BEARER)

    assert answer.status_code == 200
    report = answer.json()
    assert set(report["checks"]) == set(health.CHECKS)
    assert {name: one["error"] for name, one in report["checks"].items() if one["error"] and name != "media"} == {}
    assert report["checks"]["sockets"]["data"] == {"event_streams": 0, "allowed": 1000}
    assert (report["ok"], report["problems"]) == (True, {})


def test_where_no_token_is_set_there_are_no_metrics(database: Database, redis_url: str) -> None:
    with running_gateway(settings_for(database, redis_url)) as gateway:
        assert gateway.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


def test_webhooks_are_counted_by_how_they_were_answered(gateway: RunningGateway, bot: Bot) -> None:
    statuses = [
        gateway.post(bot, update("hello")),
        gateway.post(bot, update("hello")),
        gateway.post(bot, update("hello"), headers={}),
        gateway.post(bot, update("hello"), path="/webhooks/pigeon/post"),
    ]

    shown = _shown(gateway)

    assert [answer.status_code for answer in statuses] == [200, 200, 401, 404]
    assert shown["webhooks_total", "telegram", "200"] == 2
    assert shown["webhooks_total", "telegram", "401"] == 1
    assert shown["webhooks_total", "unknown", "404"] == 1
    assert shown["journal_append_seconds_count",] == 2
    assert shown["webhook_seconds_count", "telegram"] == 3


def test_other_requests_are_timed_by_who_answers_them(gateway: RunningGateway, bot: Bot) -> None:
    gateway.get("/api/v1/conversations/17/messages")
    gateway.get("/nowhere/4711")

    shown = _shown(gateway)

    assert shown["http_request_seconds_count", "inbox.list_messages", "401"] == 1
    assert shown["http_request_seconds_count", "none", "404"] == 1
    assert not any("4711" in part for key in shown for part in key)


def test_the_state_of_journal_queues_and_tables_is_asked_for(
    gateway: RunningGateway, bot: Bot, database: Database, redis_url: str
) -> None:
    station = Station(database, redis_url)
    try:
        station.receive(bot, "hello")
        gateway.post(bot, update("still in the journal"))
        station.inbox.client.rpush("sb:celery:reply", "a wake-up", "another")
        station.execute("UPDATE turns SET due_at = now() - interval '90 seconds'")
        station.execute("UPDATE channels SET state = 'needs_reauth'")
        station.execute("INSERT INTO jobs (name, slot, failures) VALUES ('lifecycle.drop_raw_requests', now(), 2)")
        station.execute(
            "INSERT INTO job_runs (name, started_by, outcome, finished_at) VALUES"
            " ('lifecycle.drop_raw_requests', 'timetable', 'done', to_timestamp(1700000000)),"
            " ('lifecycle.drop_raw_requests', 'timetable', 'failed', now())"
        )
        station.execute("INSERT INTO table_sizes VALUES (current_date, 'messages', 4096, 1)")
        station.execute(
            "INSERT INTO imports (company_id, source, name, kind, due_at)"
            " SELECT id, 'x', 'x', 'file', now() - interval '1 minute' FROM companies"
        )
    finally:
        station.close()

    shown = _shown(gateway)

    assert shown["journal_backlog_entries",] == 1
    assert shown["queue_depth_messages", "reply"] == 2
    assert shown["overdue_turns",] == 1
    assert 90 <= shown["overdue_turn_age_seconds",] < 300
    assert (shown["overdue_parts",], shown["dead_letters",], shown["unknown_outcomes",]) == (0, 0, 0)
    assert shown["needing_reauth_channels",] == 1
    assert shown["overdue_background_rows", "imports"] == 1
    assert 60 <= shown["overdue_background_age_seconds", "imports"] < 300
    assert shown["overdue_background_rows", "media"] == 0
    assert shown["job_done_timestamp_seconds", "lifecycle.drop_raw_requests"] == 1_700_000_000
    assert shown["job_failures_in_a_row_runs", "lifecycle.drop_raw_requests"] == 2
    assert shown["table_size_bytes", "messages"] == 4096
    assert shown["database_size_bytes",] > 1_000_000
    assert 0 < shown["database_used_connections",] <= shown["database_allowed_connections",]
    assert shown["redis_used_bytes", "journal"] > 0
    assert {shown["service_reachable_bool", name] for name in ("journal", "broker", "database")} == {1}


def test_while_the_journal_is_away_the_rest_is_still_shown(
    database: Database, bot: Bot, make_valkey: Callable[..., Valkey], tmp_path: Path
) -> None:
    valkey = make_valkey()
    with running_gateway(_settings(database, valkey.redis_url, tmp_path)) as gateway:
        valkey.stop()
        assert gateway.post(bot, update("hello")).status_code == 503

        shown = _shown(gateway)

    assert shown["service_reachable_bool", "journal"] == 0
    assert shown["service_reachable_bool", "database"] == 1
    assert shown["webhooks_total", "telegram", "503"] == 1
    assert "journal_backlog_entries" not in {name for name, *_ in shown}


def test_while_the_database_is_away_the_rest_is_still_shown(
    gateway: RunningGateway, bot: Bot, services: Services, database: Database
) -> None:
    with cut_off(services, database):
        shown = _shown(gateway)

    assert shown["service_reachable_bool", "database"] == 0
    assert shown["journal_backlog_entries",] == 0


def test_statements_are_timed_by_their_names(gateway: RunningGateway, bot: Bot, database: Database) -> None:
    _shown(gateway)
    pool = Pool(database.url, max_size=1, timeout_s=5)
    pool.open()
    with pytest.raises(psycopg.errors.DivisionByZero), pool.transaction() as conn:
        conn.execute("/* test.fail */ SELECT 1/0")
    pool.close()

    shown = _shown(gateway)

    assert shown["sql_seconds_count", "state.of_database"] >= 1
    assert shown["sql_seconds_count", "commit"] >= 1
    assert shown["sql_failed_total", "22012", "test.fail"] == 1
    assert ("sql_seconds_count", "unnamed") not in shown  # all of ours are named


def test_many_scrapes_look_once(gateway: RunningGateway, bot: Bot) -> None:
    before = _shown(gateway)
    gateway.post(bot, update("hello"))

    answers: list[httpx.Response] = gateway.together(
        [gateway.ask("GET", "/metrics", headers=BEARER) for _ in range(20)]
    )

    assert {answer.status_code for answer in answers} == {200}
    # what was looked at a moment ago is shown again; what was counted is counted at once
    assert before["journal_backlog_entries",] == 0
    assert all("switchboard_journal_backlog_entries 0.0" in answer.text for answer in answers)
    assert all('switchboard_webhooks_total{platform="telegram",status="200"} 1.0' in a.text for a in answers)
