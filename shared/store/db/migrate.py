"""Numbered SQL files, applied once each, in order, under a lock, with checksums; and functions, applied whenever they
changed.

    migrations/0001_baseline/             a folder is one migration: its files in order, in one transaction
    migrations/0002_some_words.sql        a file is one, too
    migrations/0002_some_words.undo.sql   what takes it back, or the file says `-- no undo: why`
    migrations/functions/*.sql            functions and triggers: CREATE OR REPLACE, applied when their text changed
    migrations/functions/before_tables/   those that constraints, indexes and policies use: applied before the tables
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from shared.errors import SettingsError
from shared.settings import PROJECT_ROOT
from shared.store.db import old_chain

FOLDER = PROJECT_ROOT / "migrations"
FUNCTIONS = "functions"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+(\.sql)?")
_LOCK = 7_349_201  # any number, the same for all
RAISED = "01000"  # the state of a `RAISE WARNING`; PostgreSQL's own warnings have others
APPLICATION_ROLE = "switchboard_app"  # as the files name it


def files(folder: Path = FOLDER) -> list[tuple[str, str]]:
    """(name, SQL) in the order in which an empty database gets them: functions that tables use, what is numbered, the
    other functions. Raises ValueError on a gap, a double number, an undo of nothing, or nothing that is numbered."""
    functions = folder / FUNCTIONS
    return [
        *((_repeatable_name(folder, path), path.read_text("utf-8")) for path in _sql_in(functions / "before_tables")),
        *_numbered(folder),
        *((_repeatable_name(folder, path), path.read_text("utf-8")) for path in _sql_in(functions)),
    ]


def _numbered(folder: Path) -> list[tuple[str, str]]:
    undos = {path.name for path in folder.glob("*.undo.sql")}
    paths = sorted(
        path for path in folder.iterdir()
        if (path.suffix == ".sql" and path.name not in undos) or (path.is_dir() and path.name[:1].isdigit())
    )  # fmt: skip
    for expected, path in enumerate(paths, 1):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[1]) != expected or path.is_dir() != (match[2] is None):
            raise ValueError(f"migrations/{path.name}: the next file should be {expected:04d}_some_words.sql")
    if not paths:
        raise ValueError(f"{folder} holds no migration")
    if stray := undos - {_undo_name(path.name) for path in paths}:
        raise ValueError(f"migrations/{min(stray)} undoes no migration that is there")
    return [(path.name, _text(path)) for path in paths]


def _text(path: Path) -> str:
    """Of a folder the texts of its files, each under its name."""
    if path.is_dir():
        return "\n".join(f"-- {part.name}\n{part.read_text('utf-8')}" for part in _sql_in(path))
    return path.read_text("utf-8")


def _sql_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.sql"))


def _repeatable_name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def is_repeatable(name: str) -> bool:
    return name.startswith(f"{FUNCTIONS}/")


def _undo_name(name: str) -> str:
    return f"{name.removesuffix('.sql')}.undo.sql"


def checksum(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def migrate(admin_url: str, folder: Path = FOLDER, told: Callable[[str], None] = lambda _: None) -> list[str]:
    """Apply what is missing or, of functions, what changed, each file in a transaction of its own; returns the names
    applied. told: gets each change of existing rows that a file warns about, such as a name that had to be changed.

    Raises SettingsError when the application role is missing, when it may make objects of its own and this role cannot
    forbid it, when a numbered migration was changed after it was applied, or when the database stands in the middle of
    the migrations that the baseline replaced.
    """
    with _locked(admin_url) as conn:
        conn.add_notice_handler(lambda said: told(said.message_primary or "") if said.sqlstate == RAISED else None)
        _need_application_role(conn)
        conn.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        wanted = [(name, content, checksum(content)) for name, content in files(folder)]
        applied = old_chain.adopted(conn, _applied(conn), {name: sum_ for name, _, sum_ in wanted})
        for name, _, sum_ in wanted:
            if not is_repeatable(name) and applied.get(name, sum_) != sum_:
                raise SettingsError(f"migrations/{name} was changed after it was applied: add a new file instead")
        done = []
        for name, content, sum_ in wanted:
            if applied.get(name) == sum_:
                continue
            with conn.transaction():
                conn.execute(content.encode())
                conn.execute(RECORD, {"name": name, "checksum": sum_})
            done.append(name)
        _forbid_objects(conn)
        return done


RECORD = """
    /* migrate.record */
    INSERT INTO schema_migrations (name, checksum)
    VALUES (%(name)s, %(checksum)s)
    ON CONFLICT (name) DO UPDATE
    SET checksum = excluded.checksum, applied_at = excluded.applied_at
"""

FORGET = """
    /* migrate.forget */
    DELETE FROM schema_migrations
    WHERE name = %(name)s OR starts_with(name, %(functions)s)
"""


def undo(admin_url: str, folder: Path = FOLDER) -> str:
    """Take the newest numbered migration back; returns its name. All functions are applied anew by the next migrate(),
    by this version or an older one. Raises SettingsError where there is no undo."""
    with _locked(admin_url) as conn:
        numbered = [name for name in _applied(conn) if not is_repeatable(name)]
        name = max(numbered, default="nothing")
        path = folder / _undo_name(name)
        if not path.exists():
            raise SettingsError(f"the newest migration ({name}) has no undo here: restore a backup instead")
        with conn.transaction():
            conn.execute(path.read_bytes())
            conn.execute(FORGET, {"name": name, "functions": f"{FUNCTIONS}/"})
        return name


@contextmanager
def _locked(admin_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # freed with the connection
        yield conn


def _applied(conn: psycopg.Connection) -> dict[str, str]:
    """Checksums by name."""
    return dict(conn.execute("/* migrate.applied */ SELECT name, checksum FROM schema_migrations").fetchall())


def pending(admin_or_app_url: str, folder: Path = FOLDER) -> list[str]:
    """Names of files not yet applied, of functions also those that changed since; changes nothing."""
    with psycopg.connect(admin_or_app_url, autocommit=True, connect_timeout=5) as conn:
        row = conn.execute("SELECT to_regclass('schema_migrations')").fetchone()
        known = _applied(conn) if row is not None and row[0] is not None else {}
        return [
            name for name, content in files(folder)
            if name not in known or (is_repeatable(name) and known[name] != checksum(content))
        ]  # fmt: skip


def unknown(applied: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """Of a database's migrations (checksums by name) those that migrate() would not go on from. Functions are not among
    them: they are replaced by this version's."""
    if old_chain.is_whole(applied):
        return []
    known = {name: checksum(content) for name, content in files(folder)}
    return [name for name, sum_ in applied.items() if not is_repeatable(name) and known.get(name) != sum_]


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
