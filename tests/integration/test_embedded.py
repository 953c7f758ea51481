"""The embedded servers: usable at once, closed to strangers, nothing lost by a restart or a kill."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.embedded import Database, DataFolder, Postgres, ServiceFailed, Valkey, server
from shared.embedded.ports import choose_port
from shared.embedded.process import command_line
from shared.errors import SettingsError
from shared.settings import child_environment
from tests.services import PLACES_FOR_ROOT, Services, temporary_folder

WAIT_S = 20.0


@pytest.fixture
def folder() -> Iterator[DataFolder]:
    with temporary_folder() as made:
        yield made


def client_of(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.redis_url, socket_timeout=5.0)


def wait_until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < ends_at, "waited in vain"
        time.sleep(0.02)


def test_application_role_owns_nothing_and_cannot_bypass_row_level_security(services: Services) -> None:
    with psycopg.connect(services.postgres.database_url) as connection:
        role = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole,"
            " (SELECT count(*) FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o')"
            " FROM pg_roles r WHERE rolname = current_user"
        ).fetchone()
    assert role == (False, False, False, False, 0)


def test_admin_role_makes_tables_sees_past_row_level_security_and_is_no_superuser(services: Services) -> None:
    with services.empty_database() as database, psycopg.connect(database.admin_url) as connection:
        connection.execute("CREATE TABLE notes (embedding vector(3))")
        role = connection.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()
    assert role == (False, True)


def test_nearest_vector_is_found(empty_database: Database) -> None:
    with psycopg.connect(empty_database.admin_url) as connection:
        connection.execute("CREATE TABLE points (name text, at vector(2))")
        connection.execute("INSERT INTO points VALUES ('far', '[9,9]'), ('near', '[1,1]')")
        found = connection.execute("SELECT name FROM points ORDER BY at <-> '[0,0]' LIMIT 1").fetchone()
    assert found == ("near",)


def test_full_text_search_takes_typographic_quotes_and_dashes_for_no_letters(empty_database: Database) -> None:
    with psycopg.connect(empty_database.url) as connection:
        found = connection.execute("SELECT tsvector_to_array(to_tsvector('simple', '“Größe” – ÄRGER'))").fetchone()
    assert found is not None
    assert set(found[0]) == {"größe", "ärger"}


def test_wrong_passwords_are_refused(services: Services) -> None:
    at = f"127.0.0.1:{services.postgres.port}/switchboard"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://switchboard_app:guess@{at}")
    stranger = redis.Redis(port=services.valkey.port or 0, password="guess", retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_no_password_stands_on_a_command_line_or_in_a_file_for_others(folder: DataFolder) -> None:
    with Postgres(folder, fsync=False) as postgres, Valkey(folder) as valkey:
        shown = command_line(postgres.pid or 0) + command_line(valkey.pid or 0)
        secrets = json.loads((folder.path / "secrets.json").read_bytes())
        open_to_others = [
            path for path in folder.path.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o077
        ]
    assert shown.count("127.0.0.1") + shown.count("valkey.conf") >= 2  # both were really looked at
    assert not [name for name, secret in secrets.items() if secret in shown]
    assert open_to_others == []
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_logs_hold_no_message_text_when_a_statement_fails(folder: DataFolder) -> None:
    with (
        Postgres(folder, fsync=False) as postgres,
        psycopg.connect(postgres.database_admin_url, autocommit=True) as connection,
    ):
        connection.execute("CREATE TABLE texts (body text UNIQUE)")
        connection.execute("INSERT INTO texts VALUES ('my card is 1234')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO texts VALUES ('my card is 1234')")
    log = folder.log_file("postgres").read_text()
    assert "duplicate key" in log
    assert "card" not in log


def test_rows_and_keys_survive_a_stop_and_a_new_start_in_another_object(folder: DataFolder) -> None:
    with Postgres(folder) as postgres, Valkey(folder) as valkey:
        with psycopg.connect(postgres.database_admin_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        client_of(valkey).set("kept", "42")

    with Postgres(folder) as postgres, Valkey(folder) as valkey:
        with psycopg.connect(postgres.database_admin_url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert client_of(valkey).get("kept") == b"42"


def test_killed_postgres_comes_back_on_the_same_address_with_what_was_committed(
    make_postgres: Callable[..., Postgres],
) -> None:
    postgres = make_postgres(fsync=True)
    url = postgres.database_admin_url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    postgres.start()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_killed_valkey_comes_back_on_the_same_address_with_its_stream(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()
    client = client_of(valkey)
    for number in range(100):
        client.xadd("journal", {"n": number})

    valkey.kill()
    valkey.start()

    assert client.xlen("journal") == 100


def test_full_valkey_refuses_writes_and_evicts_nothing(make_valkey: Callable[..., Valkey]) -> None:
    client = client_of(make_valkey(maxmemory_bytes=8 * 1024 * 1024))
    client.set("first", "1")

    answers = client.pipeline(transaction=False)
    for number in range(200):
        answers.set(f"filler-{number}", b"x" * 100_000)
    results = answers.execute(raise_on_error=False)

    assert isinstance(results[-1], redis.OutOfMemoryError)
    assert client.get("first") == b"1"


def test_taken_port_is_stepped_aside_from(folder: DataFolder, make_valkey: Callable[..., Valkey]) -> None:
    taken = make_valkey().port
    with Valkey(folder, port=taken) as second:
        assert second.port != taken
        assert client_of(second).ping()


def test_a_stranger_that_was_quicker_is_not_taken_for_ours(
    folder: DataFolder, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the choice of a port and the start somebody else's PostgreSQL came up there, with other passwords."""
    ports = iter([services.postgres.port])
    monkeypatch.setattr(server, "choose_port", lambda preferred: next(ports, None) or choose_port(preferred))

    with Postgres(folder, fsync=False) as postgres:
        assert postgres.port != services.postgres.port
        psycopg.connect(postgres.superuser_url).close()


def test_second_owner_of_a_folder_is_told_who_has_it(folder: DataFolder) -> None:
    with pytest.raises(SettingsError, match=f"DATA_DIR.*process {os.getpid()}"):
        DataFolder(folder.path, places_for_root=PLACES_FOR_ROOT).open()


def test_lost_passwords_are_named_as_the_cause(folder: DataFolder) -> None:
    with Postgres(folder, fsync=False):
        pass
    (folder.path / "secrets.json").unlink()
    with pytest.raises(ServiceFailed, match=r"secrets\.json"):
        Postgres(folder, fsync=False).start()


def test_failed_start_shows_the_end_of_the_log(folder: DataFolder) -> None:
    with pytest.raises(ServiceFailed, match="no_such_setting"):
        Postgres(folder, fsync=False, extra={"no_such_setting": "1"}).start()
    with pytest.raises(ServiceFailed, match="no-such-setting"):
        Valkey(folder, extra={"no-such-setting": "1"}).start()


OWNER = """
import sys, time
from pathlib import Path
from shared.embedded import DataFolder, Postgres, Valkey
folder = DataFolder(Path(sys.argv[1]), places_for_root=(Path(sys.argv[2]),)).open()
postgres, valkey = Postgres(folder, fsync=False).start(), Valkey(folder).start()
print(postgres.pid, valkey.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def owner(folder: DataFolder) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Another process that runs both servers on `folder`, and their process ids."""
    folder.close()
    argv = [sys.executable, "-c", OWNER, str(folder.path), str(PLACES_FOR_ROOT[0])]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=child_environment({}))
    assert process.stdout is not None
    try:
        yield process, [int(pid) for pid in process.stdout.readline().split()]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_servers_end_when_their_owner_is_killed(owner: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, servers = owner
    assert len(servers) == 2
    assert all(command_line(pid) for pid in servers)

    process.kill()
    process.wait()

    wait_until(lambda: not any(command_line(pid) for pid in servers))


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
OWNER_OF_STUBBORN = f"""
import signal, sys, time
from pathlib import Path
from shared.embedded.process import ServerProcess
process = ServerProcess("stubborn", Path(sys.argv[1]), signal.SIGTERM, forced_after_s=1)
process.start([sys.executable, "-c", {STUBBORN!r}], cwd=Path.cwd())
process.wait_ready(lambda: process.log_tail().strip().isdigit(), 20)
print(process.pid, process.log_tail(), flush=True)
time.sleep(600)
"""


def test_who_does_not_finish_in_order_is_killed_with_its_children_when_their_owner_is(tmp_path: Path) -> None:
    """A worker that reads a slow file waits for its end, which may take minutes."""
    argv = [sys.executable, "-c", OWNER_OF_STUBBORN, str(tmp_path / "log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=child_environment({})) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        owner.kill()
    assert len(pids) == 2
    try:
        wait_until(lambda: not any(command_line(pid) for pid in pids))
    finally:
        for pid in pids:
            if "600" in command_line(pid):
                os.kill(pid, signal.SIGKILL)


def test_servers_whose_owner_and_guards_were_killed_are_replaced(
    folder: DataFolder, owner: tuple[subprocess.Popen[str], list[int]]
) -> None:
    process, servers = owner
    # a guard that has just been started shows no words yet, and would do its work
    wait_until(lambda: len(_children_with("guard", process.pid)) == 2)
    for guard in _children_with("guard", process.pid):
        os.kill(guard, signal.SIGKILL)
    process.kill()
    process.wait()
    assert all(command_line(pid) for pid in servers)

    with folder, Postgres(folder, fsync=False) as postgres, Valkey(folder) as valkey:
        assert client_of(valkey).ping()
        with psycopg.connect(postgres.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        wait_until(lambda: not any(command_line(pid) for pid in servers))


def _children_with(word: str, parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [int(pid) for pid, owner, args in rows if int(owner) == parent and f" {word} " in args]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change accounts")
def test_as_root_the_database_runs_as_somebody_else_and_roots_folders_keep_their_modes(folder: DataFolder) -> None:
    parents = {path: path.stat().st_mode for path in (*folder.path.parents, Path.home(), Path(sys.prefix))}
    with Postgres(folder, fsync=False) as postgres:
        runs_as = Path(f"/proc/{postgres.pid}").stat().st_uid
    assert runs_as != 0
    assert {path: path.stat().st_mode for path in parents} == parents


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps the database outside of the folder")
def test_as_root_a_moved_folder_is_not_given_an_empty_database(folder: DataFolder) -> None:
    with Postgres(folder, fsync=False):
        pass
    folder.close()
    moved = folder.path.with_name(f"{folder.path.name}-moved")
    folder.path.rename(moved)
    try:
        with (
            DataFolder(moved, places_for_root=PLACES_FOR_ROOT) as there,
            pytest.raises(SettingsError, match="was moved"),
        ):
            Postgres(there, fsync=False).start()
    finally:
        moved.rename(folder.path)


def test_free_ports_lie_below_those_that_clients_are_given() -> None:
    assert choose_port(None) < 32_768
