"""As root: the embedded PostgreSQL has an account of its own, and what others run as gets at nothing of it."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.embedded import DataFolder, Postgres, ServiceFailed
from shared.embedded.account import FORMERLY, NAME, take_over, unprivileged_account
from shared.embedded.process import Account
from tests.services import temporary_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change accounts")


@pytest.fixture
def folder() -> Iterator[DataFolder]:
    with temporary_folder() as made:
        yield made


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def cluster_of(folder: DataFolder) -> Path:
    return (folder.path / "postgres").resolve()


def as_former(argv: list[str]) -> int:
    nobody = pwd.getpwnam(FORMERLY)
    return subprocess.run(
        argv, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], cwd="/", capture_output=True
    ).returncode


def give_to_former(folder: Path) -> None:
    nobody = pwd.getpwnam(FORMERLY)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


def test_the_database_runs_as_an_account_that_nothing_else_uses(folder: DataFolder) -> None:
    with Postgres(folder, fsync=False) as postgres:
        runs_as = Path(f"/proc/{postgres.pid}").stat().st_uid
    assert pwd.getpwuid(runs_as).pw_name == NAME
    assert runs_as not in (0, pwd.getpwnam(FORMERLY).pw_uid)
    assert pwd.getpwnam(NAME).pw_shell in ("/bin/false", "/usr/sbin/nologin")
    assert owners(cluster_of(folder)) == {runs_as}
    version = cluster_of(folder) / "PG_VERSION"
    assert as_former(["/bin/cat", "/etc/passwd"]) == 0
    assert as_former(["/bin/cat", str(version)]) != 0


def test_files_of_an_older_installation_change_hands_and_keep_their_rows(folder: DataFolder) -> None:
    with Postgres(folder, fsync=False) as postgres, psycopg.connect(postgres.database_admin_url) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    give_to_former(cluster_of(folder))
    parents = {path: path.stat().st_mode for path in cluster_of(folder).parents}

    with Postgres(folder, fsync=False) as postgres, psycopg.connect(postgres.database_admin_url) as conn:
        assert conn.execute("SELECT answer FROM kept").fetchone() == (42,)

    assert owners(cluster_of(folder)) == {pwd.getpwnam(NAME).pw_uid}
    assert stat.S_IMODE(cluster_of(folder).stat().st_mode) == 0o700
    assert {path: path.stat().st_mode for path in parents} == parents


def test_a_move_that_was_killed_half_way_is_gone_on_with(tmp_path: Path) -> None:
    account = unprivileged_account()
    assert account is not None
    files = [tmp_path / "cluster" / "base" / str(n) for n in range(3)]
    files[0].parent.mkdir(parents=True)
    for file in files:
        file.touch()
    give_to_former(tmp_path / "cluster")
    os.chown(tmp_path / "cluster", 0, 0)
    os.chown(files[0], account.uid, account.gid)

    take_over(tmp_path / "cluster", account)

    assert owners(tmp_path / "cluster") == {account.uid}


def test_what_the_former_account_planted_gives_it_nothing_of_root_s(tmp_path: Path) -> None:
    """A symbolic and a hard link to a file of root's inside the folder that root hands over."""
    account = unprivileged_account()
    assert account is not None
    target = tmp_path / "root-s-own"
    target.write_text("secret")
    target.chmod(0o600)
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    give_to_former(cluster)
    (cluster / "symbolic").symlink_to(target)
    (cluster / "folder").symlink_to(tmp_path)
    (cluster / "hard").hardlink_to(target)

    take_over(cluster, account)

    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (0, 0o600)
    assert tmp_path.stat().st_uid == 0
    assert cluster.stat().st_uid == account.uid


def test_a_stranger_s_folder_is_not_taken(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 4321)
    with pytest.raises(ServiceFailed, match="belongs to user id 4321"):
        take_over(tmp_path, Account(1234, 1234))
    assert tmp_path.stat().st_uid == 4321
