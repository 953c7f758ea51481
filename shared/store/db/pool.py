"""Connections to PostgreSQL: bounded, checked, and safe behind a transaction pooler."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from weakref import WeakSet

import psycopg
import structlog
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolTimeout

from shared.errors import DatabaseRefused, DatabaseUnavailable, SettingsError
from shared.store.db import timed, vectors

log = structlog.get_logger(__name__)

Conn = Connection[tuple[object, ...]]

# psycopg's own pool logs carry connection strings' errors at WARNING each second while a database is down.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 30_000
# A transaction that died with its process' network must not hold a shard's or a row's lock for ever.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
LIFETIME_S = 600
"""A session keeps the settings that its role had when it began. What is changed there holds everywhere by then."""
USELESS = (
    psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName,
)  # fmt: skip
"""What a session says that sees another schema than ours, or whose server has become a replica. None of our statements
ends so otherwise."""
ONLY_WHEN_ASKED = 2**31
"""A prepare_threshold that no statement reaches by itself: prepared is what says `prepare=True`, as statements do
that find their rows by a primary key, whose plan is the same for every value."""


class Database:
    """A pool of connections as one role. Never open it before a fork.

    Each connection is checked before its first use: a database that was away at the start, or another one behind the
    same address, may know our role as one that sees every company.

    max_size: connections at most. timeout_s: how long a caller waits for one. connect_timeout_s: how long making one
    may take.
    """

    def __init__(
        self, url: str, *, max_size: int, timeout_s: float, name: str = "switchboard",
        connect_timeout_s: int = CONNECT_TIMEOUT_S,
    ) -> None:  # fmt: skip
        self._checked: WeakSet[Conn] = WeakSet()
        self._refused = False
        self._told = False
        self._pool: ConnectionPool[Conn] = ConnectionPool(
            url,
            connection_class=timed.Connection,
            min_size=0,
            max_size=max_size,
            timeout=timeout_s,
            max_idle=60,
            max_lifetime=LIFETIME_S,
            reconnect_timeout=5,
            open=False,
            check=None,
            configure=_configure,
            kwargs={
                # A transaction pooler hands each transaction another server connection: nothing prepared, no
                # state of ours. psycopg would prepare a statement the fifth time it sees it.
                "prepare_threshold": None,
                "connect_timeout": connect_timeout_s,
                "application_name": name,
                "client_encoding": "utf8",
                "autocommit": True,
                "keepalives": 1,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
            },
        )

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        self._pool.close(timeout=2)

    @contextmanager
    def connection(self) -> Iterator[Conn]:
        """A connection outside any transaction. Raises DatabaseUnavailable when there is none or it broke, as
        DatabaseRefused when its role is one that row-level security would not hold."""
        try:
            with self._pool.connection() as conn:
                if conn not in self._checked:
                    self._check(conn)
                try:
                    yield conn
                except USELESS:
                    conn.close()  # the pool makes another, which may reach a server or have settings that are right
                    raise
        except (PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError) as e:
            raise DatabaseUnavailable(describe(e), retry_after_s=1.0) from e

    def _check(self, conn: Conn) -> None:
        try:
            check_role(conn)
        except SettingsError as e:
            conn.close()  # the pool makes another one, which sees the corrected role
            if not self._refused:  # one line, not one a request
                log.error("database_role_refused", reason=str(e))
            self._refused = True
            raise DatabaseRefused(str(e), retry_after_s=1.0) from e
        self._checked.add(conn)
        self._refused = False
        if (resets := role_resets(conn)) and not self._told:
            log.warning("database_role_has_defaults_of_its_own", reset_by="; ".join(resets))
            self._told = True

    def check(self) -> None:
        """Connect and look at the role. Raises SettingsError for one that we do not work as, DatabaseUnavailable."""
        try:
            with self.connection():
                pass
        except DatabaseRefused as e:
            raise SettingsError(str(e)) from e

    @contextmanager
    def transaction(self, *companies: int) -> Iterator[Conn]:
        """One transaction for these companies (none: only functions that look after themselves)."""
        with self.connection() as conn:  # which commits, or rolls back after an error
            _begin(conn, companies)
            yield conn

    def stats(self) -> dict[str, int]:
        return dict(self._pool.get_stats())


RELIED_ON = """
    /* pool.relied_on */
    SELECT
        set_config('search_path', 'public, pg_temp', false),
        set_config('default_transaction_read_only', 'off', false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('default_transaction_deferrable', 'off', false),
        set_config('row_security', 'on', false),
        set_config('statement_timeout', %(statement_timeout_ms)s, false),
        set_config('idle_in_transaction_session_timeout', %(idle_ms)s, false),
        set_config('lock_timeout', '0', false),
        set_config('idle_session_timeout', '0', false),
        set_config('standard_conforming_strings', 'on', false),
        set_config('transform_null_equals', 'off', false),
        set_config('bytea_output', 'hex', false),
        set_config('datestyle', 'ISO, MDY', false),
        set_config('intervalstyle', 'postgres', false)
"""
"""What statements rely on, whatever the role's defaults are: a role may change its own, and so may whoever has taken it
over. Behind a pooler, where a session is not ours, each transaction sets at least its search_path."""


def _configure(conn: Conn) -> None:
    limits = {"statement_timeout_ms": str(STATEMENT_TIMEOUT_MS), "idle_ms": str(IDLE_IN_TRANSACTION_TIMEOUT_MS)}
    conn.execute(RELIED_ON, limits)
    row: Any = conn.execute(WHO_ANSWERS).fetchone()
    pid, halfvec, array = row
    vectors.register(conn, halfvec, array)
    if pid == conn.info.backend_pid:  # statements are prepared where the server itself is at the other end
        conn.prepare_threshold = ONLY_WHEN_ASKED


WHO_ANSWERS = """
    /* pool.who_answers */
    SELECT pg_backend_pid(), t.oid::bigint, t.typarray::bigint
    FROM (VALUES (to_regtype('public.halfvec'))) AS ours (type)
    LEFT JOIN pg_type t ON t.oid = ours.type
"""


def through_a_pooler(conn: Conn) -> bool:
    """Return whether something else than PostgreSQL is at the other end: it makes up the process number that it greets
    its clients with."""
    row = conn.execute(WHO_ANSWERS).fetchone()
    return row is None or row[0] != conn.info.backend_pid


def _begin(conn: Conn, companies: Iterable[int]) -> None:
    """Send BEGIN and the settings of set_companies() in one round trip. A session of our own has the others since it
    was configured; behind a pooler each transaction sets them."""
    if conn.prepare_threshold is not None:
        conn.execute(
            b"""
            /* pool.begin */
            BEGIN;
            SET LOCAL switchboard.companies = '%b'
            """
            % _array(companies).encode()
        )
        return
    conn.execute(
        b"""
        /* pool.begin */
        BEGIN;
        SET LOCAL search_path = public, pg_temp;
        SET LOCAL switchboard.companies = '%b';
        SET LOCAL statement_timeout = %d;
        SET LOCAL idle_in_transaction_session_timeout = %d
        """
        % (_array(companies).encode(), STATEMENT_TIMEOUT_MS, IDLE_IN_TRANSACTION_TIMEOUT_MS)
    )


def _array(companies: Iterable[int]) -> str:
    return "{" + ",".join(str(int(company)) for company in companies) + "}"


def set_companies(conn: Conn, companies: Iterable[int]) -> None:
    """Set which companies the running transaction works for, and its time limit. By SET LOCAL, so it ends with the
    transaction."""
    conn.execute(
        """
        /* pool.set_companies */
        SELECT
            set_config('switchboard.companies', %s, true),
            set_config('statement_timeout', %s, true),
            set_config('idle_in_transaction_session_timeout', %s, true)
        """,
        (
            _array(companies),
            str(STATEMENT_TIMEOUT_MS),
            str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        ),
    )


def one_line(statement: LiteralString) -> LiteralString:
    """Return a long statement without its line breaks and indentation. psycopg keeps how it reads a statement only of
    those up to 4,096 characters, and reads a longer one each time (0.13 ms for one with sixty parameters)."""
    return " ".join([line.strip() for line in statement.strip().splitlines()])


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows as columns, the arrays that `unnest` takes. Without rows there are no columns; check first."""
    return [list(column) for column in zip(*rows, strict=True)]


def describe(error: BaseException) -> str:
    """Return an error's class and SQLSTATE. Never its text: psycopg's DETAIL quotes the row and so customers' words."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__}({state})" if state else type(error).__name__


CHECK_ROLE = """
    /* pool.check_role */
    SELECT
        r.rolsuper,
        r.rolbypassrls,
        EXISTS (
            SELECT 1
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public'
              AND pg_has_role(current_user, c.relowner, 'USAGE')
        ),
        has_database_privilege(current_database(), 'TEMPORARY'),
        has_schema_privilege('public', 'CREATE')
    FROM pg_roles r
    WHERE r.rolname = current_user
"""


def check_role(conn: Conn) -> None:
    """Refuse a role that bypasses row-level security or could create objects. Raises SettingsError."""
    row = conn.execute(CHECK_ROLE).fetchone()
    assert row is not None
    superuser, bypass, owns, temporary, create = row
    if superuser or bypass or owns:
        what = "is a superuser" if superuser else "has BYPASSRLS" if bypass else "owns tables"
        raise SettingsError(
            f"DATABASE_URL: its role {what}, so row-level security would not hold it; "
            "name the application role there and the owner in DATABASE_ADMIN_URL"
        )
    if temporary or create:
        where = "temporary objects in this database" if temporary else "objects in the schema public"
        raise SettingsError(
            f"DATABASE_URL: its role may make {where}, which could stand in for tables in functions that run with the "
            "owner's rights; ./switchboard migrate revokes it from everybody and from switchboard_app"
        )


ROLE_RESETS = """
    /* pool.role_resets */
    SELECT CASE
        WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I RESET ALL', current_user)
        ELSE format('ALTER ROLE %I IN DATABASE %I RESET ALL', current_user, current_database())
    END
    FROM pg_db_role_setting s
    WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY s.setdatabase
"""


def role_resets(conn: Conn) -> list[str]:
    """The statements that take back what was set as defaults of this role, none where nothing was; it may run them
    itself. The first one is for the case that read-only transactions are among the defaults."""
    found = [str(statement) for (statement,) in conn.execute(ROLE_RESETS).fetchall()]
    return ["SET default_transaction_read_only = off", *found] if found else []


def check_connections(conn: Conn, needed: int) -> None:
    """Refuse to start if the connections of all pools exceed max_connections. Raises SettingsError. Behind a pooler
    they may: it has as many connections as it was told."""
    if through_a_pooler(conn):
        return
    row = conn.execute(
        """
        /* pool.check_connections */
        SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int -
            current_setting('reserved_connections')::int
        """
    ).fetchone()
    assert row is not None
    (available,) = row
    if needed > int(str(available)):
        raise SettingsError(
            f"the pools of all processes need {needed} connections and the database allows {available}: lower "
            "DATABASE_POOL_MAX, raise max_connections, or put a pooler between"
        )
