"""Makes a backup: pg_dump of one snapshot, with the counts from the same snapshot."""

from __future__ import annotations

import errno
import re
import shlex
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared import faults
from shared.embedded.process import SERVER_ENVIRONMENT, ServerProcess, ServiceFailed, run_to_end
from shared.embedded.programs import postgres_programs
from shared.errors import Permanent, Transient
from shared.settings import child_environment
from shared.store.lifecycle import backups as store
from tasks.lifecycle.backup import tunnel
from tasks.lifecycle.backup.folder import DUMP, Backup, BackupFolder, checksum, name_of
from tasks.operations.jobs import Work

COMPRESSION = "gzip:1"
LOCK_WAIT_S = 20
GROWTH = 1.2
"""So much room of the last backup's size must be free: running into the end of a disk stops others, too."""
_OURS_ALONE = ("--exclude-extension=*", "--exclude-schema=pg_catalog", "--no-large-objects")
"""Without privileges on the server's own functions, which only a superuser could restore, and without large objects: we
have none, and one that any other role has made could not be read."""
_LOG = "log"
_QUOTED = re.compile(r'"[^"]*"')
_NAME = re.compile(r'"[a-z0-9_.]{1,63}"')


class NoRoom(Transient):
    """The disk of the backups is too full for another one."""


class BackupFailed(Permanent):
    """The program that makes or restores it failed."""

    def __init__(self, message: str) -> None:
        super().__init__("backup", message)


def make(work: Work, place: BackupFolder) -> Backup:
    """Make a backup, complete or not at all. Within place.held(). Raises NoRoom, BackupFailed."""
    _need_room(place)
    half = place.half(name_of(work.clock.now()))
    started = time.monotonic()
    try:
        manifest = _own_tool(work, half) if work.settings.backup.command else _dump(work, half)
        (half / _LOG).unlink(missing_ok=True)
        faults.reach("backup.before_name")
        return place.keep(half, {**manifest, "seconds": round(time.monotonic() - started, 1)})
    except BaseException as e:
        shutil.rmtree(half, ignore_errors=True)
        if _means_no_room(e):
            raise NoRoom(f"BACKUP_DIR: the disk of {place.path} is full: make room, or keep fewer backups") from e
        raise


def _need_room(place: BackupFolder) -> None:
    newest = next(iter(place.all()), None)
    if newest is not None and place.free_bytes() < GROWTH * newest.size:
        raise NoRoom(
            f"BACKUP_DIR: {place.free_bytes()} bytes are free on the disk of {place.path}, the last backup took"
            f" {newest.size}: make room, or keep fewer backups"
        )


def _means_no_room(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or (
        isinstance(error, BackupFailed) and "No space left on device" in str(error)
    )


def _dump(work: Work, half: Path) -> dict[str, Any]:
    """Dump the database under a snapshot held by a separate transaction, so that the counted rows are exactly those
    dumped."""
    url = work.settings.need("DATABASE_ADMIN_URL")
    with psycopg.connect(url, connect_timeout=5, prepare_threshold=None, application_name="switchboard backup") as conn:
        conn.isolation_level, conn.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        conn.execute(
            """
            /* backups.bound */
            SELECT
                set_config('statement_timeout', %s, true),
                set_config('idle_in_transaction_session_timeout', '0', true)
            """,
            (str(round(work.settings.backup.deadline_s * 1000)),),
        )
        row = conn.execute("""
            /* backups.snapshot */
            SELECT
                pg_export_snapshot(),
                pg_database_size(current_database()),
                current_setting('server_version')
        """).fetchone()  # fmt: skip
        assert row is not None
        snapshot, database_bytes, version = row
        facts, roles = store.facts(conn), store.roles(conn)
        run(
            "pg_dump",
            ["--format=custom", f"--compress={COMPRESSION}", f"--snapshot={snapshot}", *_OURS_ALONE,
             f"--lock-wait-timeout={LOCK_WAIT_S}s", "--no-sync", f"--file={half / DUMP}"],
            url, work, half,
        )  # fmt: skip
    return {
        "made_by": "pg_dump", "server_version": version, "database_bytes": database_bytes, "roles": roles,
        "facts": facts, "sha256": checksum(half / DUMP, work.keep),
    }  # fmt: skip


def _own_tool(work: Work, half: Path) -> dict[str, Any]:
    run_command(work.settings.backup.command, "BACKUP_COMMAND", half, work, half / _LOG)
    return {"made_by": "command", "facts": store.facts(work.conn)}


def run(program: str, arguments: list[str], url: str, work: Work, folder: Path) -> None:
    """One of PostgreSQL's client programs on this database; its log lies in the folder. Raises BackupFailed."""
    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    password = str(parts.pop("password", None) or "")  # everybody on the machine can see a command line
    environment = {**SERVER_ENVIRONMENT, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}
    with tunnel.plain(parts) as reached:
        argv = [str(postgres_programs() / program), f"--dbname={make_conninfo('', **reached)}", *arguments]
        _run(program, argv, environment, work, folder / _LOG, folder)


def run_command(command: str, setting: str, folder: Path, work: Work, log: Path) -> None:
    """A tool of the operator's; exit code 0 means that all is well. Raises BackupFailed."""
    parts = conninfo_to_dict(work.settings.need("DATABASE_ADMIN_URL"))
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
             "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip
    told = {variable: str(parts[key]) for key, variable in names.items() if parts.get(key)}
    argv = shlex.split(command)
    if not argv:
        raise BackupFailed(f"{setting} holds no command")
    _run(setting, argv, child_environment({**told, "BACKUP_FOLDER": str(folder)}), work, log, folder)


def _run(
    name: str, argv: list[str], environment: Mapping[str, str], work: Work, log: Path, cwd: Path
) -> None:  # fmt: skip
    process = ServerProcess(name, log, signal.SIGTERM)
    within_s = work.settings.backup.deadline_s
    try:
        run_to_end(process, argv, cwd=cwd, environment=environment, within_s=within_s, meanwhile=work.keep)
    except ServiceFailed as e:
        raise BackupFailed(f"{str(e).splitlines()[0]}{_first_error(e.log)}") from e
    except OSError as e:
        raise BackupFailed(f"{name}: {argv[0]} cannot be run: {e.strerror}") from e


def _first_error(log: str) -> str:
    """Return the line that gives the reason, without what it may quote of a row."""
    line = next((line for line in log.splitlines() if "error" in line.lower() or "No space" in line), "")
    return f": {_QUOTED.sub(lambda m: m[0] if _NAME.fullmatch(m[0]) else '…', line)[:300]}" if line else ""
