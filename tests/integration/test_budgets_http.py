"""/api/v1/budgets: what is spent and reserved, and limits of single contacts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from gateway.http.refused import over_budget, problem
from shared.embedded import Database
from shared.store.db.pool import Conn
from shared.store.models import budgets
from shared.store.models.budgets import Limit, OverBudget
from tasks.models.spending import CostLimitExceeded
from tests.factories import Bot, make_bot, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.test_api_keys import bearer, make

BUDGETS = "/api/v1/budgets"
NOW = datetime(2031, 3, 5, 12, tzinfo=UTC)


@pytest.fixture
def conn(database: Database) -> Iterator[Conn]:
    """The owner."""
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def bot(database: Database, conn: Conn) -> Bot:
    """A company with the contact 1, who has cost 2,500,000 millionths."""
    bot = make_bot(database.admin_url, "Acme")
    conn.execute(
        "INSERT INTO contacts (company_id, channel_id, external_id) VALUES (%s, %s, 'a')",
        (bot.company_id, bot.channel_id),
    )
    conn.execute("INSERT INTO contact_days SELECT company_id, id, current_date, 2500000 FROM contacts")
    conn.execute(
        "INSERT INTO usage_daily (company_id, day, cost_micros) VALUES (%s, current_date, 2500000)", (bot.company_id,)
    )
    return bot


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url)) as running:
        yield running


def test_a_company_sees_its_budget_and_a_contact_s(gateway: RunningGateway, conn: Conn, bot: Bot) -> None:
    key = bearer(make(conn, bot.company_id, "read", name="reader"))
    budgets.set_limit(conn, Limit(bot.company_id, "company", 0, 50_000_000))

    company, contact = gateway.get(BUDGETS, headers=key), gateway.get(f"{BUDGETS}/contacts/1", headers=key)

    assert company.json() == {
        "limit_micros": 50_000_000, "own": True, "spent_micros": 2_500_000, "reserved_micros": 0, "reset_at": None,
        "frees_at": None,
    }  # fmt: skip
    assert (contact.json()["limit_micros"], contact.json()["own"]) == (10_000_000, False)
    assert gateway.get(f"{BUDGETS}/contacts/2", headers=key).status_code == 404
    assert gateway.request("PUT", f"{BUDGETS}/contacts/1", headers=key, json={"limit_micros": 1}).status_code == 403


def test_a_company_lowers_a_contact_s_budget_and_only_an_operator_raises_it(
    gateway: RunningGateway, conn: Conn, bot: Bot
) -> None:
    key = bearer(make(conn, bot.company_id, "admin", name="admin"))

    def put(micros: int) -> int:
        answer = gateway.request("PUT", f"{BUDGETS}/contacts/1", headers=key, json={"limit_micros": micros})
        return answer.status_code

    assert (put(10_000_001), put(2_000_000), put(-1)) == (403, 200, 422)
    found = gateway.get(f"{BUDGETS}/contacts/1", headers=key).json()
    assert (found["limit_micros"], found["own"], found["frees_at"] is not None) == (2_000_000, True, True)
    for _ in range(2):
        answer = gateway.request("DELETE", f"{BUDGETS}/contacts/1", headers=key)
        assert (answer.status_code, answer.json()["limit_micros"]) == (200, 10_000_000)


def test_another_company_s_contact_is_none_of_ours(
    gateway: RunningGateway, database: Database, conn: Conn, bot: Bot
) -> None:
    key = bearer(make(conn, make_bot(database.admin_url).company_id, "admin", name="admin"))

    assert gateway.get(f"{BUDGETS}/contacts/1", headers=key).status_code == 404
    answer = gateway.request("PUT", f"{BUDGETS}/contacts/1", headers=key, json={"limit_micros": 1})
    assert answer.status_code == 404
    assert conn.execute("SELECT 1 FROM budgets").fetchall() == []


def test_a_request_over_budget_is_a_429_that_says_what_stands_against_it() -> None:
    over = OverBudget("contact", 10_000_000, 9_999_000, NOW + timedelta(hours=12))
    refused = over_budget(CostLimitExceeded(over, NOW))

    assert (refused.status, refused.headers["retry-after"]) == (429, "43200")
    assert problem(refused) == {
        "type": "urn:switchboard:problem:over-budget",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "this contact may cost 10 in 30 days, 9.999 of it are used; room again at 2031-03-06 00:00 UTC",
        "error": "Monthly cost limit exceeded",
    }
    never = over_budget(CostLimitExceeded(OverBudget("company", 0, 0, None), NOW))
    assert ("retry-after" in never.headers, "it does not fit at all" in never.what) == (False, True)
