"""The files of the embedded PostgreSQL: made once by initdb, never half, never over older ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from shared.embedded.folder import DataFolder
from shared.embedded.process import SERVER_ENVIRONMENT, Account, ServiceFailed
from shared.embedded.programs import POSTGRES_MAJOR

SUPERUSER = "postgres"


def ensure_cluster(folder: DataFolder, binaries: Path, cluster: Path, account: Account | None, *, sync: bool) -> None:
    """Make the cluster of `folder` if it has none.

    binaries: the folder with initdb. account: who owns the files, None for ourselves; then they are reached through a
    link in the folder, because they lie outside of it. sync: False skips the fsync at the end.
    Raises ServiceFailed when initdb fails or when the files are of another major version.
    """
    link = folder.path / "postgres"
    if not (cluster / "PG_VERSION").exists() or (account and not link.is_symlink()):
        if cluster.exists():
            # The data folder was deleted and its passwords with it. Keeping what is left is not ours to end.
            cluster.rename(_unused(cluster.with_name("postgres-abandoned")))
        _make(folder, binaries, cluster, account, sync=sync)
        if account:
            link.unlink(missing_ok=True)
            link.symlink_to(cluster)
    _check_version(cluster)


def _make(folder: DataFolder, binaries: Path, cluster: Path, account: Account | None, *, sync: bool) -> None:
    """initdb into a folder of another name, so that a half-made cluster is never taken for a whole one."""
    new = cluster.with_name("postgres-new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    password_file = cluster.with_name("postgres-password")
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(folder.secret(SUPERUSER))
    try:
        if account:
            os.chown(new, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        _initdb(binaries, new, password_file, account, sync=sync)
    finally:
        password_file.unlink()
    (new / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    new.rename(cluster)


def _initdb(binaries: Path, cluster: Path, password_file: Path, account: Account | None, *, sync: bool) -> None:
    argv = [str(binaries / "initdb"), "-D", str(cluster), "-U", SUPERUSER, "--pwfile", str(password_file)]
    # The builtin provider sorts and folds case alike on every machine, whatever locales that has.
    argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    argv += ["--builtin-locale=C.UTF-8", "--no-instructions", *([] if sync else ["--no-sync"])]
    try:
        made = subprocess.run(
            argv,
            cwd=cluster.parent,
            env=SERVER_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ServiceFailed(f"initdb could not make {cluster}: {e}") from e
    if made.returncode != 0:
        raise ServiceFailed(f"initdb could not make {cluster}", made.stderr or made.stdout)


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != POSTGRES_MAJOR:
        raise ServiceFailed(
            f"{cluster} was made by PostgreSQL {found}, this is {POSTGRES_MAJOR}: "
            "dump it with the old programs and load it into an empty data folder"
        )


def _unused(path: Path) -> Path:
    """The path itself or the first of `<path>-2`, `<path>-3` … that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
