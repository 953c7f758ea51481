"""Real PostgreSQL and Valkey for the tests: started once, in a folder that is gone afterwards."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

from shared.embedded import Database, DataFolder, Postgres, Valkey
from shared.errors import SettingsError

PREFIX = "switchboard-test-"
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 1024**3


def _in_memory() -> Path | None:
    """A folder in memory, where there is room and programs may run. Each test's database is four hundred files copied
    and deleted again: 14 ms there, and 25 to 500 ms on a disk."""
    try:
        found = os.statvfs(MEMORY)
    except OSError:
        return None
    roomy = found.f_bavail * found.f_frsize >= MEMORY_BYTES_MIN
    return MEMORY if roomy and not found.f_flag & os.ST_NOEXEC and os.access(MEMORY, os.W_OK) else None


# Root's clusters go where temporary things go, not where an installation keeps its own.
PLACES_FOR_ROOT = ((_in_memory() or Path("/var/tmp")) / "switchboard-test",)
LEFTOVER_AFTER_S = 3600
TEMPLATE = "migrated"


@contextmanager
def temporary_folder() -> Iterator[DataFolder]:
    """An open data folder, deleted at the end with all that the servers put there."""
    folder = DataFolder(Path(tempfile.mkdtemp(prefix=PREFIX, dir=_in_memory())), places_for_root=PLACES_FOR_ROOT)
    with folder:
        try:
            yield folder
        finally:
            folder.discard()


def discard_leftovers() -> None:
    """Delete the folders of test runs that were killed; a run that still goes on holds its folder's lock."""
    for path in (_in_memory() or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        try:
            if time.time() - path.stat().st_mtime < LEFTOVER_AFTER_S:
                continue
            DataFolder(path, places_for_root=PLACES_FOR_ROOT).open().discard()
        except (SettingsError, OSError):
            continue  # in use, somebody else's, or just deleted by another run


@dataclass
class Services:
    """The servers that all tests share. PostgreSQL without fsync; Valkey as in production."""

    postgres: Postgres
    valkey: Valkey
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _logical_databases: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(1, 16)))
    _template_made: bool = False

    @contextmanager
    def migrated_database(self) -> Iterator[Database]:
        """A database of its own with the current schema and no rows."""
        self._make_template()
        with self._database(TEMPLATE) as database:
            yield database

    @contextmanager
    def empty_database(self) -> Iterator[Database]:
        """A database of its own as an operator would make it: pgvector and roles, no schema."""
        with self._database(None) as database:
            yield database

    @contextmanager
    def redis_database(self) -> Iterator[str]:
        """The URL of a logical database with nothing in it. Publishing is not divided by these."""
        url = self.valkey.database_url(next(self._logical_databases))
        _flush(url)
        try:
            yield url
        finally:
            _flush(url)

    @contextmanager
    def _database(self, template: str | None) -> Iterator[Database]:
        database = self.postgres.create_database(f"test_{next(self._numbers)}", template)
        try:
            yield database
        finally:
            self.postgres.drop_database(database.name)

    def _make_template(self) -> None:
        if self._template_made:
            return
        from shared.store.db.migrate import migrate  # only the tests that need a schema depend on it

        self.postgres.drop_database(TEMPLATE)  # of an attempt whose migration failed
        migrate(self.postgres.create_database(TEMPLATE).admin_url)
        with psycopg.connect(self.postgres.superuser_url, autocommit=True) as connection:
            # PostgreSQL copies only what nobody is connected to.
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(TEMPLATE)))
        self._template_made = True


@contextmanager
def running_services() -> Iterator[Services]:
    discard_leftovers()
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        postgres = stack.enter_context(Postgres(folder, port=_any_port(), fsync=False))
        valkey = stack.enter_context(Valkey(folder, port=_any_port()))
        yield Services(postgres, valkey)


@contextmanager
def private_valkey(**options: Any) -> Iterator[Valkey]:
    """A server for one test, which may fill, kill and restart it. options: as for Valkey."""
    with temporary_folder() as folder, Valkey(folder, port=_any_port(), **options) as server:
        yield server


@contextmanager
def private_postgres(**options: Any) -> Iterator[Postgres]:
    """A server for one test, which may kill and restart it. options: as for Postgres."""
    with temporary_folder() as folder, Postgres(folder, port=_any_port(), **{"fsync": False, **options}) as server:
        yield server


def _any_port() -> int:
    # Not the preferred ones: a developer's own system may start on them while the tests run.
    from shared.embedded.ports import choose_port

    return choose_port(None)


def _flush(url: str) -> None:
    client = redis.Redis.from_url(url, socket_timeout=5.0)
    try:
        client.flushdb()
    finally:
        client.close()
