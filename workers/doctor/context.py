"""One run of the doctor: the settings, the services (each connected to once), and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import psycopg
import redis

from shared.errors import SettingsError
from shared.settings import Settings
from shared.store.db.pool import describe
from shared.store.db.redis import connect

Level = Literal["ok", "warn", "FAIL"]
RedisRole = Literal["journal", "broker", "cache"]
DatabaseRole = Literal["application", "owner"]
REDIS_SCHEMES = ("redis", "rediss")
CONNECT_S = 3
STATEMENT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Finding:
    """level: FAIL for what does not work or will lose something, warn for what should not stay so. do: what to
    change, empty where nothing is to be done. No field holds a password or what customers wrote."""

    check: str
    level: Level
    found: str
    do: str = ""


def ok(check: str, found: str) -> Finding:
    return Finding(check, "ok", found)


def warn(check: str, found: str, do: str) -> Finding:
    return Finding(check, "warn", found, do)


def fail(check: str, found: str, do: str) -> Finding:
    return Finding(check, "FAIL", found, do)


class Away(Exception):
    """A service that a check needs is away; the check of its connection has reported that."""


@dataclass(slots=True)
class DoctorContext:
    """config: the settings. A service is connected to when the first check needs it, and only once."""

    config: Settings
    _databases: dict[str, psycopg.Connection | str] = field(default_factory=dict)
    _clients: dict[str, redis.Redis | str] = field(default_factory=dict)

    def database(self, role: DatabaseRole) -> psycopg.Connection:
        """Raises Away with the reason."""
        if role not in self._databases:
            self._databases[role] = self._connect(role)
        found = self._databases[role]
        if isinstance(found, str):
            raise Away(found)
        return found

    def _connect(self, role: DatabaseRole) -> psycopg.Connection | str:
        try:
            url = self.config.need("DATABASE_URL" if role == "application" else "DATABASE_ADMIN_URL")
            conn = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S, prepare_threshold=None)
            conn.execute("SELECT set_config('statement_timeout', %s, false)", (str(STATEMENT_MS),))
        except SettingsError:
            return "not set"
        except psycopg.OperationalError as e:  # names host, port, database and role
            return " ".join(str(e).split())[:300]
        except psycopg.Error as e:  # an address that libpq cannot read; it would quote all of it
            return f"not a valid address ({describe(e)})"
        return conn

    def redis(self, role: RedisRole) -> redis.Redis:
        """Raises Away with the reason, also where the broker is no Redis."""
        url = self.redis_url(role)
        if url not in self._clients:
            self._clients[url] = _client(url)
        found = self._clients[url]
        if isinstance(found, str):
            raise Away(found)
        return found

    def redis_url(self, role: RedisRole) -> str:
        """Raises Away where the address is not set or is not a Redis."""
        try:
            url = self.config.need(f"{role.upper()}_URL")
        except SettingsError:
            raise Away("not set") from None
        if urlsplit(url).scheme not in REDIS_SCHEMES:
            raise Away(f"{role.upper()}_URL is not a Redis, so it is not checked here")
        return url

    def close(self) -> None:
        for conn in self._databases.values():
            if not isinstance(conn, str):
                conn.close()
        for client in self._clients.values():
            if not isinstance(client, str):
                client.close()


def _client(url: str) -> redis.Redis | str:
    try:
        client = connect(url, socket_timeout_s=CONNECT_S)
        client.ping()
    except redis.AuthenticationError:
        return "it refuses the password"
    except (redis.RedisError, OSError, ValueError) as e:
        return f"no answer at {urlsplit(url).hostname}:{urlsplit(url).port or 6379} ({type(e).__name__})"
    return client
