"""PostgreSQL with pgvector and Valkey as child processes: no account, no daemon, no root.

    with EmbeddedServices(data_dir) as services:
        services.database_url, services.database_admin_url, services.redis_url

Everything lives in one data folder. The servers' programs come from wheels and are driven directly: the
wheels' own Python interfaces keep lock files for all users and, as root, change modes of foreign folders.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.embedded.folder import DataFolder
from shared.embedded.postgres import Database, Postgres
from shared.embedded.process import ServiceFailed
from shared.embedded.valkey import Valkey

__all__ = ["DataFolder", "Database", "EmbeddedServices", "Postgres", "ServiceFailed", "Valkey"]


class EmbeddedServices:
    """Both servers on one data folder, as a context manager or through start() and stop().

    folder is usable after start(): `folder.secret(name)` keeps further secrets of this installation.
    Raises SettingsError when the folder cannot be used or is in use, ServiceFailed when a server does not start.
    """

    def __init__(self, data_dir: Path, *, postgres_port: int | None = None, valkey_port: int | None = None) -> None:
        self.folder = DataFolder(data_dir)
        self.postgres = Postgres(self.folder, port=postgres_port)
        self.valkey = Valkey(self.folder, port=valkey_port)
        self._running = ExitStack()

    def start(self) -> Self:
        with ExitStack() as started:  # a failure half-way stops what already runs
            started.enter_context(self.folder)
            started.enter_context(self.postgres)
            started.enter_context(self.valkey)
            self._running = started.pop_all()
        return self

    def stop(self) -> None:
        self._running.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def database_url(self) -> str:
        """Return the address as switchboard_app, which owns nothing and cannot bypass row-level security."""
        return self.postgres.database_url

    @property
    def database_admin_url(self) -> str:
        """Return the address as switchboard_admin, which owns the database and sees all companies."""
        return self.postgres.database_admin_url

    @property
    def redis_url(self) -> str:
        return self.valkey.redis_url
