"""The daily digest and the monthly report: made and told once a period, whatever happens meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared import faults
from shared.cache.metrics import CACHE
from shared.clock import FixedClock
from shared.embedded import Database
from shared.model import ModelAttempt
from shared.money import Price
from shared.resilience.metrics import BREAKER_CHANGES, LIMIT_TAKES
from shared.store.db.pool import Conn
from shared.store.models import prices, reports, usage
from shared.telemetry import metrics
from tasks.models import digest, monthly_report
from tasks.operations import jobs
from tasks.operations.alerts import AlertFailed
from tasks.operations.jobs import Work
from tests.factories import Bot, make_bot, settings_for
from tests.integration.command_line import Run, nothing_done

NOW = datetime(2026, 11, 28, 0, 30, tzinfo=UTC)
DAY = date(2026, 11, 27)
CALL = ModelAttempt("one", "m", "ok", 5, 1_000_000, 0)


class Webhook:
    """An alert webhook that answers with `status`. told: (webhook-id, body) of each request."""

    def __init__(self) -> None:
        self.status = 200
        self.told: list[tuple[str, dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.told.append((self.headers["webhook-id"], json.loads(body)))
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.close()


@pytest.fixture
def owner(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url, "Shoe shop")


@pytest.fixture
def work(database: Database, redis_url: str, owner: Conn, webhook: Webhook, tmp_path: Path) -> Iterator[Work]:
    config = settings_for(database, redis_url, DATA_DIR=tmp_path, ALERT_WEBHOOK_URL=webhook.url)
    yield Work(owner, config, FixedClock(NOW))
    metrics.close()
    faults.configure("", None)


def _used(conn: Conn, bot: Bot, day: date, micros: int, model: str = "m") -> None:
    prices.set_prices(conn, [prices.Named(model, "", Price(micros, 0))])
    usage.add(conn, bot.company_id, [ModelAttempt("one", model, "ok", 5, 1_000_000, 0)])
    conn.execute(
        "UPDATE usage_models SET day = %s WHERE model = %s AND day = (now() AT TIME ZONE 'UTC')::date", (day, model)
    )


def test_the_digest_tells_the_day_s_cost_errors_and_hit_rates_once(
    work: Work, owner: Conn, bot: Bot, webhook: Webhook, run: Run
) -> None:
    metrics.configure(work.settings.metrics_folder)
    CACHE.inc("results", "near", by=3)
    CACHE.inc("results", "nowhere")
    _used(owner, bot, DAY, 2_500_000)

    first, second = (jobs.run(digest.SEND, work, slot=None) for _ in range(2))

    assert first is not None
    assert second is not None
    assert (first.rows, second.rows) == (1, 0)
    [(id_, told)] = webhook.told
    assert (id_, told["type"]) == ("digest_20261127", "switchboard.digest")
    assert told["data"]["cost"]["cost_micros"] == 2_500_000
    assert told["data"]["caches"]["results"] == 0.75
    assert "counters" not in told["data"]
    assert "models cost 2.50: 1 calls, 0 failed, 0 without a price" in told["data"]["words"]
    assert run("report", "show").lines == told["data"]["words"]
    nothing_done(run("report", "show", "daily", "--period", "2026-11-26"), "no such report")
    assert run("report", "list", "--json").json[0]["period"] == f"{DAY}"

    # the next day tells what was counted since
    CACHE.inc("results", "nowhere", by=4)
    BREAKER_CHANGES.inc("send", "open")
    LIMIT_TAKES.inc("api", "key", "refused", by=2)
    made = digest.make(owner, work.settings, DAY + timedelta(days=1))
    assert (made["caches"]["results"], made["breakers_opened"]) == (0.0, {"send": 1})
    assert made["limits"] == {"api refused": 2}
    assert made["cost"]["cost_micros"] == 0


def test_killed_after_the_webhook_answered_the_same_text_comes_under_the_same_id(
    work: Work, owner: Conn, bot: Bot, webhook: Webhook
) -> None:
    _used(owner, bot, DAY, 2_500_000)
    webhook.status = 500
    with pytest.raises(AlertFailed):
        jobs.run(digest.SEND, work, slot=None)
    [kept] = reports.newest(owner, "daily")
    assert kept.told_at is None
    _used(owner, bot, DAY, 1_000_000, "later")
    webhook.told.clear()
    webhook.status = 200

    jobs.run(digest.SEND, work, slot=None)
    owner.execute("UPDATE reports SET told_at = NULL")  # as if killed before it was noted
    jobs.run(digest.SEND, work, slot=None)

    assert [(id_, told["data"]) for id_, told in webhook.told] == 2 * [
        (webhook.told[0][0], {**digest.told_of(kept), "words": digest.words(kept)})
    ]


def test_of_two_that_make_a_report_at_once_one_is_kept(owner: Conn) -> None:
    one = reports.keep(owner, "daily", DAY, {"n": 1})

    assert reports.keep(owner, "daily", DAY, {"n": 2}) == one


def test_without_a_webhook_it_is_kept_alone(database: Database, redis_url: str, owner: Conn, tmp_path: Path) -> None:
    work = Work(owner, settings_for(database, redis_url, DATA_DIR=tmp_path), FixedClock(NOW))

    jobs.run(digest.SEND, work, slot=None)

    [kept] = reports.newest(owner)
    assert (kept.kind, kept.period, kept.told_at) == ("daily", DAY, None)
    assert digest.SEND.preview(work).rows == 0


def test_the_month_stands_beside_the_one_before(work: Work, owner: Conn, bot: Bot, webhook: Webhook, run: Run) -> None:
    _used(owner, bot, date(2026, 9, 30), 1_000_000)
    _used(owner, bot, date(2026, 10, 1), 2_000_000)
    _used(owner, bot, date(2026, 10, 31), 3_000_000, "other")
    for second in range(90):
        owner.execute(
            "INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, company_id,"
            " channel_id, kind, outcome) VALUES ('2026-10-05', 's', %s, 0, '2026-10-05 10:00Z'::timestamptz +"
            " make_interval(secs => %s), 'telegram', %s, %s, %s, 'message', 'effected')",
            (f"{second}-0", second, bot.app_id, bot.company_id, bot.channel_id),
        )

    jobs.run(monthly_report.SEND, work, slot=None)
    jobs.run(monthly_report.SEND, work, slot=None)

    [(id_, told)] = webhook.told
    assert (id_, told["type"], told["data"]["period"]) == ("report_20261001", "switchboard.report", "2026-10")
    data = told["data"]
    assert (data["cost"]["cost_micros"], data["cost_before_micros"]) == (5_000_000, 1_000_000)
    assert data["by_company"] == [
        {"key": str(bot.company_id), "calls": 2, "cost_micros": 5_000_000, "before_micros": 1_000_000}
    ]
    assert [(m["key"], m["cost_micros"], m["before_micros"]) for m in data["by_model"]] == [
        ("one/other", 3_000_000, 0), ("one/m", 2_000_000, 1_000_000),
    ]  # fmt: skip
    assert (data["scaling"]["messages"], data["scaling"]["peak_messages_per_second"]) == (90, 1.0)
    assert data["scaling"]["peak_day"] == "2026-10-05"
    shown = run("report", "show", "monthly", "--period", "2026-10").lines
    assert "the month before: 1.00" in shown
    assert any(line.startswith("90 messages, 1.0 a second") for line in shown)
