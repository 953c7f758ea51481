"""Which roles may run the system: those that row-level security holds. Each connection is asked at its first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from structlog.testing import capture_logs

from shared.embedded import Database
from shared.errors import DatabaseRefused, DatabaseUnavailable, SettingsError
from shared.resources import open_resources
from shared.store.db.pool import Database as Pool
from shared.store.db.pool import check_connections, check_role, role_resets, set_companies
from tests.factories import Inbox, make_bot, settings_for, update
from tests.integration.gateway_client import cut_off, running_gateway
from tests.services import Services
from workers.sandbox.waiting import wait_until


@dataclass(frozen=True)
class _Role:
    """A login of its own while it is needed."""

    services: Services
    database: Database

    @property
    def server(self) -> Database:
        """The test's database, with this role as the application's."""
        host = self.database.url.partition("@")[2]
        return Database(self.database.name, f"postgresql://visitor:visiting@{host}", self.database.admin_url)

    @property
    def url(self) -> str:
        return self.server.url

    def alter(self, attributes: str) -> None:
        with psycopg.connect(self.services.postgres.superuser_url, autocommit=True) as conn:
            conn.execute(f"ALTER ROLE visitor {attributes}".encode())

    def disconnect(self) -> None:
        with psycopg.connect(self.services.postgres.superuser_url, autocommit=True) as conn:
            conn.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'visitor'")


@contextmanager
def _role(services: Services, database: Database, attributes: str) -> Iterator[_Role]:
    role = _Role(services, database)
    with psycopg.connect(services.postgres.superuser_url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE visitor LOGIN PASSWORD 'visiting' {attributes}".encode())
        try:
            yield role
        finally:
            role.disconnect()
            conn.execute("DROP ROLE visitor")


def _refusal(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as conn, pytest.raises(SettingsError) as refused:
        check_role(conn)
    return str(refused.value)


def test_the_application_role_and_a_member_of_it_may_run_the_system(services: Services, database: Database) -> None:
    bot = make_bot(database.admin_url)
    with psycopg.connect(database.url, autocommit=True) as conn:
        check_role(conn)
    with _role(services, database, "IN ROLE switchboard_app") as role, psycopg.connect(role.url) as conn:
        check_role(conn)
        set_companies(conn, [bot.company_id])
        assert conn.execute("SELECT count(*) FROM messages").fetchone() == (0,)


def test_superuser_owner_and_who_bypasses_may_not(services: Services, database: Database) -> None:
    assert "is a superuser" in _refusal(services.postgres.superuser_url)
    assert "has BYPASSRLS" in _refusal(database.admin_url)
    with _role(services, database, "IN ROLE switchboard_admin") as role:
        assert "owns tables" in _refusal(role.url)


DEFAULTS = (
    "search_path = 'nowhere'", "default_transaction_read_only = on", "default_transaction_isolation = 'serializable'",
    "lock_timeout = '1ms'", "datestyle = 'German'", "bytea_output = 'escape'", "client_encoding = 'latin1'",
    "row_security = off", "standard_conforming_strings = off",
)  # fmt: skip


def test_defaults_that_the_role_was_given_break_no_transaction_and_are_told(
    services: Services, database: Database
) -> None:
    bot = make_bot(database.admin_url)
    with _role(services, database, "IN ROLE switchboard_app") as role:
        for default in DEFAULTS:
            role.alter(f"SET {default}")
        role.alter(f"IN DATABASE {database.name} SET work_mem = '64kB'")
        pool = Pool(role.url, max_size=1, timeout_s=5)
        pool.open()
        try:
            with capture_logs() as said, pool.transaction(bot.company_id) as conn:
                conn.execute("UPDATE conversations SET referral = 'Später, …'")
                row = conn.execute("SELECT name, created_at, 'a\\b', '\\xff'::bytea FROM companies").fetchone()
                resets = role_resets(conn)
            with pool.transaction(bot.company_id):
                pass
        finally:
            pool.close()
        assert row is not None
        assert isinstance(row[1], datetime)
        assert row[2:] == ("a\\b", b"\xff")
        assert resets[1:] == [
            "ALTER ROLE visitor RESET ALL",
            f"ALTER ROLE visitor IN DATABASE {database.name} RESET ALL",
        ]
        assert [one["reset_by"] for one in said] == ["; ".join(resets)]

        with psycopg.connect(role.url, autocommit=True) as visitor:
            for statement in resets:
                visitor.execute(statement.encode())
            assert role_resets(visitor) == []


@pytest.mark.parametrize("call", ["lo_create(0)", "lo_creat(-1)", "lo_from_bytea(0, 'x')"])
def test_the_application_role_makes_no_large_object(database: Database, call: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as conn, pytest.raises(InsufficientPrivilege):
        conn.execute(f"SELECT {call}".encode())


def test_pools_that_cannot_all_fit_are_refused_at_start(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as conn:
        row = conn.execute("SELECT current_setting('max_connections')::int").fetchone()
        assert row is not None
        check_connections(conn, int(str(row[0])) - 10)
        with pytest.raises(SettingsError, match="DATABASE_POOL_MAX"):
            check_connections(conn, int(str(row[0])))


@contextmanager
def _pool(url: str) -> Iterator[Pool]:
    pool = Pool(url, max_size=2, timeout_s=5)
    pool.open()
    try:
        yield pool
    finally:
        pool.close()


def test_a_worker_does_not_start_as_a_role_that_could_see_everything(database: Database, redis_url: str) -> None:
    owner = Database(database.name, database.admin_url, database.admin_url + "?connect_timeout=5")

    with pytest.raises(SettingsError, match="DATABASE_URL: its role has BYPASSRLS"):
        open_resources(settings_for(owner, redis_url), name="test")


def test_a_role_that_sees_everything_is_handed_no_connection_until_it_is_mended(
    services: Services, database: Database
) -> None:
    with _role(services, database, "BYPASSRLS IN ROLE switchboard_app") as role, _pool(role.url) as pool:
        with capture_logs() as lines:
            for _ in range(3):
                with pytest.raises(DatabaseRefused, match="BYPASSRLS"), pool.connection():
                    pytest.fail("a connection was handed out")
        assert [line["event"] for line in lines] == ["database_role_refused"]

        role.alter("NOBYPASSRLS")

        with pool.connection() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_database_that_comes_back_is_asked_again_who_we_are(services: Services, database: Database) -> None:
    """Another server may stand behind the address now, with the role of the same name made otherwise."""
    with _role(services, database, "IN ROLE switchboard_app") as role, _pool(role.url) as pool:
        with pool.connection():
            pass
        role.alter("SUPERUSER")
        role.disconnect()

        with pytest.raises(DatabaseUnavailable), pool.connection() as conn:  # the old one, which is gone
            conn.execute("SELECT 1")
        with pytest.raises(DatabaseRefused, match="is a superuser"), pool.connection():
            pytest.fail("a connection was handed out")


def test_intake_stands_still_and_makes_no_dead_letters_while_its_role_is_refused(
    services: Services, database: Database, redis_url: str
) -> None:
    bot = make_bot(database.admin_url)
    with _role(services, database, "IN ROLE switchboard_app") as role:
        inbox = Inbox(role.server, redis_url)
        stream = inbox.journal(bot, update("hello"))
        inbox.db.close()
        role.alter("BYPASSRLS")
        with _pool(role.url) as inbox.db:
            drain = inbox.new_drain()

            with pytest.raises(DatabaseRefused):
                drain.drain(stream)
            role.alter("NOBYPASSRLS")
            stored = drain.drain(stream)
        inbox.client.close()

    assert stored is not None
    assert (stored.effected, stored.dead_letters) == (1, 0)


def test_a_gateway_whose_database_comes_later_with_a_role_that_sees_everything_says_503(
    services: Services, database: Database, redis_url: str
) -> None:
    bot = make_bot(database.admin_url)
    with _role(services, database, "BYPASSRLS IN ROLE switchboard_app") as role:
        config = settings_for(role.server, redis_url, DATABASE_POOL_TIMEOUT_S=1)
        with cut_off(services, database) as open_again, running_gateway(config) as gateway:
            open_again()
            wait_until(
                lambda: "refused" in gateway.get("/health/ready").json()["checks"]["database"],
                "the gateway answers so",
                15,
            )

            agent = {"authorization": "Bearer sbk_x"}
            assert gateway.get("/api/v1/conversations", headers=agent).status_code == 503
            assert gateway.post(bot, update("hello")).status_code == 503
            assert gateway.request("POST", "/widget/shop/sessions").status_code == 503

            role.alter("NOBYPASSRLS")

            wait_until(lambda: gateway.post(bot, update("hello")).status_code == 200, "the gateway answers so", 15)
            assert gateway.get("/health/ready").json()["checks"]["database"] == "ok"
            assert gateway.get("/api/v1/conversations", headers=agent).status_code == 401


@pytest.mark.parametrize("setting", ["default_transaction_read_only = on", "search_path = nowhere"])
def test_a_session_with_useless_settings_is_replaced(database: Database, setting: str) -> None:
    pool = Pool(database.url, max_size=1, timeout_s=5)
    pool.open()
    try:
        with pool.connection() as conn:
            conn.execute(f"SET {setting}".encode())
            before = conn.info.backend_pid
        with pytest.raises(psycopg.Error), pool.connection() as conn:
            conn.execute("DELETE FROM conversations")

        with pool.connection() as conn:
            assert conn.info.backend_pid != before
            conn.execute("DELETE FROM conversations WHERE false")
    finally:
        pool.close()
