"""Numbered SQL files, applied once each, in order, under a lock, with checksums."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from shared.errors import SettingsError
from shared.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "migrations"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 7_349_201  # any number, the same for all
RAISED = "01000"  # the state of a `RAISE WARNING`; PostgreSQL's own warnings have others
OWNED_APPS = "0047_owned_apps.sql"
"""Disables channels of which only one may stand; which, `migrate` tells."""
APPLICATION_ROLE = "switchboard_app"  # as the files name it


def files(folder: Path = FOLDER) -> list[tuple[str, str]]:
    """(name, SQL) in order. Raises ValueError on a gap, a double number, or none at all."""
    names = sorted(path.name for path in folder.glob("*.sql"))
    for expected, name in enumerate(names, 1):
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) != expected:
            raise ValueError(f"migrations/{name}: the next file should be {expected:04d}_some_words.sql")
    if not names:
        raise ValueError(f"{folder} holds no migration")
    return [(name, (folder / name).read_text("utf-8")) for name in names]


def checksum(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def migrate(admin_url: str, folder: Path = FOLDER, told: Callable[[str], None] = lambda _: None) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; returns the names applied. told: gets each change
    of existing rows that a file warns about, such as a name that had to be changed.

    Raises SettingsError when the application role is missing, when it may make objects of its own and this role cannot
    forbid it, or when an applied file was changed since.
    """
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as conn:
        conn.add_notice_handler(lambda said: told(said.message_primary or "") if said.sqlstate == RAISED else None)
        conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # freed with the connection
        _need_application_role(conn)
        conn.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        applied: dict[str, str] = dict(conn.execute("SELECT name, checksum FROM schema_migrations").fetchall())
        done = []
        for name, content in files(folder):
            if name in applied:
                if applied[name] != checksum(content):
                    raise SettingsError(f"migrations/{name} was changed after it was applied: add a new file instead")
                continue
            enabled = _enabled_channels(conn) if name == OWNED_APPS else {}
            with conn.transaction():
                conn.execute(content.encode())
                conn.execute(
                    "INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", (name, checksum(content))
                )
            done.append(name)
            _tell_disabled(conn, enabled, told)
        _forbid_objects(conn)
        return done


def _enabled_channels(conn: psycopg.Connection) -> dict[tuple[int, int], str]:
    """Channels that work, by company and id, in words."""
    rows = conn.execute(
        """
        /* migrate.enabled_channels */
        SELECT
            c.company_id,
            c.id,
            format('%s, account %s, slug %s', c.platform, to_json(c.external_id), a.slug)
        FROM channels c
        JOIN apps a ON a.id = c.app_id
        WHERE c.state <> 'disabled'
        ORDER BY 1, 2
        """
    ).fetchall()
    return {(company_id, id_): words for company_id, id_, words in rows}


def _tell_disabled(
    conn: psycopg.Connection, before: Mapping[tuple[int, int], str], told: Callable[[str], None]
) -> None:
    """The channels of these that a file has disabled. OWNED_APPS does not say it itself, and a file that was applied
    cannot be changed."""
    for company_id, id_ in sorted(before.keys() - _enabled_channels(conn).keys()) if before else ():
        told(
            f"channel {company_id}/{id_} ({before[company_id, id_]}) is disabled now, because its slug or its account"
            " stood twice: see `channel list`, and connect each under a slug of its own"
        )


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


MAY_MAKE_OBJECTS = """
    /* migrate.may_make_objects */
    SELECT
        current_database(),
        has_database_privilege(%(role)s, current_database(), 'TEMPORARY'),
        has_schema_privilege(%(role)s, 'public', 'CREATE')
"""


FORBID_LARGE_OBJECTS = sql.SQL(
    "REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),"
    " pg_catalog.lo_from_bytea(oid, bytea), pg_catalog.lo_import(text), pg_catalog.lo_import(text, oid) FROM PUBLIC"
)
"""By a superuser: the server's own functions belong to nobody else."""


def _forbid_objects(conn: psycopg.Connection) -> None:
    """Let the application role make no object: one of its own could stand in for ours in a function that runs with the
    owner's rights. Not a numbered file, because a database's privileges are in no dump of it: a restored one has
    PostgreSQL's defaults again. Raises SettingsError where only somebody else may revoke them."""
    with suppress(psycopg.errors.InsufficientPrivilege):  # backups do without: dump.py
        conn.execute(FORBID_LARGE_OBJECTS)
    if not (todo := _revocations(conn)):
        return
    for statement in todo:
        with suppress(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)
    if left := _revocations(conn):
        raise SettingsError(
            f"the role {APPLICATION_ROLE} may make objects of its own in this database, and the role of "
            "DATABASE_ADMIN_URL cannot forbid it because it does not own the database: as the database's owner run "
            + "; ".join(statement.as_string(conn) for statement in left)
        )


def _revocations(conn: psycopg.Connection) -> list[sql.Composed]:
    row = conn.execute(MAY_MAKE_OBJECTS, {"role": APPLICATION_ROLE}).fetchone()
    assert row is not None
    database, temporary, create = row
    role, found = sql.Identifier(APPLICATION_ROLE), []
    if temporary:
        revoke = sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, {}")
        found.append(revoke.format(sql.Identifier(database), role))
    if create:
        found.append(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(role))
    return found
