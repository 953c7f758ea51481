"""A disk that fills while messages come: a small file system of its own, real servers, nothing accepted is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis

from gateway.http.load_shedding import WORDS
from shared.embedded import Database, DataFolder, Postgres, Valkey
from shared.embedded.keeper import Keeper
from shared.errors import SettingsError
from shared.resilience import disk
from shared.settings import Settings
from shared.store.inbound import journal
from tasks.operations.health import CheckContext, services
from tests.factories import Bot, make_bot, settings_for, update
from tests.integration.gateway_client import running_gateway
from workers.doctor import DoctorContext as DoctorVisit
from workers.doctor import machine
from workers.local import running_system
from workers.sandbox.waiting import wait_until

MEGABYTE = 1024 * 1024


def mount(at: Path, megabytes: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    at.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(at)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")


def unmount(at: Path) -> None:
    subprocess.run(["umount", "-l", str(at)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB."""
    at = tmp_path / "small"
    mount(at, 64)
    try:
        yield at
    finally:
        unmount(at)


def fill(at: Path, leave_bytes: int = 0) -> Path:
    """Use up the disk but for so many bytes."""
    ballast = at / "ballast"
    found = os.statvfs(at)
    with ballast.open("wb", buffering=0) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, max(found.f_bavail * found.f_frsize - leave_bytes, 1))
            if leave_bytes == 0:
                while file.write(b"x" * 4096):
                    pass
        except OSError:
            pass  # full, as it should be
    return ballast


@pytest.fixture
def valkey(small: Path) -> Iterator[Valkey]:
    with DataFolder(small / "data") as folder, Valkey(folder) as server:
        yield server


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


def config_of(database: Database, valkey: Valkey, small: Path, refuse_bytes: int) -> Settings:
    return settings_for(
        database, valkey.redis_url, DATA_DIR=small / "data", DISK_REFUSE_FREE_BYTES=refuse_bytes,
        DISK_WARN_FREE_BYTES=refuse_bytes, DISK_WARN_FREE_SHARE=0.0,
    )  # fmt: skip


def test_the_gateway_refuses_before_the_journals_disk_is_full_and_takes_again_by_itself(
    database: Database, valkey: Valkey, small: Path, bot: Bot
) -> None:
    config = config_of(database, valkey, small, 8 * MEGABYTE)
    with running_gateway(config) as gateway, redis.Redis.from_url(valkey.redis_url) as client:
        load_shedder = gateway.app._pages.state.edge.load_shedder
        assert gateway.post(bot, update("room")).status_code == 200
        ballast = fill(small, leave_bytes=7 * MEGABYTE)
        gateway.run(load_shedder.look())

        assert gateway.post(bot, update("no room")).status_code == 503
        ready = gateway.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["journal"]) == (503, f"takes no webhooks: {WORDS['disk']}")
        client.set("still", "takes writes")  # it was not the server that refused
        told = services.disks(CheckContext(config, None, None, client, None, None)).problems  # type: ignore[arg-type]
        assert [problem.key for problem in told] == ["full.DATA_DIR"]
        assert told[0].words.startswith("the disk of DATA_DIR and the journal is full: ")
        (finding,) = [one for one in machine.disks(DoctorVisit(config)) if one.level == "FAIL"]
        assert (finding.level, finding.found.split(":")[0]) == ("FAIL", "the disk of DATA_DIR and the journal is full")

        ballast.unlink()
        gateway.run(load_shedder.look())
        assert gateway.post(bot, update("room again")).status_code == 200
        assert gateway.get("/health/ready").status_code == 200
        assert journal.Reader(client, config.journal.shards).backlog() == 2


def test_what_was_accepted_while_the_disk_filled_is_there_after_a_crash(
    database: Database, valkey: Valkey, small: Path, bot: Bot
) -> None:
    """The bound is off, so that the server itself meets the full disk."""
    config = config_of(database, valkey, small, 0)
    with running_gateway(config) as gateway, redis.Redis.from_url(valkey.redis_url) as client:
        load_shedder = gateway.app._pages.state.edge.load_shedder
        ballast = fill(small)
        accepted = 0
        for number in range(400):
            status = gateway.post(bot, update(f"message {number} " + "x" * 2_000)).status_code
            accepted += status == 200
            if status == 503:
                break
        assert status == 503
        wait_until(lambda: journal.unwritten(client.info("persistence")), "the server cannot write", 10)
        gateway.run(load_shedder.look())
        assert gateway.post(bot, update("refused")).status_code == 503
        told = services.disks(CheckContext(config, None, None, client, None, None)).problems  # type: ignore[arg-type]
        assert "unwritten.journal" in [problem.key for problem in told]

        ballast.unlink()
        wait_until(lambda: not journal.unwritten(client.info("persistence")), "the server writes again", 10)
        gateway.run(load_shedder.look())
        assert gateway.post(bot, update("taken again")).status_code == 200
        wait_until(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0, "all is on the disk", 10)
        valkey.kill()
        valkey.start()
        wait_until(client.ping, "it is back", 10)
        assert journal.Reader(client, config.journal.shards).backlog() == accepted + 1


def test_a_database_that_ended_on_a_full_disk_comes_back_with_all_that_was_committed(tmp_path: Path) -> None:
    at = tmp_path / "small"
    mount(at, 300)
    at.chmod(0o711)  # root's PostgreSQL runs as somebody else
    for parent in at.parents[:4]:
        if parent != Path("/tmp") and parent.stat().st_uid == os.geteuid() and "pytest" in str(parent):
            parent.chmod(0o711)
    try:
        with (
            DataFolder(at / "data", places_for_root=(at / "root",)) as folder,
            Postgres(folder, extra={"max_wal_size": "64MB"}) as server,
        ):
            keeper = Keeper([server], list)
            with psycopg.connect(server.database_admin_url, autocommit=True) as conn:
                conn.execute("CREATE TABLE kept (number int, filling text)")
            ballast, committed = fill(at), 0
            with suppress(psycopg.Error), psycopg.connect(server.database_admin_url, autocommit=True) as conn:
                for number in range(20_000):
                    conn.execute("INSERT INTO kept VALUES (%s, %s)", (number, os.urandom(4_000).hex()))
                    committed = number + 1
            assert committed < 20_000, "the disk was never full"

            ballast.unlink()
            wait_until(lambda: _counts(keeper, server) == committed, "what was committed is there", 60)
            with psycopg.connect(server.database_admin_url, autocommit=True) as conn:
                conn.execute("INSERT INTO kept VALUES (-1, '')")
    finally:
        unmount(at)


def _counts(keeper: Keeper, server: Postgres) -> int | None:
    keeper.step()
    try:
        with psycopg.connect(server.database_admin_url, connect_timeout=2) as conn:
            row = conn.execute("SELECT count(*) FROM kept").fetchone()
    except psycopg.OperationalError:
        return None
    return None if row is None else int(row[0])


def test_a_server_that_died_is_started_again_on_its_port_once_there_is_room(small: Path) -> None:
    full = disk.DiskSpace(("DATA_DIR",), small, 0, 100, "full", 10)
    found: list[disk.DiskSpace] = [full]
    with DataFolder(small / "data") as folder, Valkey(folder) as server:
        keeper, port = Keeper([server], lambda: found), server.port
        server.kill()
        keeper.step()
        assert not server.alive

        found.clear()
        wait_until(lambda: _alive_after_a_look(keeper, server), "it is started again", 10)
        assert server.port == port


def _alive_after_a_look(keeper: Keeper, server: Valkey) -> bool:
    keeper.step()
    return server.alive


@pytest.mark.parametrize(("how", "told"), [("ro", "can only be read|mounted for reading only"), ("full", "is full: ")])
def test_up_says_that_its_disk_is_full_or_read_only(
    small: Path, monkeypatch: pytest.MonkeyPatch, how: str, told: str
) -> None:
    monkeypatch.setenv("DISK_REFUSE_FREE_BYTES", str(8 * MEGABYTE))
    (small / "data").mkdir()
    if how == "ro":
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    else:
        fill(small, leave_bytes=7 * MEGABYTE)

    with pytest.raises(SettingsError, match=rf"DATA_DIR: .*({told})"), running_system(small / "data"):
        pass
