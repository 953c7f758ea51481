"""Numbered SQL files, applied once each, in order, under a lock, with checksums."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import psycopg

from shared.errors import SettingsError

FOLDER = Path(__file__).resolve().parent.parent.parent / "migrations"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 7_349_201  # any number, the same for all
APPLICATION_ROLE = "switchboard_app"  # as the files name it


def files(folder: Path = FOLDER) -> list[tuple[str, str]]:
    """(name, SQL) in order. Raises ValueError on a gap or a double number."""
    names = sorted(path.name for path in folder.glob("*.sql"))
    for expected, name in enumerate(names, 1):
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) != expected:
            raise ValueError(f"migrations/{name}: the next file should be {expected:04d}_some_words.sql")
    return [(name, (folder / name).read_text("utf-8")) for name in names]


def checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def migrate(admin_url: str, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; returns the names applied.

    Raises SettingsError when the application role is missing or an applied file was changed since.
    """
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # freed with the connection
        _need_application_role(conn)
        conn.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied: dict[str, str] = dict(conn.execute("SELECT name, checksum FROM schema_migrations").fetchall())
        done = []
        for name, sql in files(folder):
            if name in applied:
                if applied[name] != checksum(sql):
                    raise SettingsError(f"migrations/{name} was changed after it was applied: add a new file instead")
                continue
            with conn.transaction():
                conn.execute(sql.encode())
                conn.execute("INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", (name, checksum(sql)))
            done.append(name)
        return done


def pending(admin_or_app_url: str, folder: Path = FOLDER) -> list[str]:
    """Names of files not yet applied; changes nothing."""
    with psycopg.connect(admin_or_app_url, autocommit=True, connect_timeout=5) as conn:
        row = conn.execute("SELECT to_regclass('schema_migrations')").fetchone()
        known = set()
        if row is not None and row[0] is not None:
            known = {name for (name,) in conn.execute("SELECT name FROM schema_migrations").fetchall()}
        return [name for name, _ in files(folder) if name not in known]


def _need_application_role(conn: psycopg.Connection) -> None:
    if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APPLICATION_ROLE,)).fetchone() is None:
        raise SettingsError(
            f"the role {APPLICATION_ROLE} does not exist: create it once with "
            f"CREATE ROLE {APPLICATION_ROLE} LOGIN PASSWORD '…' and name it in DATABASE_URL"
        )
