"""Health: a registry of checks, what is wrong told once and its end, and who may see it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shared.clock import FixedClock
from shared.embedded import Database
from shared.knowledge import search
from shared.store.knowledge import embeddings, index_audit
from shared.store.operations import alerts as store
from shared.store.operations import vitals
from tasks.operations import alerts, health, jobs
from tasks.operations.health import CheckContext, CheckResult, Problem
from tasks.operations.jobs import Work
from tests.factories import make_bot, settings_for
from tests.integration import history

SECRET = "whsec_" + base64.b64encode(b"a secret of ours").decode()


class Receiver(http.server.ThreadingHTTPServer):
    """Somebody's webhook. got: (headers, body) of what it took. status: what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def work(database: Database, redis_url: str, receiver: Receiver) -> Iterator[Work]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        config = settings_for(
            database, redis_url, ALERT_WEBHOOK_URL=receiver.url, ALERT_WEBHOOK_SECRET=SECRET,
        )  # fmt: skip
        yield Work(conn, config, FixedClock(datetime.now(UTC)))


def _evaluate(work: Work) -> jobs.Ran:
    ran = jobs.run(alerts.EVALUATE, work, slot=None, by="hand")
    assert ran is not None
    return ran


def _told(receiver: Receiver) -> list[tuple[str, str]]:
    """(key, state) of every alert that was posted."""
    return [(alert["key"], alert["state"]) for _, body in receiver.got for alert in json.loads(body)["data"]["alerts"]]


def _dead_letter(conn: psycopg.Connection) -> None:
    conn.execute(
        "INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, kind, outcome)"
        " VALUES (current_date, 's', '1-0', 0, now(), 'telegram', 1, 'other', 'dead_letter')"
    )


def test_every_check_finds_something_out_and_a_well_system_has_no_problem(work: Work, database: Database) -> None:
    history.write(work.conn, make_bot(database.admin_url), "5", 20)

    found = alerts.look(work.conn, work.settings, work.clock.now())

    assert set(found) == set(health.CHECKS)
    errors = {name: one.error for name, one in found.items() if one.error}
    assert set(errors) <= {"media", "sockets"}, f"no folder for attachments and no gateway here: {errors}"
    assert health.problems(found) == {}
    tables = found["tables"].data
    assert tables is not None
    assert tables["messages"]["bytes"] > 0


def test_vectors_that_are_missing_and_an_index_that_misses_are_told(work: Work, database: Database) -> None:
    bot = make_bot(database.admin_url)
    embeddings.ensure_model(work.conn, "m", 8)
    search.add(work.conn, bot.company_id, source="faq", title="Refunds", text="A refund takes five days.")
    work.conn.execute("UPDATE indexing SET due_at = now() - interval '1 hour'")

    def told() -> set[str]:
        found = health.problems(alerts.look(work.conn, work.settings, work.clock.now()))
        return {key for key in found if key.startswith(("embedding_models.", "recall."))}

    assert told() == {"embedding_models.half.m"}, "it ranks, and never had all vectors"

    work.conn.execute("UPDATE embedding_models SET filled_at = now()")
    assert told() == {"embedding_models.behind.m"}

    work.conn.execute("UPDATE indexing SET error = 'ModelUnavailable', due_at = now()")
    index_audit.record(work.conn, bot.company_id, recall=0.94, questions=20, ef_search=400)
    assert told() == {"embedding_models.failing.m", "recall.low"}

    work.conn.execute("UPDATE indexing SET error = NULL, done = true")
    index_audit.record(work.conn, bot.company_id, recall=0.96, questions=20, ef_search=400)
    assert told() == set()


def test_late_documents_an_overload_and_a_used_up_budget_are_told_as_the_gateway_sees_them(
    work: Work, database: Database
) -> None:
    bot, other = make_bot(database.admin_url), make_bot(database.admin_url)
    work.conn.execute("UPDATE companies SET daily_token_budget = 1000")
    work.conn.execute(
        "INSERT INTO usage_daily (company_id, day, tokens_in) VALUES (%s, (now() AT TIME ZONE 'UTC')::date, 900),"
        " (%s, (now() AT TIME ZONE 'UTC')::date, 1000)",
        (bot.company_id, other.company_id),
    )
    work.conn.execute("UPDATE overload SET companies = %s, per_s = 2, clear_s = 90",
                      (json.dumps({bot.company_id: [2, 0, 20, 0, 0]}),))  # fmt: skip
    work.conn.execute(
        "INSERT INTO imports (company_id, kind, source, name, due_at)"
        " VALUES (%s, 'page', 'https://a.example/', 'a', now() - interval '1 hour')",
        (bot.company_id,),
    )
    with psycopg.connect(database.url, autocommit=True) as app:
        found = health.examine(CheckContext(work.settings, work.clock.now(), app, None, None, None))

    assert found["budgets"].data == {"bound": 2, "near": 1, "beyond": 1, "drifted": 0}
    assert found["overload"].data == {
        "clear_s": 90.0,
        "per_s": 2.0,
        "companies": {"cheaper": 0, "passages": 1, "handover": 0},
    }
    assert {"budgets.beyond", "overload.short", "background.late.imports"} <= set(health.problems(found))


def test_a_check_that_goes_wrong_ends_itself_and_no_other(work: Work) -> None:
    def broken(visit: CheckContext) -> CheckResult:
        assert visit.conn is not None
        visit.conn.execute("SELECT 1 / 0")
        raise AssertionError

    with work.conn.transaction():
        visit = CheckContext(work.settings, work.clock.now(), work.conn, None, None, None)
        found = health.examine(visit, {"broken": broken, "size": health.CHECKS["database_size"],
                                       "journal": health.CHECKS["journal"]})  # fmt: skip

    assert found["broken"].error == "DivisionByZero(22012)"
    assert found["size"].error is None
    assert found["journal"].error == "away"
    assert list(health.problems(found)) == ["broken.unreachable"]


def test_a_database_near_its_quota_an_old_job_s_failure_and_a_growing_table_are_told(work: Work) -> None:
    tight = replace(work, settings=work.settings.changed(DATABASE_QUOTA_BYTES=1_000_000))
    work.conn.execute("INSERT INTO jobs (name, slot) VALUES ('a.job', now())")
    work.conn.execute("INSERT INTO job_runs (name, started_by, outcome, error) VALUES ('a.job', 'hand', 'failed', 'X')")
    jobs.run(alerts.KEEP_SIZES, work, slot=None, by="hand")
    work.conn.execute("UPDATE table_sizes SET bytes = bytes - 8192 WHERE name = 'messages'")

    found = alerts.look(work.conn, tight.settings, work.clock.now())

    assert set(health.problems(found)) == {"database_size.quota", "jobs.failed.a.job"}
    tables = found["tables"].data
    assert tables is not None
    assert tables["messages"]["grew_bytes"] == 8192
    assert jobs.run(alerts.KEEP_SIZES, work, slot=None, by="hand") is not None
    assert vitals.sizes_on_newest_day(work.conn).day == work.clock.now().date()


def test_a_balance_that_does_not_close_or_that_nobody_takes_is_told(work: Work) -> None:
    taken = (
        "INSERT INTO balance_checks (taken_at, received, stored, redrives, in_flight, oldest_s)"
        " VALUES (now() - make_interval(secs => %s), 10, %s, 0, 1, 0)"
    )
    found = []
    for ago_s, stored in ((4000, 9), (3000, 8), (0, 8), (-1, 9)):
        work.conn.execute(taken, (ago_s, stored))
        found.append(set(health.problems(alerts.look(work.conn, work.settings, work.clock.now()))))

    assert found == [{"balance.old"}, {"balance.old", "balance.open"}, {"balance.open"}, set()]


def test_a_redundant_index_is_reported_and_left(work: Work) -> None:
    assert vitals.redundant_indexes(work.conn) == []

    work.conn.execute("CREATE INDEX one_too_many ON turns (company_id, conversation_id)")

    assert [found["index"] for found in vitals.redundant_indexes(work.conn)] == ["one_too_many"]


def test_an_alert_is_told_once_again_after_a_day_and_when_it_is_over(work: Work, receiver: Receiver) -> None:
    _dead_letter(work.conn)
    for _ in range(3):
        _evaluate(work)
    assert _told(receiver) == [("rows.dead_letters", "firing")]

    work.conn.execute("UPDATE alerts SET told_at = told_at - make_interval(hours => 25)")
    _evaluate(work)
    assert _told(receiver) == [("rows.dead_letters", "firing")] * 2

    work.conn.execute("DELETE FROM webhook_events")
    for _ in range(2):
        _evaluate(work)
    assert _told(receiver) == [*[("rows.dead_letters", "firing")] * 2, ("rows.dead_letters", "recovered")]
    assert store.standing(work.conn) == []


def test_what_the_webhook_does_not_take_is_told_the_next_time(work: Work, receiver: Receiver) -> None:
    _dead_letter(work.conn)
    receiver.status = 500
    with pytest.raises(alerts.AlertNotTaken):
        _evaluate(work)

    receiver.status = 200
    _evaluate(work)

    assert len(receiver.got) == 4  # three tries of the first run
    assert len({headers["webhook-id"] for headers, _ in receiver.got[:3]}) == 1
    # the failed run is itself nothing to tell: the one that told has ended it
    assert _told(receiver)[-1][1] == "firing"


def test_an_alert_is_signed_as_standard_webhooks_are(work: Work, receiver: Receiver) -> None:
    _dead_letter(work.conn)
    _evaluate(work)

    [(headers, body)] = receiver.got
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    mac = hmac.new(b"a secret of ours", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


def test_an_alert_goes_to_the_operator_s_address_and_nowhere_else(work: Work, receiver: Receiver) -> None:
    """It may lie in a private network; the address that it answers with may not."""
    _dead_letter(work.conn)
    receiver.status = 307

    with pytest.raises(alerts.AlertNotTaken):
        _evaluate(work)

    assert len(receiver.got) == 1


def test_what_was_over_before_anybody_was_told_is_not_told(work: Work) -> None:
    store.settle(work.conn, {"a.b": "words"})
    store.settle(work.conn, {})

    assert store.to_tell(work.conn, again_after_s=60) == []


def test_what_comes_back_before_its_end_was_told_stands_on(work: Work) -> None:
    store.settle(work.conn, {"a.b": "words"})
    store.told(work.conn, store.to_tell(work.conn, again_after_s=60))
    store.settle(work.conn, {})
    store.settle(work.conn, {"a.b": "other words"})

    assert store.to_tell(work.conn, again_after_s=60) == []
    assert [alert.words for alert in store.standing(work.conn)] == ["other words"]


def test_a_run_that_hangs_is_told(work: Work) -> None:
    work.conn.execute("INSERT INTO jobs (name, slot) VALUES ('a.job', now())")
    work.conn.execute("INSERT INTO job_runs (name, started_by) VALUES ('a.job', 'hand')")

    later = work.clock.now() + timedelta(hours=2)

    assert list(health.problems(alerts.look(work.conn, work.settings, later))) == ["jobs.stuck.a.job"]


def test_problems_are_named_by_their_check() -> None:
    visit: Any = CheckContext(None, datetime.now(UTC), None, None, None, None)  # type: ignore[arg-type]
    found = health.examine(visit, {"one": lambda _: CheckResult({}, (Problem("a", "words"),))})

    assert health.problems(found) == {"one.a": "words"}
