"""A call of a model as a worker makes it: for bench.model_clients."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import psycopg

from shared import settings
from shared.llm.call import ModelCall
from shared.money import Price
from shared.resources import Resources, open_resources
from shared.store.db.vault import Vault
from shared.store.models import budgets, prices, providers, routes
from shared.store.models.budgets import Limit
from shared.store.models.prices import Named
from shared.store.models.providers import Model, NewProvider, changed_topics
from shared.store.models.routes import NewStep
from shared.store.tenants import companies
from tasks.models import spending

DEADLINE_S = 30.0
CALLS_A_PROVIDER = 50


def caller(messages: list[dict[str, Any]]) -> Callable[[], str]:
    """Return what makes one call of the environment's model."""
    resources = open_resources(settings.load(), name="bench")
    router = resources.router
    assert router is not None

    def call() -> str:
        return resources.loop.run(router.complete(messages, DEADLINE_S), timeout_s=DEADLINE_S + 1).text

    return call


def changing_caller(url: str, messages: list[dict[str, Any]]) -> Callable[[], str]:
    """Return what makes one call by a company's stored route, which names another provider after every fifty."""
    resources = open_resources(settings.load(), name="bench")
    numbers = itertools.count(1)
    with psycopg.connect(settings.load().need("DATABASE_ADMIN_URL"), autocommit=True) as conn:
        company_id = companies.create(conn, "Bench").id
    asked = ModelCall(company_id, None, "answer")

    def call() -> str:
        number = next(numbers)
        if number % CALLS_A_PROVIDER == 1:
            _change(resources, company_id, url, f"p{number}")
        router = resources.router_for(asked)
        assert router is not None
        return resources.loop.run(router.complete(messages, DEADLINE_S), timeout_s=DEADLINE_S + 1).text

    return call


def budgeted_caller(url: str, messages: list[dict[str, Any]]) -> Callable[[], str]:
    """Return what makes one call for a contact by a stored route of a paid provider: reserved for in two budgets,
    settled, and written to the ledger."""
    resources = open_resources(settings.load(), name="bench")
    with psycopg.connect(settings.load().need("DATABASE_ADMIN_URL"), autocommit=True) as conn:
        company_id = companies.create(conn, "Bench with budgets").id
        prices.set_prices(conn, [Named("m", "", Price(in_micros=1, out_micros=1))])
        budgets.set_limit(conn, Limit(company_id, "company", 0, 10_000_000_000))
    sealed = Vault(resources.settings.system.fernet_keys).seal({"api_key": "none"})
    new = NewProvider(company_id, "paid", url, sealed, "", (Model("m", "chat"),), paid=True)
    with resources.db.transaction(company_id) as conn:
        provider_id = providers.add(conn, new)
        routes.replace_steps(conn, company_id, "answer", [NewStep(provider_id, "m")])
    asked = ModelCall(company_id, 1, "answer")

    def call() -> str:
        router = resources.router_for(asked)
        assert router is not None
        cleared = spending.clear(resources, asked, router, messages, within_s=DEADLINE_S)
        assert cleared.reservation is not None
        spending.asking(resources, cleared.reservation)
        completion = resources.loop.run(cleared.router.complete(messages, DEADLINE_S), timeout_s=DEADLINE_S + 1)
        spending.settle(resources, asked, cleared.reservation, completion.attempts)
        return completion.text

    return call


def _change(resources: Resources, company_id: int, url: str, name: str) -> None:
    sealed = Vault(resources.settings.system.fernet_keys).seal({"api_key": name})
    new = NewProvider(company_id, name, url, sealed, "", (Model(name, "chat"),), paid=False)
    with resources.db.transaction(company_id) as conn:
        provider_id = providers.add(conn, new)
        routes.replace_steps(conn, company_id, "answer", [NewStep(provider_id, name)])
    for topic in changed_topics(company_id):
        resources.invalidations.tell(topic)
