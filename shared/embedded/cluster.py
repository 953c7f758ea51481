"""Makes the files of the embedded PostgreSQL once, by initdb: never incomplete, never over older ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from shared.embedded.folder import DataFolder
from shared.embedded.process import Account, ServiceFailed, spawn
from shared.embedded.programs import POSTGRES_MAJOR

SUPERUSER = "postgres"
INITDB_WITHIN_S = 120.0


def ensure_cluster(folder: DataFolder, binaries: Path, cluster: Path, account: Account | None, *, sync: bool) -> None:
    """Make the cluster of `folder` if it has none.

    binaries: the folder with initdb. account: who owns the files, None for ourselves; then they are reached through a
    link in the folder, because they lie outside of it. sync: False skips the fsync at the end.
    Raises ServiceFailed when initdb fails or when the files are of another major version.
    """
    link = folder.path / "postgres"
    if not (cluster / "PG_VERSION").exists() or (account and not link.is_symlink()):
        if cluster.exists():
            # The data folder was deleted, and its passwords with it. Should that have been a mistake, the
            # latest database can still be rescued.
            abandoned = cluster.with_name("postgres-abandoned")
            shutil.rmtree(abandoned, ignore_errors=True)
            cluster.rename(abandoned)
        _make(folder, binaries, cluster, account, sync=sync)
        if account:
            link.unlink(missing_ok=True)
            link.symlink_to(cluster)
    _check_version(cluster)


def _make(folder: DataFolder, binaries: Path, cluster: Path, account: Account | None, *, sync: bool) -> None:
    """Run initdb in a folder of another name, so that an incomplete cluster is never used."""
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
    argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    argv += ["--locale=C", "--no-instructions", *([] if sync else ["--no-sync"])]
    # Full-text search asks the system's ctype what a letter is: under plain C a dash or a typographic quote is
    # one. A system without C.UTF-8 still gets a database.
    problem = ""
    for ctype in ("C.UTF-8", "C"):
        problem = _run([*argv, f"--lc-ctype={ctype}"], cluster.parent, account)
        if not problem:
            return
        if "invalid locale name" not in problem:
            break
    raise ServiceFailed(f"initdb could not make {cluster}", problem)


def _run(argv: list[str], cwd: Path, account: Account | None) -> str:
    """Run a program to its end; return its error output if it failed, else an empty string."""
    try:
        process = spawn(argv, cwd=cwd, account=account, output=subprocess.PIPE)
        output, _ = process.communicate(timeout=INITDB_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"no end after {INITDB_WITHIN_S:.0f} s"
    return "" if process.returncode == 0 else output.decode(errors="replace") or f"exit code {process.returncode}"


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != POSTGRES_MAJOR:
        raise ServiceFailed(
            f"{cluster} was made by PostgreSQL {found}, this is {POSTGRES_MAJOR}: "
            "dump it with the old programs and load it into an empty data folder"
        )
