"""Proves that a backup restores: into a temporary PostgreSQL, where its rows are counted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from shared.embedded import DataFolder, Postgres
from shared.embedded.postgres import ADMIN, Database
from shared.embedded.process import ServiceFailed
from shared.store.lifecycle import backups as store
from tasks.lifecycle.backup.dump import BackupFailed, NoRoom, run, run_command
from tasks.lifecycle.backup.folder import Backup, BackupFolder, Proof, checksum
from tasks.operations.jobs import Work

SCRATCH = "proof"
JOBS = 2
ROOM = 1.3
"""Of the database's size: its tables and indexes again, and what building indexes takes."""
LINES = 5
# It lives for minutes and is thrown away: nothing of it must survive a power loss.
SERVER = {"shared_buffers": "64MB", "wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off"}


def prove(work: Work, place: BackupFolder, backup: Backup) -> str:
    """`restored`, or `unproven` where it was made by a tool of the operator's that has no proof. Raises BackupFailed
    with what is wrong, after noting it; NoRoom where the proof has none. Within place.held()."""
    try:
        proof, wrong = _by_own_tool(work, backup) if _is_of_own_tool(backup) else _by_restoring(work, backup)
    except BackupFailed:
        _note(work, place, backup, "failed")
        raise
    _note(work, place, backup, proof)
    if wrong:
        raise BackupFailed(f"{backup.name} restores to something else: {'; '.join(wrong[:LINES])}")
    return proof


def _note(work: Work, place: BackupFolder, backup: Backup, proof: str) -> None:
    store.note_proof(work.conn, backup.name, proof)
    with suppress(OSError):  # a disk that takes nothing: the database knows it all the same
        place.note_proof(backup, Proof(proof, work.clock.now()))


def _is_of_own_tool(backup: Backup) -> bool:
    return backup.manifest.get("made_by") == "command"


def _by_own_tool(work: Work, backup: Backup) -> tuple[str, list[str]]:
    if not work.settings.backup.prove_command:
        return "unproven", []
    log = work.settings.system.data_dir / "log"
    log.mkdir(mode=0o700, parents=True, exist_ok=True)
    run_command(work.settings.backup.prove_command, "BACKUP_PROVE_COMMAND", backup.path, work, log / "backup-proof.log")
    return "restored", []


def _by_restoring(work: Work, backup: Backup) -> tuple[str, list[str]]:
    check_files(work, backup)
    try:
        with _scratch(work, backup) as database:
            restore_into(work, backup, database.admin_url)
            with psycopg.connect(database.admin_url, prepare_threshold=None) as conn:
                wrong = store.differences(backup.manifest["facts"], store.facts(conn))
    except (ServiceFailed, psycopg.Error) as e:
        raise BackupFailed(f"{backup.name}: the PostgreSQL for the proof failed ({type(e).__name__})") from e
    return ("differs" if wrong else "restored"), wrong


def check_files(work: Work, backup: Backup) -> None:
    """Raises BackupFailed if the files are not those that were written."""
    wanted = backup.manifest.get("sha256")
    if wanted is None or not backup.dump.is_file():
        raise BackupFailed(f"{backup.path} is damaged: its manifest or its dump is missing")
    if checksum(backup.dump, work.keep) != wanted:
        raise BackupFailed(f"{backup.path} is damaged: its dump is not what was written")


def restore_into(work: Work, backup: Backup, admin_url: str) -> None:
    """Restore into an empty database that has pgvector, as its owner. Raises BackupFailed at the first error."""
    folder = work.settings.system.data_dir / "restore"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        arguments = ["--exit-on-error", "--no-owner", f"--jobs={JOBS}", str(backup.dump)]
        run("pg_restore", arguments, admin_url, work, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # its log may quote rows


@contextmanager
def _scratch(work: Work, backup: Backup) -> Iterator[Database]:
    """Start a PostgreSQL of its own with an empty database and the roles that the dump names."""
    path = work.settings.system.data_dir / SCRATCH
    _clear(path)
    with DataFolder(path) as folder:
        try:
            _need_room(folder, backup)
            with Postgres(folder, fsync=False, extra=SERVER) as server:
                database = server.create_database(SCRATCH)
                add_roles(server, backup)
                yield database
        finally:
            folder.discard()


def _clear(path: Path) -> None:
    """Remove what a killed proof left. Raises SettingsError while another one is running."""
    if path.exists():
        DataFolder(path).open().discard()


def _need_room(folder: DataFolder, backup: Backup) -> None:
    needed = ROOM * int(backup.manifest.get("database_bytes", 0))
    free = shutil.disk_usage(folder.path).free
    if free < needed:
        raise NoRoom(f"DATA_DIR: {free} bytes are free, trying whether {backup.name} restores takes {needed:.0f}")


def add_roles(server: Postgres, backup: Backup) -> None:
    """Roles that the dump grants to or speaks for, without a login, where they do not exist."""
    with psycopg.connect(server.superuser_url, autocommit=True) as conn:
        known = {name for (name,) in conn.execute("/* backups.roles */ SELECT rolname FROM pg_roles").fetchall()}
        for name in backup.manifest.get("roles", []):
            if name not in known:
                role = sql.Identifier(name)
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
                conn.execute(sql.SQL("GRANT {} TO {}").format(role, sql.Identifier(ADMIN)))


__all__ = ["add_roles", "check_files", "prove", "restore_into"]
