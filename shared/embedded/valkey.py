"""An embedded Valkey (Redis protocol) that keeps what it was given: append-only, never evicting."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.embedded import programs
from shared.embedded.folder import DataFolder
from shared.embedded.process import stop_leftover
from shared.embedded.server import EmbeddedServer

PREFERRED_PORT = 16379
SECRET = "valkey"
# When full it refuses writes, which the journal answers with 503. Without a bound the kernel would end some process.
MAXMEMORY_BYTES = 1024 * 1024 * 1024


class Valkey(EmbeddedServer):
    """start() returns when the old data is loaded.

    port: preferred one, None for 16379; another is taken if it is in use, and then kept across restarts.
    appendfsync: `everysec` may lose the last second at a power loss (a killed process loses nothing), `always` none.
    maxmemory_bytes: 0 for no bound. extra: further server settings.
    """

    name = "Valkey"
    gently = signal.SIGTERM
    stop_within_s = 20.0

    def __init__(
        self,
        folder: DataFolder,
        *,
        port: int | None = None,
        appendfsync: Literal["always", "everysec", "no"] = "everysec",
        maxmemory_bytes: int = MAXMEMORY_BYTES,
        extra: dict[str, str] | None = None,
    ) -> None:
        super().__init__(folder, port or PREFERRED_PORT)
        self._options = {"appendfsync": appendfsync, "maxmemory": str(maxmemory_bytes), **(extra or {})}

    def start(self, within_s: float = 60.0) -> Self:
        data = self._folder.subfolder("valkey")
        stop_leftover(data / "valkey.pid", str(data / "valkey.conf"), self.gently, self.stop_within_s)
        self._launch(self._folder.log_file("valkey"), data, None, time.monotonic() + within_s)
        return self

    def _argv(self) -> list[str]:
        return [str(programs.valkey_program()), str(self._write_config())]

    @property
    def redis_url(self) -> str:
        """Return the address of the logical database 0, with the password."""
        return self.database_url(0)

    def database_url(self, number: int) -> str:
        """Return the address of a logical database, 0 to 15."""
        return f"redis://:{self._folder.secret(SECRET)}@127.0.0.1:{self._address_port()}/{number}"

    def _write_config(self) -> Path:
        """A file for us alone: the command line, which everybody can list, holds no password."""
        data = self._folder.subfolder("valkey")
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "protected-mode": "yes",
            "requirepass": self._folder.secret(SECRET),
            "dir": _quoted(str(data)),
            "pidfile": _quoted(str(data / "valkey.pid")),
            "daemonize": "no",
            "set-proc-title": "no",  # the command line as we gave it says whose server it is (stop_leftover)
            "appendonly": "yes",
            "save": '""',  # the append-only file is complete; snapshots beside it would only cost
            "maxmemory-policy": "noeviction",
            **self._options,
        }
        new = data / "valkey.conf.new"
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in settings.items())
        return new.replace(data / "valkey.conf")

    def _answers(self) -> bool:
        client = redis.Redis.from_url(
            self.redis_url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        try:
            client.ping()
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            return False  # not listening yet, still loading, or a stranger answers and ours is about to say so
        finally:
            client.close()
        return True


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
