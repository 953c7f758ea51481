"""What several integration tests arrange alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.store.db.pool import Conn
from tests.embedder import FakeEmbedder
from tests.factories import ENCRYPTION_KEY, Bot, Inbox, make_bot
from tests.integration.command_line import Run, command_line
from tests.integration.station import Station


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path,
    database: Database, redis_url: str,
) -> Run:  # fmt: skip
    """`./switchboard …` inside this process, on the test's own services."""
    return command_line(
        monkeypatch, capsysbinary,
        {"DATABASE_URL": database.url, "DATABASE_ADMIN_URL": database.admin_url, "REDIS_URL": redis_url,
         "ENCRYPTION_KEYS": ENCRYPTION_KEY, "DATA_DIR": str(tmp_path)},
    )  # fmt: skip


@pytest.fixture
def inbox(database: Database, redis_url: str) -> Iterator[Inbox]:
    """The way in, on the test's own services."""
    inbox = Inbox(database, redis_url)
    yield inbox
    inbox.close()


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    """A worker's hands on the test's own services; files that want other settings have their own."""
    station = Station(database, redis_url)
    yield station
    station.close()


@pytest.fixture
def bot(station: Station) -> Bot:
    """A company with a Telegram bot."""
    return make_bot(station.inbox.server.admin_url)


@pytest.fixture
def larger(station: Station) -> FakeEmbedder:
    """A second embedding model that the settings name."""
    larger = FakeEmbedder(model="larger", wider=True)
    station.r.other_embedders = [larger]
    return larger


@pytest.fixture
def owner(station: Station) -> Iterator[Conn]:
    """A connection of the database's owner, whom no row is hidden from."""
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        yield conn
