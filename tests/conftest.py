"""Fixtures: real services, fresh databases, private servers for tests that break them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from shared.embedded import Database, Postgres, Valkey
from tests.services import Services, private_postgres, private_valkey, running_services


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """PostgreSQL and Valkey, shared by all tests of the run."""
    with running_services() as running:
        yield running


@pytest.fixture
def database(services: Services) -> Iterator[Database]:
    """A migrated database for one test: `.url` as the application role, `.admin_url` as the owner."""
    with services.migrated_database() as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_database(services: Services) -> Iterator[Database]:
    """A migrated database that the tests of a module share."""
    with services.migrated_database() as fresh:
        yield fresh


@pytest.fixture
def empty_database(services: Services) -> Iterator[Database]:
    """A database without a schema, for the migrations themselves."""
    with services.empty_database() as fresh:
        yield fresh


@pytest.fixture
def redis_url(services: Services) -> Iterator[str]:
    """A flushed logical database of the shared Valkey."""
    with services.redis_database() as url:
        yield url


@pytest.fixture
def make_valkey() -> Iterator[Callable[..., Valkey]]:
    """Starts private Valkey servers for one test: make_valkey(maxmemory_bytes=…, appendfsync=…, extra={…})."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(private_valkey(**options))


@pytest.fixture
def make_postgres() -> Iterator[Callable[..., Postgres]]:
    """Starts private PostgreSQL servers for one test, which may kill and restart them."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(private_postgres(**options))
