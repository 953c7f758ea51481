"""An embedded PostgreSQL 18 with pgvector, and the roles and the database that Switchboard expects."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import Self

import psycopg
from psycopg import sql

from shared.embedded import programs
from shared.embedded.account import take_over, unprivileged_account
from shared.embedded.cluster import SUPERUSER, ensure_cluster
from shared.embedded.folder import DataFolder
from shared.embedded.process import ServiceFailed, stop_leftover
from shared.embedded.server import EmbeddedServer
from shared.store.db.migrate import FORBID_LARGE_OBJECTS

PREFERRED_PORT = 15432
ADMIN, APP = "switchboard_admin", "switchboard_app"
DATABASE = "switchboard"
# Only what differs from PostgreSQL's defaults. Each is a choice for a small machine or for privacy.
SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path would have to be short, and reachable for two accounts
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "192MB",
    "maintenance_work_mem": "128MB",  # an HNSW index that fits is built several times faster
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",  # SSD
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "jit": "off",  # it costs more than it saves on statements of milliseconds
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # An error's detail and its statement can hold what customers wrote; neither may be logged.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
}
UNSAFE_AND_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Database:
    """One database of the embedded server. url: as switchboard_app. admin_url: as switchboard_admin."""

    name: str
    url: str
    admin_url: str


class Postgres(EmbeddedServer):
    """start() returns when everything is usable.

    port: preferred one, None for 15432; another is taken if it is in use, and then kept across restarts.
    fsync: False for tests only; a power loss then loses or corrupts data.
    extra: further server settings. Raises ServiceFailed with the last lines of the log.
    """

    name = "PostgreSQL"
    gently = signal.SIGINT  # fast shutdown: open transactions are rolled back
    stop_within_s = 30.0

    def __init__(
        self, folder: DataFolder, *, port: int | None = None, fsync: bool = True, extra: dict[str, str] | None = None
    ) -> None:
        super().__init__(folder, port or PREFERRED_PORT)
        self._fsync = fsync
        self._settings = {**SERVER_SETTINGS, **({} if fsync else UNSAFE_AND_FAST), **(extra or {})}
        self._binaries = self._cluster = folder.path  # until start()

    def start(self, within_s: float = 60.0) -> Self:
        account = unprivileged_account()
        place = self._folder.place_for_root() if account else self._folder.path
        cluster = self._cluster = place / "postgres"
        stop_leftover(cluster / "postmaster.pid", str(cluster), self.gently, self.stop_within_s)
        if account is not None:
            for name in ("postgres", "postgres-abandoned"):
                take_over(place / name, account)
        self._binaries = programs.copied_postgres_programs(place) if account else programs.postgres_programs()
        ensure_cluster(self._folder, self._binaries, cluster, account, sync=self._fsync)
        self._launch(self._folder.log_file("postgres"), cluster, account, time.monotonic() + within_s)
        try:
            self._provision()
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def superuser_url(self) -> str:
        return self._url(SUPERUSER, "postgres")

    @property
    def database_admin_url(self) -> str:
        return self._url(ADMIN, DATABASE)

    @property
    def database_url(self) -> str:
        return self._url(APP, DATABASE)

    def database(self, name: str) -> Database:
        return Database(name, url=self._url(APP, name), admin_url=self._url(ADMIN, name))

    def create_database(self, name: str, template: str | None = None) -> Database:
        """Make a database owned by switchboard_admin, with pgvector; from a template it has all of that one.

        Nobody may be connected to the template. Raises psycopg.errors.DuplicateDatabase.
        """
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(
                # Copying files beats writing a copy of the template to the WAL, and needs a checkpoint, which
                # is cheap without fsync only.
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY {}").format(
                    sql.Identifier(name),
                    sql.Identifier(ADMIN),
                    sql.Identifier(template or "template1"),
                    sql.SQL("wal_log" if self._fsync else "file_copy"),
                )
            )
            _forbid_temporary_objects(connection, name)
        if template is None:
            self._furnish(name)
        return self.database(name)

    def drop_database(self, name: str) -> None:
        """Delete a database if it exists; connections to it are ended."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._folder.secret(role)}@127.0.0.1:{self._address_port()}/{database}"

    def _argv(self) -> list[str]:
        argv = [str(self._binaries / "postgres"), "-D", str(self._cluster), "-p", str(self.port)]
        return argv + [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]

    def _passes(self, log: str) -> bool:
        # After a SIGKILL its children need a moment to notice and to let go of the shared memory.
        return "shared memory block" in log

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.superuser_url, connect_timeout=2).close()
        except psycopg.OperationalError as e:
            if "password authentication failed" in str(e) and self._ours_is_ready():
                secrets = self._folder.path / "secrets.json"
                raise ServiceFailed(f"the passwords in {secrets} are not those of its database") from e
            return False  # not listening yet, still recovering, or a stranger answers and ours is about to say so
        return True

    def _ours_is_ready(self) -> bool:
        """Whether the server that was started here takes connections, by the lock file that it keeps: its first line is
        its process, its eighth how far it is."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return False  # not written yet, or gone with the server
        return len(lines) > 7 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def _provision(self) -> None:
        """Make the roles and the database, or change them to what they must be."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role, attributes in (
                # Maintenance and the operators' commands see all companies.
                (ADMIN, "LOGIN NOSUPERUSER BYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"),
                (APP, "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"),
            ):
                # The verifier instead of the password: no log can show what was never sent.
                verifier = connection.pgconn.encrypt_password(
                    self._folder.secret(role).encode(), role.encode(), b"scram-sha-256"
                ).decode()
                connection.execute(
                    sql.SQL("{} ROLE {} WITH {} PASSWORD {}").format(
                        sql.SQL("ALTER" if role in roles else "CREATE"),
                        sql.Identifier(role),
                        sql.SQL(attributes),
                        sql.Literal(verifier),
                    )
                )
                # Each role may change its own defaults, also to what nothing works with.
                connection.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(role)))
            # Jobs and commands report long statements and replicas of every role.
            connection.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(ADMIN)))
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if known:
                _forbid_temporary_objects(connection, DATABASE)
                for role in (ADMIN, APP):
                    reset = sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL")
                    connection.execute(reset.format(sql.Identifier(role), sql.Identifier(DATABASE)))
        if known:
            self._furnish(DATABASE)
        else:
            self.create_database(DATABASE)

    def _furnish(self, name: str) -> None:
        """Do what only a superuser can do inside a database: create pgvector, which is not a trusted extension."""
        with psycopg.connect(self._url(SUPERUSER, name), autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute(FORBID_LARGE_OBJECTS)
            connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(ADMIN)))
            connection.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(ADMIN))
            )


def _forbid_temporary_objects(connection: psycopg.Connection, name: str) -> None:
    """A database's privileges are copied from no template, and by default everybody may make temporary objects."""
    connection.execute(
        sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, {}").format(sql.Identifier(name), sql.Identifier(APP))
    )
