"""Restores a backup beside the current database, compares it, makes it safe, and only then exchanges the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg
from psycopg import sql

from shared.embedded import DataFolder, Postgres
from shared.embedded.postgres import DATABASE
from shared.errors import Permanent
from shared.store.db import migrate
from shared.store.db.pool import Conn
from shared.store.lifecycle import backups as store
from shared.store.lifecycle import data_subjects
from tasks.lifecycle import data_subject
from tasks.lifecycle.backup.dump import BackupFailed
from tasks.lifecycle.backup.folder import Backup
from tasks.lifecycle.backup.prove import add_roles, check_files, restore_into
from tasks.operations.jobs import Work

RESTORING = "switchboard_restoring"
REPLACED = "switchboard_before_"


@dataclass(slots=True)
class Restored:
    """held: what was under way in the backup, by kind. erased: contacts that were erased once more. before: the
    database that was replaced, None if there was none with a schema."""

    held: dict[str, int] = field(default_factory=dict)
    erased: list[tuple[int, int]] = field(default_factory=list)
    before: str | None = None


def into_data_dir(work: Work, backup: Backup, *, now: datetime) -> Restored:
    """Put a backup in the place of the embedded database of DATA_DIR, whose system must be stopped. Until the last
    step nothing of what there is has changed, and the old database stays beside it, under another name.

    work.conn is not used. Raises SettingsError while the system runs, BackupFailed.
    """
    _need_known_schema(backup)
    with DataFolder(work.settings.system.data_dir) as folder, Postgres(folder) as server:
        server.drop_database(RESTORING)  # of an attempt that was ended
        database = server.create_database(RESTORING)
        add_roles(server, backup)
        erased = _erased_since(server.database(DATABASE).admin_url, backup)
        found = into_empty(work, backup, database.admin_url, erased)
        found.before = _exchange(server, f"{REPLACED}{now:%Y%m%dT%H%M%SZ}".lower())
    return found


def drop_replaced(work: Work) -> list[str]:
    """Delete the databases that restoring replaced, for good; returns their names. The system must be stopped."""
    with DataFolder(work.settings.system.data_dir) as folder, Postgres(folder) as server, _as_superuser(server) as conn:
        rows = conn.execute(
            """
            /* backups.drop_replaced */
            SELECT datname::text
            FROM pg_database
            WHERE starts_with(datname::text, %s)
            ORDER BY 1
            """,
            (REPLACED,),
        ).fetchall()
        for (name,) in rows:
            server.drop_database(str(name))
    return [str(name) for (name,) in rows]


def into_empty(work: Work, backup: Backup, admin_url: str, erased: list[tuple[int, int]]) -> Restored:
    """Restore into an empty database, hold it against what was counted, and make it safe to work with. Raises
    Permanent if it is not empty, BackupFailed."""
    _need_known_schema(backup)
    check_files(work, backup)
    with psycopg.connect(admin_url, autocommit=True, prepare_threshold=None) as conn:
        _need_empty(conn)
        restore_into(work, backup, admin_url)
        wrong = store.differences(backup.manifest["facts"], store.facts(conn))
        if wrong:
            raise BackupFailed(f"{backup.name} restores to something else: {'; '.join(wrong[:5])}")
        with conn.transaction():
            held = store.hold_open_work(conn)
        done = [who for who in erased if _erase(replace(work, conn=conn), *who)]
        conn.execute("/* backups.analyze */ ANALYZE")
    return Restored(held, done)


def _need_known_schema(backup: Backup) -> None:
    unknown = migrate.unknown(backup.manifest.get("facts", {}).get("migrations", {}))
    if unknown:
        raise BackupFailed(f"{backup.name} has migrations that this version does not know ({', '.join(unknown[:3])}):"
                           " restore it with the version that made it, or a newer one")  # fmt: skip


def _need_empty(conn: Conn) -> None:
    row = conn.execute(
        """
        /* backups.need_empty */
        SELECT count(*)
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
          AND relkind IN ('r', 'p', 'v')
        """
    ).fetchone()
    if row is None or row[0] != 0:
        raise Permanent("backup", "that database is not empty: make a new one (scripts/postgres-roles.sh shows how)")


def _erased_since(admin_url: str, backup: Backup) -> list[tuple[int, int]]:
    """Return the erasures that the replaced database knows of; none if it is empty or cannot be read."""
    try:
        with psycopg.connect(admin_url, autocommit=True, prepare_threshold=None) as conn:
            return store.erased_since(conn, backup.made_at)
    except psycopg.Error:
        return []


def _erase(work: Work, company_id: int, contact_id: int) -> bool:
    """Erase a data subject from the restored database. False: this backup has nothing of them."""
    contact = data_subjects.one(work.conn, company_id, contact_id)
    if contact is None:
        return False
    data_subject.erase(work, contact, by="restore")
    return True


def _exchange(server: Postgres, old_name: str) -> str | None:
    """Give the restored database the name of the old one, in one transaction. An old one without a schema is
    dropped."""
    with _as_superuser(server) as conn:
        with psycopg.connect(server.database(DATABASE).admin_url, autocommit=True) as old:
            row = old.execute("/* backups.exchange */ SELECT to_regclass('schema_migrations') IS NOT NULL").fetchone()
            has_schema = bool(row and row[0])
        with conn.transaction():
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            conn.execute(rename.format(sql.Identifier(DATABASE), sql.Identifier(old_name)))
            conn.execute(rename.format(sql.Identifier(RESTORING), sql.Identifier(DATABASE)))
        if not has_schema:
            server.drop_database(old_name)
    return old_name if has_schema else None


@contextmanager
def _as_superuser(server: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.superuser_url, autocommit=True) as conn:
        yield conn
