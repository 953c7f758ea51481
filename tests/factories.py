"""Arranging: companies, bots and webhooks as a test needs them."""

from __future__ import annotations

import itertools
import json
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet
from pydantic import SecretStr

from shared.embedded import Database as Server
from shared.model import Me
from shared.settings import Settings
from shared.store.db.pool import Conn, Database
from shared.store.db.redis import connect
from shared.store.inbound import journal
from shared.store.inbound.journal import Reader
from shared.store.tenants import api_keys
from tasks.inbound.batch import Stored
from tasks.inbound.drain import Drain
from workers.sandbox.bots import Bot as Bot
from workers.sandbox.bots import connect_bot, private_message

ENCRYPTION_KEY = Fernet.generate_key().decode()
BOT = Me("700", "demo_bot")
METRICS = tempfile.TemporaryDirectory(prefix="switchboard-test-metrics-")
MEDIA = tempfile.TemporaryDirectory(prefix="switchboard-test-media-")
_ids = itertools.count(1)


def settings(**values: Any) -> Settings:
    """Settings of a test: nothing from the environment's files, an encryption key, and what is given."""
    # never the project's own data folder
    folders = {"METRICS_DIR": Path(METRICS.name), "MEDIA_DIR": Path(MEDIA.name)}
    given = {**folders, "ENCRYPTION_KEYS": SecretStr(ENCRYPTION_KEY), "ARCHIVE_MESSAGES_PER_S": 0, **values}
    return Settings.of(**given)


def settings_for(server: Server, redis_url: str, **values: Any) -> Settings:
    """With few journal streams, because a test drains each of them in a transaction of its own."""
    services = {"DATABASE_URL": server.url, "DATABASE_ADMIN_URL": server.admin_url, "REDIS_URL": redis_url}
    return settings(**services, **{"JOURNAL_SHARDS": 4, **values})


class Owner:
    """Statements as the database's owner, each by itself, on one connection: connecting takes longer than most."""

    def __init__(self, admin_url: str) -> None:
        self._url = admin_url
        self._conn: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    def run(self, query: str, values: Sequence[Any]) -> psycopg.Cursor[Any]:
        with self._lock:
            if self._conn is None or self._conn.closed:
                self._conn = psycopg.connect(self._url, autocommit=True)
            try:
                return self._conn.execute(query.encode(), values)
            except psycopg.OperationalError:
                self._conn.close()  # its server was killed, or it was cut off by a test: the next one connects anew
                raise

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()


def make_bot(admin_url: str, name: str | None = None, token: str | None = None) -> Bot:
    number = next(_ids)
    return connect_bot(
        admin_url, [ENCRYPTION_KEY], company=name or f"company {number}", slug=f"bot-{number}",
        token=token or f"{7000 + number}:AAtesttokentesttokentesttokentestt", username=f"bot{number}_bot",
    )  # fmt: skip


def new_key(conn: Conn, company_id: int, *scopes: str, name: str = "program") -> str:
    """Make a program's API key with these scopes; with all of them if none is named."""
    key = api_keys.new_key()
    api_keys.add(conn, company_id, name, key, scopes or api_keys.SCOPES, created_by=api_keys.OPERATOR)
    return key


def update(text: str | None, *, chat: int = 1, message_id: int | None = None, **more: Any) -> dict[str, Any]:
    """A Telegram update with a private message."""
    body = private_message(next(_ids), chat, text)
    body["message"].update({"date": 1_780_000_000, **more}, **({"message_id": message_id} if message_id else {}))
    return body


class Inbox:
    """The way in without HTTP: journal a body, drain the journal, look at the tables."""

    def __init__(self, server: Server, redis_url: str, **values: Any) -> None:
        self.server = server
        self.settings = settings_for(server, redis_url, **values)
        self.db = Database(server.url, max_size=4, timeout_s=4)
        self.db.open()
        self.client = connect(redis_url)
        self.reader = Reader(self.client, self.settings.journal.shards)
        self.owner = Owner(server.admin_url)
        self.drain = self.new_drain()
        self.drain.ensure_groups()

    def new_drain(self) -> Drain:
        from shared import channels

        return Drain(self.db, self.reader, channels.build(self.settings.channels), self.settings)

    def close(self) -> None:
        self.db.close()
        self.client.close()
        self.owner.close()

    def journal(self, bot: Bot, body: dict[str, Any] | bytes, *, key: str | None = None) -> str:
        """Append one request as the gateway would; returns the stream it went to."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if key is None:
            key = str(json.loads(raw).get("message", {}).get("chat", {}).get("id", ""))
        stream = journal.stream_of(journal.shard_of(bot.app_id, key, self.settings.journal.shards))
        self.reader.append(stream, journal.fields("telegram", bot.app_id, 1_780_000_000_000, raw))
        return stream

    def drain_all(self) -> Stored:
        """Drain every stream until it is empty."""
        total = Stored()
        for stream in self.reader.streams:
            while True:
                stored = self.drain.drain(stream)
                if stored is None or (not stored.requests and not self.client.xlen(stream)):
                    break
                total.add(stored)
        return total

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask as the owner."""
        return self.owner.run(query, values).fetchall()
