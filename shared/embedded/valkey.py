"""An embedded Valkey (Redis protocol) that keeps what it was given: append-only, never evicting."""

from __future__ import annotations

import os
import signal
import time
from types import TracebackType
from typing import Literal, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.embedded import programs
from shared.embedded.folder import DataFolder
from shared.embedded.process import ServerProcess, ServiceFailed, choose_port, stop_leftover

PREFERRED_PORT = 16379
STOP_WITHIN_S = 20.0
SECRET = "valkey"
# When full it refuses writes, which the journal answers with 503. Without a bound the kernel would end some process.
MAXMEMORY_BYTES = 1024 * 1024 * 1024


class Valkey:
    """The server of one data folder; the folder must be open. start() returns when the old data is loaded.

    port: preferred one, None for 16379; another is taken if it is in use, and then kept across restarts.
    appendfsync: `everysec` may lose the last second at a power loss (a killed process loses nothing), `always` none.
    maxmemory_bytes: 0 for no bound. extra: further server settings.
    Raises ServiceFailed with the last lines of the log.
    """

    def __init__(
        self,
        folder: DataFolder,
        *,
        port: int | None = None,
        appendfsync: Literal["always", "everysec", "no"] = "everysec",
        maxmemory_bytes: int = MAXMEMORY_BYTES,
        extra: dict[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._preferred_port = port or PREFERRED_PORT
        self._options = {"appendfsync": appendfsync, "maxmemory": str(maxmemory_bytes), **(extra or {})}
        self._process: ServerProcess | None = None
        self.port: int | None = None

    def start(self, within_s: float = 60.0) -> Self:
        data = self._folder.subfolder("valkey")
        stop_leftover(data / "valkey.pid", str(data / "valkey.conf"), signal.SIGTERM, STOP_WITHIN_S)
        ends_at = time.monotonic() + within_s
        first_start = self.port is None
        preferred: int | None = self._preferred_port
        while True:
            if first_start:
                self.port = choose_port(preferred)
            self._write_config()
            self._process = ServerProcess("Valkey", self._folder.log_file("valkey"), signal.SIGTERM)
            self._process.start([str(programs.valkey_program()), str(data / "valkey.conf")], cwd=data)
            try:
                self._process.wait_ready(self._answers, max(ends_at - time.monotonic(), 0.0))
                return self
            except ServiceFailed as e:
                if not first_start or "Address already in use" not in e.log or time.monotonic() > ends_at:
                    raise
                preferred = None  # somebody was quicker

    def stop(self) -> None:
        """In order: the append-only file is flushed to disk."""
        if self._process is not None:
            self._process.stop(STOP_WITHIN_S)

    def kill(self) -> None:
        """SIGKILL to the server, as a fault does it; start() loads the append-only file on the same port."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def redis_url(self) -> str:
        """The logical database 0, with the password."""
        return self.database_url(0)

    def database_url(self, number: int) -> str:
        """The logical database of that number, 0 to 15."""
        if self.port is None:
            raise RuntimeError("the server has no address before start()")
        return f"redis://:{self._folder.secret(SECRET)}@127.0.0.1:{self.port}/{number}"

    def _write_config(self) -> None:
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
        new.replace(data / "valkey.conf")

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
