"""Archival and restoring ended at any statement: every row is in one place, and the next run goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from shared import faults
from shared.clock import FixedClock
from shared.embedded import Database, Postgres
from shared.store.db.migrate import migrate
from shared.store.lifecycle import archive_runs as store
from shared.store.lifecycle import deletion
from tasks.lifecycle import archive
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot, make_bot, settings_for
from tests.integration import history
from workers.sandbox.waiting import wait_until

MOVING = ("picked", "outbound", "receipts", "turns", "messages", "conversations", "before_commit", "committed")
RESTORING = ("restore_messages", "restore_turns", "restore_receipts", "restore_outbound")


@pytest.fixture
def work(database: Database) -> Iterator[Work]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield Work(conn, settings_for(database, "redis://127.0.0.1:1/0"), FixedClock(datetime.now(UTC)))


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


def _killed(work: Work, folder: Path, point: str, do: Callable[[Work], object]) -> None:
    """Do it in a process of its own, which is killed there."""
    info = work.conn.info
    child = os.fork()
    if child == 0:
        # of the parent's connection nothing may be used or closed here
        faults.configure(f"{point}=kill", folder)
        with psycopg.connect(info.dsn, password=info.password, autocommit=True) as conn:
            do(replace(work, conn=conn))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), point
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_killed_between_any_two_statements_of_a_move_every_row_is_in_one_place(
    work: Work, bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MESSAGES_A_BATCH", 60)
    history.write(work.conn, bot, "5", 650, days=300)
    history.write(work.conn, bot, "6", 300)
    before = history.everywhere(work.conn)

    for point in (*(f"archive.{p}" for p in MOVING), "job.after_batch"):
        _killed(work, tmp_path, point, lambda w: jobs.run(archive.MOVE_MESSAGES, w, slot=None, by="hand"))
        assert history.everywhere(work.conn) == before, point
        work.conn.execute("UPDATE jobs SET leased_until = clock_timestamp()")
    # two of the kills came behind a commit
    assert work.conn.execute("SELECT count(*) FROM messages").fetchone() == (950 - 2 * 60,)

    history.archive(work)
    assert history.everywhere(work.conn) == before
    assert work.conn.execute("SELECT count(*) FROM messages").fetchone() == (200,)
    assert work.conn.execute("SELECT count(*) FROM archived_keys").fetchone() == (375,)
    counted = work.conn.execute("SELECT sum(messages), sum(rows) FROM archive_runs").fetchone()
    assert counted == work.conn.execute(
        "SELECT sum(rows) FILTER (WHERE kind = 'messages'), sum(rows) FROM archive_segments"
    ).fetchone()  # fmt: skip


def test_killed_between_any_two_statements_of_a_restore_every_row_is_in_one_place(
    work: Work, bot: Bot, tmp_path: Path
) -> None:
    history.write(work.conn, bot, "5", 450)
    before = history.everywhere(work.conn)
    history.archive(work)

    for point in RESTORING:
        _killed(work, tmp_path, f"archive.{point}", archive.restore)
        assert history.everywhere(work.conn) == before, point

    archive.restore(work)
    assert history.everywhere(work.conn) == before
    assert work.conn.execute("SELECT count(*) FROM archive_segments").fetchone() == (0,)


def test_a_server_that_dies_in_the_middle_of_a_run_has_each_batch_whole_or_not_at_all(
    make_postgres: Callable[..., Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches wait for no disk: the newest may be lost, with what was written down of them, and nothing else."""
    monkeypatch.setattr(archive, "MESSAGES_A_BATCH", 60)
    server = make_postgres(extra={"synchronous_commit": "on"})
    database = server.create_database("dies")
    migrate(database.admin_url)
    bot, config = make_bot(database.admin_url), settings_for(database, "redis://127.0.0.1:1/0")

    def opened() -> psycopg.Connection:
        return psycopg.connect(database.admin_url, autocommit=True)

    with opened() as conn, opened() as seeing, ThreadPoolExecutor(1) as aside:
        for chat in ("5", "6", "7"):
            history.write(conn, bot, chat, 1000)
        before = history.everywhere(conn)
        work = Work(conn, config, FixedClock(datetime.now(UTC)))
        running = aside.submit(jobs.run, archive.MOVE_MESSAGES, work, slot=None, by="hand", budget_s=float("inf"))
        wait_until(lambda: seeing.execute("SELECT max(messages) > 400 FROM archive_runs").fetchone() == (True,),
                   "some batches", 20)  # fmt: skip
        server.kill()
        assert isinstance(running.exception(20), psycopg.OperationalError)
    server.start()

    with opened() as conn:
        work = Work(conn, config, FixedClock(datetime.now(UTC)))
        assert history.everywhere(conn) == before
        counted = "SELECT (SELECT sum(messages) FROM archive_runs), 3000 - count(*) FROM messages"
        [(told, moved)] = conn.execute(counted).fetchall()
        assert told == moved < 2700
        conn.execute("UPDATE jobs SET leased_until = clock_timestamp()")
        history.archive(work)
        assert history.everywhere(conn) == before
        assert conn.execute(counted).fetchall() == [(2700, 2700)]


def test_what_is_left_when_time_is_over_belongs_to_the_same_run(
    work: Work, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.write(work.conn, bot, "5", 450)
    monkeypatch.setattr(archive, "MESSAGES_A_BATCH", 100)
    first = jobs.run(archive.MOVE_MESSAGES, work, slot=None, by="hand", budget_s=0)
    assert first is not None
    assert first.outcome == "more"

    history.archive(work)

    [run] = store.runs(work.conn)
    assert run.messages == 350


def test_killed_between_deleting_and_the_receipt_neither_has_happened(work: Work, bot: Bot, tmp_path: Path) -> None:
    history.write(work.conn, bot, "5", 300, days=500)
    history.archive(work)
    job = archive.deleting(older_than_days=400)
    before = history.everywhere(work.conn)

    _killed(work, tmp_path, "archive.deleted", lambda w: jobs.run(job, w, slot=None, by="hand"))

    assert history.everywhere(work.conn) == before
    assert deletion.receipts(work.conn) == []
