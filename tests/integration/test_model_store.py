"""Providers and routes as they are stored: whose they are, who sees them, and what the application role may write."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from shared.embedded import Database
from shared.errors import NothingDone
from shared.store.db.pool import Conn, set_companies
from shared.store.db.vault import Vault
from shared.store.models import providers, routes
from shared.store.models.providers import Model, NewProvider
from shared.store.models.routes import NewStep
from tests.factories import Bot, make_bot

CHAT = (Model("large", "chat"), Model("order", "rerank"))


def new(company_id: int | None, name: str, sealed: bytes | None = None) -> NewProvider:
    return NewProvider(company_id, name, "https://models.example/v1", sealed, "", CHAT, True)


@pytest.fixture
def ours(database: Database) -> Bot:
    return make_bot(database.admin_url)


@pytest.fixture
def foreign(database: Database) -> Bot:
    return make_bot(database.admin_url)


@pytest.fixture
def owner(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def app(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.url) as conn:
        yield conn
        conn.rollback()


def test_a_company_sees_its_own_providers_and_the_installation_s(
    owner: Conn, app: Conn, ours: Bot, foreign: Bot
) -> None:
    providers.add(owner, new(None, "house"))
    providers.add(owner, new(ours.company_id, "mine"))
    providers.add(owner, new(foreign.company_id, "theirs"))

    set_companies(app, [ours.company_id])
    assert [one.name for one in providers.listed(app, ours.company_id)] == ["house", "mine"]
    assert providers.visible(app, ours.company_id, "theirs") is None
    assert app.execute("SELECT count(*) FROM model_providers").fetchone() == (2,)
    assert {one.name for one in providers.every(owner)} == {"house", "mine", "theirs"}


def test_a_company_cannot_write_what_is_the_installation_s(owner: Conn, app: Conn, ours: Bot) -> None:
    house = providers.add(owner, new(None, "house"))
    routes.replace_steps(owner, None, "answer", [NewStep(house, "large")])

    set_companies(app, [ours.company_id])
    assert providers.remove(app, house) is False
    assert app.execute("UPDATE model_providers SET base_url = 'https://evil.example'").rowcount == 0
    assert app.execute("DELETE FROM model_routes").rowcount == 0
    with pytest.raises(errors.InsufficientPrivilege), app.transaction():
        providers.add(app, new(None, "another"))
    with pytest.raises(errors.InsufficientPrivilege), app.transaction():
        routes.replace_steps(app, None, "summary", [NewStep(house, "large")])


def test_the_installation_s_rows_need_a_company_too(owner: Conn, app: Conn) -> None:
    providers.add(owner, new(None, "house"))
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT 1 FROM model_providers")
    app.rollback()
    set_companies(app, [])
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT 1 FROM model_providers")


def test_one_name_never_means_two_providers_of_one_company(owner: Conn, ours: Bot, foreign: Bot) -> None:
    providers.add(owner, new(ours.company_id, "fast"))
    providers.add(owner, new(foreign.company_id, "fast"))
    for company in (None, ours.company_id):
        with pytest.raises(NothingDone, match="'fast' already"):
            providers.add(owner, new(company, "fast"))


def test_a_route_is_its_steps_in_order_and_is_replaced_as_a_whole(owner: Conn, ours: Bot) -> None:
    house, mine = providers.add(owner, new(None, "house")), providers.add(owner, new(ours.company_id, "mine"))
    wanted = [NewStep(mine, "large", 300), NewStep(house, "large")]

    assert routes.replace_steps(owner, ours.company_id, "answer", wanted) is True
    assert routes.replace_steps(owner, ours.company_id, "answer", wanted) is False
    found = routes.steps(owner, ours.company_id)
    assert [(one.provider, one.owner_id, one.model, one.max_tokens, one.kind) for one in found] == [
        ("mine", ours.company_id, "large", 300, "chat"), ("house", None, "large", None, "chat"),
    ]  # fmt: skip
    assert routes.routed_companies(owner) == [ours.company_id]
    routes.replace_steps(owner, ours.company_id, "answer", [NewStep(house, "order")])
    assert [(one.provider, one.kind) for one in routes.steps(owner, ours.company_id)] == [("house", "rerank")]
    assert routes.replace_steps(owner, ours.company_id, "answer", []) is True
    assert routes.routed_companies(owner) == []


def test_a_provider_that_a_route_asks_cannot_be_removed(owner: Conn, ours: Bot) -> None:
    house = providers.add(owner, new(None, "house"))
    routes.replace_steps(owner, ours.company_id, "answer", [NewStep(house, "large")])
    with pytest.raises(errors.ForeignKeyViolation):
        providers.remove(owner, house)
    assert routes.asking_provider(owner, house) == [(ours.company_id, "answer")]
    routes.replace_steps(owner, ours.company_id, "answer", [])
    assert providers.remove(owner, house) is True


def test_a_company_s_route_that_names_another_s_provider_shows_nothing_of_it(
    owner: Conn, app: Conn, ours: Bot, foreign: Bot
) -> None:
    """A foreign key does not ask row-level security; what is read through it does."""
    theirs = providers.add(owner, new(foreign.company_id, "theirs", b"sealed"))
    set_companies(app, [ours.company_id])
    routes.replace_steps(app, ours.company_id, "answer", [NewStep(theirs, "large")])
    assert routes.steps(app, ours.company_id) == []


def test_no_representation_shows_a_sealed_key(owner: Conn, ours: Bot) -> None:
    sealed = Vault(["3TzZfNh7zGhHVbAfOcLrHMZkRZt9IX4cPMoZRAyqkrA="]).seal({"api_key": "sk-secret"})
    house = providers.add(owner, new(None, "house", sealed))
    routes.replace_steps(owner, None, "answer", [NewStep(house, "large")])
    for row in (providers.own(owner, None, "house"), *routes.steps(owner, None), new(None, "x", sealed)):
        assert sealed.decode() not in repr(row)
        assert "sealed" not in repr(row)
