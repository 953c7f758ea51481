"""What is refused over TLS, how programs that have none get there, and servers that have TLS themselves."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts import make_certificates
from shared.embedded import Database as Server
from shared.embedded.account import unprivileged_account
from shared.embedded.ports import choose_port
from shared.embedded.process import SERVER_ENVIRONMENT, Account, ServerProcess
from shared.embedded.programs import postgres_programs
from shared.errors import DatabaseUnavailable, Transient
from shared.store.db.pool import Database
from shared.store.db.redis import connect, connect_async
from tasks.lifecycle.backup.tunnel import NoTunnel, plain
from tests.tls import REDIS_TLS, certificates, postgres_over_tls, redis_over_tls

PASSWORD = "letters1and2digits"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates(tmp_path / "ours")
    return tmp_path / "ours"


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """The CA of somebody else."""
    return certificates(tmp_path / "theirs")


def _opens(url: str) -> bool:
    db = Database(url, max_size=1, timeout_s=3.0)
    db.open()
    try:
        with db.connection() as conn:
            return bool(conn.pgconn.ssl_in_use)
    finally:
        db.close()


def test_the_pool_takes_a_server_that_it_can_verify_and_no_other(
    database: Server, folder: Path, strangers: Path
) -> None:
    with postgres_over_tls(database.url, folder) as url:
        assert _opens(url)
        for other in (url.replace("localhost", "127.0.0.1"), url.replace(str(folder), str(strangers.parent.parent))):
            with pytest.raises(DatabaseUnavailable):
                _opens(other)


def test_redis_clients_take_a_server_that_they_can_verify_and_no_other(
    redis_url: str, folder: Path, strangers: Path
) -> None:
    with redis_over_tls(redis_url, folder) as url:
        _uses_redis(url)
        for other in (url.replace("localhost", "127.0.0.1"), url.replace(str(folder), str(strangers.parent.parent))):
            client = connect(other)
            with pytest.raises(redis.ConnectionError):
                client.ping()
            client.close()
            broker = Connection(other, connect_timeout=2)  # type: ignore[no-untyped-call]
            with broker, pytest.raises(OperationalError, match="CERTIFICATE"):
                broker.ensure_connection(max_retries=1, interval_start=0)  # type: ignore[no-untyped-call]


def _uses_redis(url: str) -> None:
    """As the journal, the gateway and Celery do."""
    client = connect(url)
    assert client.ping()
    client.close()

    async def ask() -> Any:
        client = connect_async(url)
        try:
            return await client.ping()
        finally:
            await client.aclose()

    assert asyncio.run(ask())
    with Connection(url) as broker:  # type: ignore[no-untyped-call]
        queue = broker.SimpleQueue("over-tls")
        queue.put({"n": 1})
        assert queue.get(timeout=5).payload == {"n": 1}
        queue.clear()
        queue.close()


# ------------------------------------------------------------------ programs without TLS


def _dump(parts: dict[str, Any]) -> str:
    parts = dict(parts)
    password = str(parts.pop("password"))
    ended = subprocess.run(
        [postgres_programs() / "pg_dump", "--schema-only", f"--dbname={make_conninfo('', **parts)}"],
        capture_output=True, text=True, timeout=60, env={**SERVER_ENVIRONMENT, "PGPASSWORD": password},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_dump_goes_through_the_tunnel_to_a_verified_server(database: Server, folder: Path) -> None:
    with postgres_over_tls(database.admin_url, folder) as url, plain(dict(conninfo_to_dict(url))) as parts:
        assert parts["sslmode"] == "disable"
        assert "CREATE TABLE public.companies" in _dump(parts)


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
def test_another_authoritys_server_is_not_dumped(
    database: Server, folder: Path, strangers: Path, mode: str
) -> None:  # fmt: skip
    with postgres_over_tls(database.admin_url, folder) as url:
        parts = {**conninfo_to_dict(url), "sslrootcert": str(strangers), "sslmode": mode}
        with pytest.raises(NoTunnel, match="CERTIFICATE_VERIFY_FAILED"), plain(parts):
            pass


def test_only_verify_full_minds_another_name(database: Server, folder: Path) -> None:
    with postgres_over_tls(database.admin_url, folder) as url:
        parts = {**conninfo_to_dict(url), "host": "127.0.0.1"}
        with pytest.raises(NoTunnel), plain(parts):
            pass
        with plain({**parts, "sslmode": "verify-ca"}) as reached:
            assert "CREATE TABLE" in _dump(reached)


def test_a_server_without_tls_is_not_used_where_tls_is_asked_for(database: Server, strangers: Path) -> None:
    parts = {**conninfo_to_dict(database.admin_url), "sslmode": "verify-full", "sslrootcert": str(strangers)}
    with pytest.raises(NoTunnel, match="offers no TLS"), plain(parts):
        pass


def test_a_server_that_is_away_is_tried_again_later_and_the_next_host_at_once(database: Server, folder: Path) -> None:
    with postgres_over_tls(database.admin_url, folder) as url:
        parts = dict(conninfo_to_dict(url))
        gone = str(choose_port(None))
        with pytest.raises(Transient), plain({**parts, "port": gone}):
            pass
        two = {**parts, "host": "localhost,localhost", "port": f"{gone},{parts['port']}"}
        with plain(two) as reached:
            assert "CREATE TABLE" in _dump(reached)


def test_certificates_that_cannot_be_read_are_named(database: Server, tmp_path: Path) -> None:
    parts = {**conninfo_to_dict(database.admin_url), "sslmode": "verify-full"}
    with pytest.raises(NoTunnel, match="sslrootcert"), plain(parts):
        pass
    with pytest.raises(NoTunnel, match="cannot be used"), plain({**parts, "sslrootcert": str(tmp_path / "none.crt")}):
        pass


def test_without_a_wish_for_tls_nothing_is_between(database: Server) -> None:
    parts = dict(conninfo_to_dict(database.admin_url))
    with plain(parts) as reached:
        assert reached is parts


# ------------------------------------------------------------------ servers that have TLS


@pytest.fixture
def account() -> Account | None:
    return unprivileged_account()


@pytest.fixture
def home(account: Account | None) -> Iterator[Path]:
    """A folder that the servers' account can reach, with certificates."""
    with tempfile.TemporaryDirectory(prefix="switchboard-test-tls-") as name:
        home = Path(name)
        make_certificates.make(home, [make_certificates.Server("here", ("localhost",))])
        _give(home, account)
        yield home


def _give(home: Path, account: Account | None) -> None:
    if account is not None:
        for path in (home, *home.rglob("*")):
            os.chown(path, account.uid, account.gid)


def _answers_postgres(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False  # not listening yet
    return True


def _has_tls(program: Path) -> bool:
    return b"ssl_min_protocol_version" in program.read_bytes() and b"libssl" in program.read_bytes()


def test_a_postgresql_with_tls_of_its_own_is_connected_to_and_dumped(home: Path, account: Account | None) -> None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs or not _has_tls(programs[-1]):
        pytest.skip("no PostgreSQL with TLS on this machine (Debian: apt install postgresql)")
    cluster, port = home / "cluster", choose_port(None)
    (home / "password").write_text(PASSWORD)
    _give(home, account)
    as_account: dict[str, Any] = {} if account is None else {"user": account.uid, "group": account.gid}
    subprocess.run(
        [programs[-1].with_name("initdb"), "-D", cluster, "-U", "owner", "--auth=scram-sha-256", "-E", "UTF8",
         "--no-sync", f"--pwfile={home / 'password'}"],
        check=True, capture_output=True, env=SERVER_ENVIRONMENT, cwd=home, timeout=60, **as_account,
    )  # fmt: skip
    (cluster / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
    settings = {
        "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "ssl": "on",
        "ssl_cert_file": str(home / "here" / "server.crt"), "ssl_key_file": str(home / "here" / "server.key"),
    }  # fmt: skip
    argv = [str(programs[-1]), "-D", str(cluster), "-p", str(port)]
    process = ServerProcess("postgres", home / "log", signal.SIGINT)
    process.start(
        argv + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")],
        cwd=home, account=account,
    )  # fmt: skip
    url = f"postgresql://owner:{PASSWORD}@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={home}/trust/ca.crt"
    try:
        process.wait_ready(lambda: _answers_postgres(url), 30)
        with psycopg.connect(url, autocommit=True) as conn:
            assert conn.pgconn.ssl_in_use
            conn.execute("CREATE TABLE over_tls (id int)")
        assert not _answers_postgres(url.replace("verify-full", "disable"))
        assert not _answers_postgres(url.replace("localhost", "127.0.0.1"))
        with plain(dict(conninfo_to_dict(url))) as parts:
            assert "CREATE TABLE public.over_tls" in _dump(parts)
    finally:
        process.stop(20)


def _program(*names: str) -> str | None:
    return next((found for name in names if (found := shutil.which(name, path="/usr/bin:/usr/local/bin"))), None)


def test_a_valkey_or_redis_with_tls_of_its_own_is_used_by_every_client(home: Path, account: Account | None) -> None:
    """With the options of compose.yaml."""
    program = _program("valkey-server", "redis-server")
    if program is None or b"libssl" not in Path(program).resolve().read_bytes():
        pytest.skip("no Valkey or Redis with TLS on this machine (Debian: apt install redis-server)")
    port = choose_port(None)
    process = ServerProcess("redis", home / "log", signal.SIGTERM)
    process.start(
        [program, "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD,
         "--tls-cert-file", str(home / "here" / "server.crt"), "--tls-key-file", str(home / "here" / "server.key"),
         "--tls-ca-cert-file", str(home / "trust" / "ca.crt"), "--tls-auth-clients", "no", "--save", "",
         "--dir", str(home)],
        cwd=home, account=account,
    )  # fmt: skip
    url = f"rediss://:{PASSWORD}@localhost:{port}/0?{REDIS_TLS.format(home / 'trust' / 'ca.crt')}"

    def answers() -> bool:
        client = connect(url)
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False  # not listening yet
        finally:
            client.close()

    try:
        process.wait_ready(answers, 20)
        _uses_redis(url)
        unencrypted = connect(f"redis://:{PASSWORD}@localhost:{port}/0")
        with pytest.raises(redis.ConnectionError):
            unencrypted.ping()
        unencrypted.close()
    finally:
        process.stop(10)


def test_the_embedded_servers_have_no_tls(database: Server) -> None:
    """Which is why the tests above put it in front of them; once they have it, these can go without."""
    with psycopg.connect(f"{database.url}?sslmode=prefer") as conn:
        assert not conn.pgconn.ssl_in_use
