"""A real PgBouncer for the tests, configured by the script that compose.yaml runs."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from scripts import make_certificates
from shared.embedded.account import unprivileged_account
from shared.embedded.ports import choose_port
from shared.embedded.process import SERVER_ENVIRONMENT, Account, ServerProcess
from shared.settings import PROJECT_ROOT

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
START = PROJECT_ROOT / "deploy" / "pgbouncer" / "start.sh"
READY_WITHIN_S = 20.0


@dataclass(slots=True)
class Pooler:
    """url: the application role's database through it, over TLS that is verified."""

    url: str
    folder: Path
    _process: ServerProcess
    _environment: dict[str, str]
    _account: Account | None

    def start(self) -> None:
        argv = ["/bin/sh", str(self.folder / "start.sh")]
        self._process.start(argv, cwd=self.folder, account=self._account, environment=self._environment)
        self._process.wait_ready(self._answers, READY_WITHIN_S)

    def kill(self) -> None:
        """SIGKILL; clients and the server see their connections end."""
        self._process.kill()

    def stop(self) -> None:
        self._process.stop(10.0)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False  # not listening yet
        return True


@contextmanager
def running_pooler(database_url: str, **environment: str) -> Iterator[Pooler]:
    """PgBouncer in front of a database of the application role. Skips the test where there is no PgBouncer."""
    if PROGRAM is None:
        pytest.skip("no pgbouncer on this machine (Debian: apt install pgbouncer)")
    parts = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    port = choose_port(None)
    with tempfile.TemporaryDirectory(prefix="switchboard-test-pooler-") as name:
        folder = Path(name)
        shutil.copy(START, folder / "start.sh")
        make_certificates.make(folder, [make_certificates.Server("pgbouncer", ("localhost", "127.0.0.1"))])
        account = unprivileged_account()  # it refuses to run as root, too
        if account is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, account.uid, account.gid)
        given = {
            **SERVER_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin",
            "PGBOUNCER_FOLDER": str(folder / "run"), "LISTEN_HOST": "127.0.0.1", "LISTEN_PORT": str(port),
            "DATABASE_HOST": parts["host"], "DATABASE_PORT": parts["port"], "DATABASE_NAME": parts["dbname"],
            "APP_PASSWORD": parts["password"], "CERTIFICATES": str(folder / "pgbouncer"),
            "TRUST": str(folder / "trust"), "SERVER_TLS": "disable", **environment,
        }  # fmt: skip
        url = (
            f"postgresql://{parts['user']}:{parts['password']}@localhost:{port}/switchboard"
            f"?sslmode=verify-full&sslrootcert={folder / 'trust' / 'ca.crt'}"
        )
        process = ServerProcess("pgbouncer", folder / "pgbouncer.log", signal.SIGINT)
        pooler = Pooler(url, folder, process, given, account)
        try:
            pooler.start()
            yield pooler
        finally:
            pooler.stop()
