"""Backups: whole or not at all, and what restores is what was counted."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shared import faults
from shared.clock import FixedClock
from shared.embedded import Database, DataFolder, Postgres
from shared.errors import SettingsError
from shared.settings import Settings
from shared.store.db.migrate import migrate
from shared.store.lifecycle import backups as store
from shared.store.lifecycle import data_subjects
from tasks.lifecycle import backup, data_subject
from tasks.lifecycle.backup import dump, restore
from tasks.lifecycle.backup.dump import BackupFailed, NoRoom
from tasks.lifecycle.backup.folder import Proof
from tasks.operations import health, jobs
from tasks.operations.jobs import Work
from tests.factories import ENCRYPTION_KEY, make_bot, settings_for
from tests.integration import history
from tests.integration.command_line import Run, nothing_done, one_line
from tests.services import Services
from workers.commands import backups

NOW = datetime(2031, 3, 5, 12, 40, tzinfo=UTC)
NAME = "20310305T124000Z"


@pytest.fixture
def work(database: Database, tmp_path: Path) -> Iterator[Work]:
    config = settings_for(database, "redis://127.0.0.1:1/0", DATA_DIR=tmp_path)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield Work(conn, config, FixedClock(NOW))
    faults.configure("", None)


def _make(work: Work) -> backup.Backup:
    jobs.run(backup.MAKE, work, slot=None, by="hand")
    return backup.BackupFolder(work.settings.backup_folder).all()[0]


def _folder(work: Work) -> list[str]:
    return sorted(p.name for p in work.settings.backup_folder.iterdir() if p.name != ".lock")


def test_the_newest_restores_and_balances_until_a_row_is_missing(work: Work, database: Database) -> None:
    history.write(work.conn, make_bot(database.admin_url), "4711", 60)
    made = _make(work)
    jobs.run(backup.PROVE, work, slot=None, by="hand")

    [kept] = store.all_kept(work.conn)
    assert (kept.name, kept.proof, kept.bytes) == (NAME, "restored", made.size)
    assert made.manifest["facts"]["rows"]["messages"] == 60
    assert not (work.settings.system.data_dir / "proof").exists()

    manifest = json.loads((made.path / "manifest.json").read_bytes())
    manifest["facts"]["rows"]["messages"] = 61  # as if the dump had lost one
    (made.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BackupFailed, match="rows messages: 61 in the backup, 60 restored"):
        jobs.run(backup.PROVE, work, slot=None, by="hand")
    assert store.all_kept(work.conn)[0].proof == "differs"

    with made.dump.open("r+b") as file:
        file.seek(5000)
        file.write(b"x")
    with pytest.raises(BackupFailed, match="not what was written"):
        jobs.run(backup.PROVE, work, slot=None, by="hand")
    assert store.all_kept(work.conn)[0].proof == "failed"
    [(error,)] = work.conn.execute("SELECT error FROM job_runs ORDER BY id DESC LIMIT 1").fetchall()
    assert str(error).startswith("BackupFailed: ")


def test_a_large_object_that_somebody_made_stops_no_backup_and_no_restore(
    work: Work, database: Database, services: Services
) -> None:
    superuser = make_conninfo(services.postgres.superuser_url, dbname=database.name)
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute("GRANT EXECUTE ON FUNCTION lo_create(oid) TO switchboard_app")
        with psycopg.connect(database.url, autocommit=True) as app:
            app.execute("SELECT lo_create(0)")

    _make(work)
    jobs.run(backup.PROVE, work, slot=None, by="hand")

    assert [kept.proof for kept in store.all_kept(work.conn)] == ["restored"]


def test_a_backup_that_dies_leaves_the_older_ones_and_no_half_one(work: Work) -> None:
    _make(work)
    work.clock.advance(3600)  # type: ignore[attr-defined]
    faults.configure("backup.before_name=raise", work.settings.system.data_dir)
    with pytest.raises(faults.InjectedFault):
        jobs.run(backup.MAKE, work, slot=None, by="hand")

    assert _folder(work) == [NAME]
    assert _make(work).name == "20310305T134000Z"
    assert [kept.name for kept in store.all_kept(work.conn)] == ["20310305T134000Z", NAME]


def test_a_disk_without_room_is_told_before_it_is_full(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    size = _make(work).size
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(size, size, size - 1))

    with pytest.raises(NoRoom, match="BACKUP_DIR"):
        jobs.run(backup.MAKE, work, slot=None, by="hand")
    with pytest.raises(NoRoom, match="DATA_DIR"):
        jobs.run(backup.PROVE, work, slot=None, by="hand")

    assert _folder(work) == [NAME]
    assert store.all_kept(work.conn)[0].proof is None  # nobody knows


def test_a_disk_that_fills_meanwhile_leaves_nothing_half(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "DUMP", "/dev/full")  # what writes there meets ENOSPC

    with pytest.raises(NoRoom, match="is full"):
        jobs.run(backup.MAKE, work, slot=None, by="hand")

    assert _folder(work) == []


def test_those_that_no_tier_keeps_go_but_for_the_newest_that_restores(work: Work) -> None:
    few = work.settings.changed(BACKUP_KEEP_HOURLY=1, BACKUP_KEEP_DAILY=0, BACKUP_KEEP_WEEKLY=0)
    thrifty = Work(work.conn, few, work.clock)
    first = _make(thrifty)
    store.note_proof(work.conn, first.name, "restored")
    for _ in range(2):
        work.clock.advance(3600)  # type: ignore[attr-defined]
        _make(thrifty)

    assert _folder(work) == [NAME, "20310305T144000Z"]


def test_a_tool_of_the_operator_s_makes_and_proves_it(work: Work) -> None:
    tool = work.settings.system.data_dir / "tool"
    tool.write_text('#!/bin/sh\n[ -n "$PGDATABASE" ] && echo "$PGUSER" > "$BACKUP_FOLDER/it"\n')
    tool.chmod(0o700)
    own = Work(work.conn, work.settings.changed(BACKUP_COMMAND=str(tool)), work.clock)

    made = _make(own)
    jobs.run(backup.PROVE, own, slot=None, by="hand")
    unproven = store.all_kept(work.conn)[0].proof
    proves = work.settings.changed(BACKUP_PROVE_COMMAND="grep switchboard_admin it")
    jobs.run(backup.PROVE, Work(work.conn, proves, work.clock), slot=None, by="hand")

    assert (made.path / "it").read_text() == "switchboard_admin\n"
    assert (unproven, store.all_kept(work.conn)[0].proof) == ("unproven", "restored")
    failing = work.settings.changed(BACKUP_PROVE_COMMAND="false")
    with pytest.raises(BackupFailed, match="BACKUP_PROVE_COMMAND failed"):
        jobs.run(backup.PROVE, Work(work.conn, failing, work.clock), slot=None, by="hand")


def test_restored_into_an_empty_database_nothing_goes_out_by_itself(
    run: Run, database: Database, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = make_bot(database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        history.write(conn, bot, "4711", 20)
        conn.execute("UPDATE outbound SET state = 'queued' WHERE id = (SELECT max(id) FROM outbound)")
        conn.execute("UPDATE turns SET state = 'waiting' WHERE id = (SELECT max(id) FROM turns)")
    assert "rows" in run("backup", "run").out
    [listed] = run("backup", "list", "--json").json
    one_line(run("backup", "restore", listed["name"], "--yes"), "DATABASE_URL", "--into")

    with services.empty_database() as target:
        ended = run("backup", "restore", "newest", "--into", target.admin_url)

        assert (ended.code, "1 parts" in ended.out, "1 turns in 1 conversations" in ended.out) == (0, True, True), ended
        one_line(run("backup", "restore", "newest", "--into", target.admin_url), "not empty")
        with psycopg.connect(target.admin_url) as conn:
            assert conn.execute("SELECT count(*) FROM messages").fetchone() == (20,)
            assert conn.execute(
                "SELECT (SELECT meaning FROM outbound WHERE state = 'unknown_outcome'),"
                " (SELECT error FROM turns WHERE state = 'cancelled'),"
                " (SELECT count(*) FROM turns WHERE state = 'waiting'),"
                " (SELECT bot_enabled FROM conversations)"
            ).fetchone() == ("restored", "restored", 0, False)
        with psycopg.connect(target.url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT count(*) FROM messages")  # no company is set: row-level security came along


def test_in_place_of_the_embedded_database_the_old_one_stays_and_who_was_erased_since_is_erased_again(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with DataFolder(data) as folder, Postgres(folder, fsync=False) as server:
        migrate(server.database_admin_url)
        config = Settings.of(
            DATA_DIR=data, DATABASE_URL=server.database_url, DATABASE_ADMIN_URL=server.database_admin_url,
            REDIS_URL="redis://127.0.0.1:1/0", ENCRYPTION_KEYS=ENCRYPTION_KEY,
        )  # fmt: skip
        bot = make_bot(server.database_admin_url)
        with psycopg.connect(server.database_admin_url, autocommit=True) as conn:
            for chat in ("4711", "4712"):
                history.write(conn, bot, chat, 20)
            work = Work(conn, config, FixedClock(NOW.replace(year=2021)))
            made = _make(work)
            [ann] = data_subjects.find(conn, bot.company_id, "4711")
            data_subject.erase(work, ann, by="hand")
        with pytest.raises(SettingsError, match="in use by a running system"):
            restore.into_data_dir(work, made, now=NOW)
    try:
        found = restore.into_data_dir(work, made, now=NOW)

        assert (found.erased, found.before) == ([(bot.company_id, ann.id)], "switchboard_before_20310305t124000z")
        with DataFolder(data) as folder, Postgres(folder, fsync=False) as server:
            for name, messages in (("switchboard", 20), (str(found.before), 20)):
                with psycopg.connect(server.database(name).admin_url) as conn:
                    assert conn.execute("SELECT count(*) FROM messages").fetchone() == (messages,)
                    assert data_subjects.find(conn, bot.company_id, "4711") == []
        assert restore.drop_replaced(work) == [found.before]
        assert restore.drop_replaced(work) == []
    finally:
        with DataFolder(data) as folder:
            folder.discard()


def test_what_is_old_and_what_does_not_restore_is_on_health(work: Work) -> None:
    def problems() -> set[str]:
        examined = health.examine(
            health.CheckContext(work.settings, work.clock.now(), work.conn, None, None, None),
            {"backups": health.CHECKS["backups"]},
        )  # fmt: skip
        assert examined["backups"].error is None
        return set(health.problems(examined))

    assert problems() == set()  # nothing ever ran
    work.conn.execute("INSERT INTO job_runs (name, started_by, started_at) VALUES ('x', 'hand', %s)", (NOW,))
    assert problems() == set()
    work.clock.advance(4 * 3600)  # type: ignore[attr-defined]
    assert problems() == {"backups.old"}

    store.sync(work.conn, [store.Kept("20310305T164000Z", work.clock.now(), 1, 2, 3)])
    assert problems() == set()
    store.note_proof(work.conn, "20310305T164000Z", "failed")
    assert problems() == {"backups.broken"}
    work.clock.advance(60 * 3600)  # type: ignore[attr-defined]
    assert problems() == {"backups.broken", "backups.old", "backups.unproven"}


def test_a_name_that_is_none_and_a_running_one(run: Run) -> None:
    nothing_done(run("backup", "prove"), "there is no backup yet")
    nothing_done(run("job", "run", "lifecycle.prove_backup"), "there is no backup yet")
    nothing_done(run("backup", "restore", "newest"), "there is no backup yet")
    assert run("backup", "list").out.startswith("there is none in ")


def test_the_timetable_finds_no_fault_in_proving_where_there_is_no_backup(work: Work) -> None:
    ran = jobs.run(backup.PROVE, work, slot=None)

    assert ran is not None
    assert (ran.outcome, ran.rows) == ("done", 0)


def test_a_proof_is_known_without_the_database(
    run: Run, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _make(work)
    monkeypatch.setenv("BACKUP_DIR", str(work.settings.backup_folder))
    monkeypatch.setenv("DATABASE_ADMIN_URL", "")
    monkeypatch.setenv("DATABASE_URL", "")
    nothing_done(run("backup", "restore", "yesterday's"), "backup list")
    before = run("backup", "list")
    with backup.BackupFolder(work.settings.backup_folder).held():
        backup.BackupFolder(work.settings.backup_folder).note_proof(made, Proof("restored", NOW))
    after = run("backup", "list")

    assert before.lines[0].endswith("not known whether it was tried: the database is not running")
    assert after.lines[0].endswith("restored on 2031-03-05 12:40")
    work.conn.execute("DELETE FROM backups")  # as after restoring an older one
    store.sync(work.conn, [backup.kept(one) for one in backup.BackupFolder(work.settings.backup_folder).all()])
    assert [(kept.proof, kept.proved_at) for kept in store.all_kept(work.conn)] == [("restored", NOW)]


def test_restoring_says_that_the_balance_is_open_and_what_closes_it() -> None:
    chosen = backup.Backup(NAME, Path(NAME), {}, 1)

    for into in (None, "postgresql://x"):
        told = " ".join(backups.told(chosen, restore.Restored(), into))
        assert "the balance does not close" in told
        assert "./switchboard balance --write-off N" in told
