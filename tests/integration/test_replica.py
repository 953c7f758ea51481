"""A real streaming replica: how far it is behind is seen by the application role, and is a problem when it is much."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Postgres
from shared.embedded.account import unprivileged_account
from shared.embedded.ports import choose_port
from shared.embedded.process import ServerProcess, spawn
from shared.embedded.programs import copied_postgres_programs, postgres_programs
from shared.store.db.migrate import migrate
from shared.store.db.pool import Conn
from shared.store.operations import vitals
from tasks.operations.health import CheckContext, database
from tasks.operations.health.check import run
from tests.factories import settings_for
from workers.sandbox.waiting import wait_until


@contextmanager
def _replica(primary: Postgres, log: Path) -> Iterator[str]:
    """A copy by pg_basebackup that follows; yields its superuser's address."""
    account = unprivileged_account()
    with psycopg.connect(primary.superuser_url, autocommit=True) as conn:
        cluster = Path(str(conn.execute("SHOW data_directory").fetchall()[0][0]))
        programs = copied_postgres_programs(cluster.parent) if account else postgres_programs()
        with (cluster / "pg_hba.conf").open("a") as rules:
            rules.write("host replication all 127.0.0.1/32 scram-sha-256\n")
        conn.execute("SELECT pg_reload_conf()")
    copy, port = cluster.with_name("replica"), choose_port(None)
    copy.mkdir(mode=0o700)
    if account:
        os.chown(copy, account.uid, account.gid)
    copied = spawn(
        [str(programs / "pg_basebackup"), "-d", primary.superuser_url, "-D", str(copy), "-R", "-c", "fast"],
        cwd=cluster.parent, account=account, output=subprocess.PIPE,
    )  # fmt: skip
    told, _ = copied.communicate(timeout=60)
    assert copied.returncode == 0, told
    server = ServerProcess("replica", log, signal.SIGINT)
    # it says every second how far it is: the default of ten would make this test wait
    given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "wal_receiver_status_interval": "1s"}
    server.start(
        [str(programs / "postgres"), "-D", str(copy), "-p", str(port),
         *(part for name, value in given.items() for part in ("-c", f"{name}={value}"))],
        cwd=copy, account=account,
    )  # fmt: skip
    try:
        yield primary.superuser_url.replace(f":{primary.port}/", f":{port}/")
    finally:
        server.stop(20)


def test_how_far_a_replica_is_behind_is_seen_and_is_a_problem_when_it_is_much(
    make_postgres: Callable[..., Postgres], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LAG_ALERT_S", 0.2)
    primary = make_postgres()
    server = primary.create_database("followed")
    migrate(server.admin_url)
    settings = settings_for(server, "redis://127.0.0.1:1/0")
    with (
        psycopg.connect(server.url, autocommit=True) as app,
        psycopg.connect(server.admin_url, autocommit=True) as owner,
    ):
        assert vitals.replicas(app) == []
        _grant(primary, "REVOKE pg_monitor FROM switchboard_admin")  # as where somebody else made the roles
        with _replica(primary, tmp_path / "log") as address:
            visit = CheckContext(settings, datetime.now(UTC), app, None, None, None)
            # the owner's role may not look before it is told that it may: that is said, and not taken for health
            wait_until(lambda: [r.lag_s for r in vitals.replicas(app)] == [None], "a replica", 30)
            [unseen] = run(database.replication, visit).problems
            assert "GRANT pg_monitor" in unseen.words
            _grant(primary, "GRANT pg_monitor TO switchboard_admin")
            wait_until(lambda: _streams(app), "a replica that streams", 30)
            assert [replica.name for replica in vitals.replicas(app)] == ["walreceiver"]
            wait_until(lambda: run(database.replication, visit).problems == (), "in step", 20)

            with psycopg.connect(address, autocommit=True) as held_up:
                held_up.execute("SELECT pg_wal_replay_pause()")

                def behind() -> bool:
                    owner.execute("UPDATE sweeps SET next_at = now()")
                    return any(p.key == "lag.walreceiver" for p in run(database.replication, visit).problems)

                wait_until(behind, "an alert of a replica that is behind", 20)
                [late] = vitals.replicas(app)
                assert late.lag_bytes is not None
                assert late.lag_bytes > 0

                held_up.execute("SELECT pg_wal_replay_resume()")
                wait_until(lambda: run(database.replication, visit).problems == (), "caught up", 20)
        wait_until(lambda: vitals.replicas(app) == [], "a replica that went is not shown", 20)


def _grant(primary: Postgres, statement: str) -> None:
    with psycopg.connect(primary.superuser_url, autocommit=True) as conn:
        conn.execute(statement.encode())


def _streams(conn: Conn) -> bool:
    return [replica.state for replica in vitals.replicas(conn)] == ["streaming"]
