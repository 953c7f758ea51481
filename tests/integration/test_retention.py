"""Log retention: days that are over go whole; a company's own term is shorter or longer; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shared.clock import FixedClock
from shared.embedded import Database
from shared.store.db.pool import Conn
from shared.store.inbound import dead_letters
from shared.store.lifecycle import retention as store
from shared.store.operations import partitions
from tasks.lifecycle import retention
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot, Inbox, make_bot, new_key, settings_for, update
from tests.integration.command_line import Run, nothing_done, one_line

NOW = datetime.now(UTC)
TODAY = NOW.date()
RAW_OVER, LEDGER_OVER = TODAY - timedelta(days=8), TODAY - timedelta(days=91)


@pytest.fixture
def work(database: Database) -> Iterator[Work]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield Work(
            conn,
            settings_for(database, "redis://127.0.0.1:1/0"),
            FixedClock(NOW),
        )


@pytest.fixture
def bots(database: Database) -> tuple[Bot, Bot]:
    return make_bot(database.admin_url), make_bot(database.admin_url)


def _days(work: Work, *days: date) -> None:
    for day in days:
        for parent in partitions.PARTITIONED:
            work.conn.execute("SELECT switchboard_make_partition(%s::regclass, %s)", (parent, day))


def _request(conn: Conn, day: date, *companies: int | None, entry: str = "1-0", outcome: str = "effected") -> None:
    """A stored request with an event for each company."""
    conn.execute(
        "INSERT INTO webhook_raw (day, stream, entry_id, platform, app_id, received_at, size, body)"
        " VALUES (%s, 's', %s, 'telegram', 1, now(), 0, 'x')",
        (day, entry),
    )
    for ordinal, company in enumerate(companies):
        conn.execute(
            "INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, company_id,"
            " kind, outcome) VALUES (%s, 's', %s, %s, now(), 'telegram', 1, %s, 'message', %s)",
            (day, entry, ordinal, company, outcome),
        )


def _left(conn: Conn, table: str) -> list[tuple[Any, ...]]:
    columns, order = ("day, entry_id", "1, 2") if table == "webhook_raw" else ("day, entry_id, company_id", "1, 2, 3")
    return conn.execute(f"SELECT {columns} FROM {table} ORDER BY {order}".encode()).fetchall()


def _partitions(conn: Conn, parent: str) -> list[str]:
    rows = conn.execute(
        "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass ORDER BY 1",
        (parent,),
    ).fetchall()
    return [str(name) for (name,) in rows]


def _run(work: Work, *, days_later: int = 0) -> tuple[jobs.Ran, jobs.Ran]:
    later = replace(work, clock=FixedClock(work.clock.now() + timedelta(days=days_later)))
    ran = [jobs.run(job, later, slot=None, by="hand") for job in (retention.DROP_RAW, retention.DROP_LOGS)]
    assert ran[0] is not None
    assert ran[1] is not None
    assert {r.outcome for r in ran if r} == {"done"}
    return ran[0], ran[1]


def test_a_day_that_is_over_is_dropped_whole_and_the_last_one_to_keep_stays(work: Work, bots: tuple[Bot, Bot]) -> None:
    a, b = (bot.company_id for bot in bots)
    _days(work, LEDGER_OVER, RAW_OVER, TODAY)
    for day in (LEDGER_OVER, RAW_OVER, RAW_OVER + timedelta(days=1)):
        _request(work.conn, day, a, b)

    raw, logs = _run(work)

    assert _left(work.conn, "webhook_raw") == [(RAW_OVER + timedelta(days=1), "1-0")]
    assert {row[0] for row in _left(work.conn, "webhook_events")} == {RAW_OVER, RAW_OVER + timedelta(days=1)}
    assert _partitions(work.conn, "webhook_raw") == [f"webhook_raw_{TODAY:%Y%m%d}", "webhook_raw_default"]
    assert _partitions(work.conn, "webhook_events") == [
        f"webhook_events_{RAW_OVER:%Y%m%d}", f"webhook_events_{TODAY:%Y%m%d}", "webhook_events_default",
    ]  # fmt: skip
    assert (raw.rows, logs.rows) == (2, 2)
    assert raw.size > 0
    again = _run(work)
    assert [ran.rows for ran in again] == [0, 0]


def test_what_waits_for_a_person_stays_until_it_is_settled_with_its_body(work: Work, bots: tuple[Bot, Bot]) -> None:
    """Those are customers' words that no table has yet."""
    _days(work, LEDGER_OVER)
    _request(work.conn, LEDGER_OVER, bots[0].company_id, entry="1-0")
    _request(work.conn, LEDGER_OVER, None, entry="2-0", outcome="dead_letter")

    _run(work)

    assert _left(work.conn, "webhook_raw") == [(LEDGER_OVER, "2-0")]
    assert _left(work.conn, "webhook_events") == [(LEDGER_OVER, "2-0", None)]
    [row] = dead_letters.listed(work.conn)
    assert row.size == 0
    assert _partitions(work.conn, "webhook_events")[0] == f"webhook_events_{LEDGER_OVER:%Y%m%d}_kept"

    dead_letters.discard(work.conn, row.place, "nobody wants it")
    _run(work, days_later=1)

    assert _left(work.conn, "webhook_raw") == []
    assert _partitions(work.conn, "webhook_events") == ["webhook_events_default"]


def test_a_company_s_longer_term_keeps_its_rows_alone_and_ends_with_it(work: Work, bots: tuple[Bot, Bot]) -> None:
    ours, others = (bot.company_id for bot in bots)
    _days(work, LEDGER_OVER)
    _request(work.conn, LEDGER_OVER, ours, others, entry="1-0")
    _request(work.conn, LEDGER_OVER, ours, entry="2-0")
    for subject in ("webhook_raw", "webhook_events"):
        store.set_override(work.conn, ours, subject, 120)

    _run(work)

    assert _left(work.conn, "webhook_events") == [(LEDGER_OVER, "1-0", ours), (LEDGER_OVER, "2-0", ours)]
    # the first body holds the other company's words, too
    assert _left(work.conn, "webhook_raw") == [(LEDGER_OVER, "2-0")]
    _run(work, days_later=29)
    assert len(_left(work.conn, "webhook_events")) == 2

    _run(work, days_later=30)

    assert _left(work.conn, "webhook_events") == []
    assert _left(work.conn, "webhook_raw") == []
    assert _partitions(work.conn, "webhook_events") == ["webhook_events_default"]


def test_of_two_longer_terms_each_ends_by_itself(work: Work, bots: tuple[Bot, Bot]) -> None:
    a, b = (bot.company_id for bot in bots)
    _days(work, LEDGER_OVER)
    _request(work.conn, LEDGER_OVER, a, b)
    store.set_override(work.conn, a, "webhook_events", 120)
    store.set_override(work.conn, b, "webhook_events", 200)
    _run(work)
    assert [row[2] for row in _left(work.conn, "webhook_events")] == sorted([a, b])

    _run(work, days_later=50)

    assert [row[2] for row in _left(work.conn, "webhook_events")] == [b]


def test_a_company_s_shorter_term_deletes_its_rows_and_nobody_else_s(work: Work, bots: tuple[Bot, Bot]) -> None:
    ours, others = (bot.company_id for bot in bots)
    recent = TODAY - timedelta(days=3)
    _days(work, RAW_OVER, recent)
    for day in (RAW_OVER, recent):
        _request(work.conn, day, ours, others, entry="1-0")
        _request(work.conn, day, ours, entry="2-0")
        _request(work.conn, day, ours, entry="3-0", outcome="dead_letter")
    store.set_override(work.conn, ours, "webhook_events", 7)
    store.set_override(work.conn, ours, "webhook_raw", 2)

    _run(work)

    # the body of 1-0 is the other company's too; 3-0 waits for a person
    assert _left(work.conn, "webhook_raw") == [(RAW_OVER, "3-0"), (recent, "1-0"), (recent, "3-0")]
    assert _left(work.conn, "webhook_events") == [
        (RAW_OVER, "1-0", others), (RAW_OVER, "3-0", ours),
        (recent, "1-0", ours), (recent, "1-0", others), (recent, "2-0", ours), (recent, "3-0", ours),
    ]  # fmt: skip
    assert {o.purged_before for o in store.overrides(work.conn)} == {
        TODAY - timedelta(days=7), TODAY - timedelta(days=2),
    }  # fmt: skip


def test_attempts_and_calls_follow_the_same_rule(work: Work, bots: tuple[Bot, Bot]) -> None:
    ours, others = (bot.company_id for bot in bots)
    _days(work, LEDGER_OVER)
    for company in (ours, others):
        for day in (LEDGER_OVER, TODAY):
            work.conn.execute(
                "INSERT INTO delivery_attempts (company_id, outbound_id, attempt, day, started_at)"
                " VALUES (%s, 1, 1, %s, now())", (company, day),
            )  # fmt: skip
            work.conn.execute(
                "INSERT INTO llm_calls (company_id, turn_id, epoch, attempt, day, provider, model, step, outcome,"
                " duration_ms, tokens_in, tokens_out) VALUES (%s, 1, 1, 1, %s, 'p', 'm', 'full', 'ok', 1, 1, 1)",
                (company, day),
            )  # fmt: skip
    store.set_override(work.conn, ours, "llm_calls", 365)

    _run(work)

    assert work.conn.execute("SELECT DISTINCT day FROM delivery_attempts").fetchall() == [(TODAY,)]
    assert work.conn.execute("SELECT company_id, day FROM llm_calls ORDER BY 1, 2").fetchall() == [
        (ours, LEDGER_OVER), (ours, TODAY), (others, TODAY),
    ]  # fmt: skip


def test_rows_of_a_far_day_in_the_default_partition_go_in_their_turn(work: Work, bots: tuple[Bot, Bot]) -> None:
    ours, others = (bot.company_id for bot in bots)
    for day in (date(2020, 1, 1), date(2099, 1, 1)):
        _request(work.conn, day, ours, entry="1-0")
        _request(work.conn, day, others, entry="2-0")
    store.set_override(work.conn, ours, "webhook_events", 10_000)

    _run(work)

    assert [row[:2] for row in _left(work.conn, "webhook_events")] == [
        (date(2020, 1, 1), "1-0"), (date(2099, 1, 1), "1-0"), (date(2099, 1, 1), "2-0"),
    ]  # fmt: skip


def test_runs_are_forgotten_after_theirs(work: Work) -> None:
    work.conn.execute(
        "INSERT INTO job_runs (name, started_by, started_at) VALUES ('old', 'hand', now() - make_interval(days => 402))"
    )

    _run(work)

    assert work.conn.execute("SELECT count(*) FROM job_runs WHERE name = 'old'").fetchone() == (0,)
    assert work.conn.execute("SELECT count(*) FROM job_runs").fetchone() != (0,)


def test_of_api_keys_those_go_that_were_revoked_long_ago(work: Work, bots: tuple[Bot, Bot]) -> None:
    for name in ("working", "revoked lately", "revoked long ago"):
        new_key(work.conn, bots[0].company_id, "read", name=name)
    work.conn.execute("UPDATE api_keys SET created_at = now() - interval '3000 days', last_used_at = created_at")
    for name, days in (("revoked lately", 799), ("revoked long ago", 802)):
        work.conn.execute(
            "UPDATE api_keys SET revoked_at = now() - make_interval(days => %s) WHERE name = %s", (days, name)
        )

    _run(work)

    left = work.conn.execute("SELECT name FROM api_keys ORDER BY id").fetchall()
    assert left == [("working",), ("revoked lately",)]


def test_what_customers_wrote_is_never_touched(work: Work, database: Database, redis_url: str) -> None:
    """Every table but the logs holds the same rows a hundred years later."""
    inbox = Inbox(database, redis_url)
    try:
        inbox.journal(make_bot(database.admin_url), update("hello"))
        inbox.drain_all()
    finally:
        inbox.close()
    before = _other_tables(work.conn)

    _run(work, days_later=36_500)

    assert work.conn.execute("SELECT count(*) FROM webhook_raw").fetchone() == (0,)
    assert _other_tables(work.conn) == before
    assert before["messages"] == 1


def _other_tables(conn: Conn) -> dict[str, int]:
    names = conn.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition"
    ).fetchall()
    ours = {str(name) for (name,) in names} - {*partitions.PARTITIONED, *store.DATED_ROWS, "jobs"}
    return {name: int(str(conn.execute(f"SELECT count(*) FROM {name}".encode()).fetchall()[0][0])) for name in ours}


def test_a_run_that_meets_a_reader_gives_up_instead_of_stopping_the_intake(work: Work, database: Database) -> None:
    _days(work, RAW_OVER)
    _request(work.conn, RAW_OVER, None)
    with psycopg.connect(database.admin_url) as reader:
        reader.execute("SELECT count(*) FROM webhook_raw").fetchone()  # a transaction that stays open

        with pytest.raises(psycopg.errors.LockNotAvailable):
            jobs.run(retention.DROP_RAW, work, slot=None, by="hand")

    assert len(_left(work.conn, "webhook_raw")) == 1
    _run(work)
    assert _left(work.conn, "webhook_raw") == []


def test_a_preview_tells_what_the_run_then_does(work: Work, bots: tuple[Bot, Bot]) -> None:
    ours, others = (bot.company_id for bot in bots)
    _days(work, LEDGER_OVER, RAW_OVER)
    for day in (LEDGER_OVER, RAW_OVER):
        _request(work.conn, day, ours, others)
    store.set_override(work.conn, ours, "webhook_events", 7)

    told = [jobs.preview(job, work).rows for job in (retention.DROP_RAW, retention.DROP_LOGS)]

    assert told == [2, 3]
    assert len(_left(work.conn, "webhook_events")) == 4
    assert [ran.rows for ran in _run(work)] == told


def test_policies_are_shown_and_set_by_hand(run: Run, database: Database) -> None:
    bot = make_bot(database.admin_url, "Acme")
    assert run("retention", "set", "llm_calls", 30).code == 0
    assert run("retention", "set", "webhook_events", 365, "--company", "Acme").code == 0
    nothing_done(run("retention", "set", "llm_calls", 30), "llm_calls is kept for 30 days already")
    nothing_done(run("retention", "set", "webhook_events", 365, "--company", "Acme"), "365 days for Acme already")

    shown = run("retention", "show", "--json").json

    assert shown["days"]["llm_calls"] == 30
    assert [(o["company_id"], o["subject"], o["days"]) for o in shown["overrides"]] == [
        (bot.company_id, "webhook_events", 365)
    ]
    assert "had no term" not in run("retention", "unset", "webhook_events", "--company", "Acme").out
    assert run("retention", "show", "--json").json["overrides"] == []


@pytest.mark.parametrize(
    ("words", "named"),
    [(("messages", "30"), "webhook_raw"), (("webhook_events", "3"), "needs 7"), (("llm_calls", "0"), "range")],
)
def test_a_term_that_cannot_be_is_refused(run: Run, words: tuple[str, str], named: str) -> None:
    ended = run("retention", "set", *words)

    assert ended.code == (1 if words[0] == "messages" else 2)
    assert named in ended.err


def test_runs_belong_to_no_company(run: Run, database: Database) -> None:
    make_bot(database.admin_url, "Acme")

    one_line(run("retention", "set", "job_runs", 30, "--company", "Acme"), "job_runs")
