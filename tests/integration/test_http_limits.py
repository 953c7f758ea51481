"""Rate limits over HTTP: fields on every answer, refusals that say when to come back, and addresses."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from gateway.http.edge import Edge
from shared.embedded import Database
from shared.store.tenants import rate_limits
from shared.store.tenants.rate_limits import Bounds, Purpose
from tasks.tenants import onboarding
from tests.factories import Bot, make_bot, new_key, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.visitor import Visitor, make_widget
from tests.unit.test_rate_headers import parsed

ASSISTANTS = "/api/v1/assistants"


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url, APP_CACHE_TTL_S=0)) as running:
        yield running


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


def _edge(gateway: RunningGateway) -> Edge:
    edge: Edge = gateway.app._pages.state.edge
    return edge


def _limit(database: Database, company_id: int, purpose: Purpose, bounds: Bounds) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        rate_limits.set_bounds(conn, purpose, company_id, bounds)


class Caller:
    def __init__(self, gateway: RunningGateway, database: Database, bot: Bot, name: str = "Ada") -> None:
        self.gateway = gateway
        with psycopg.connect(database.admin_url, autocommit=True) as conn:
            self.key = onboarding.new_agent(conn, bot.company_id, name)

    def ask(self, path: str = ASSISTANTS) -> httpx.Response:
        return self.gateway.request("GET", path, headers={"authorization": f"Bearer {self.key}"})


def test_every_answer_tells_what_is_left(gateway: RunningGateway, database: Database, bot: Bot) -> None:
    caller = Caller(gateway, database, bot)

    answers = [caller.ask(path) for path in (ASSISTANTS, f"{ASSISTANTS}?limit=x", f"{ASSISTANTS}/999999")]

    assert [answer.status_code for answer in answers] == [200, 422, 404]
    for used, answer in enumerate(answers, 1):
        assert answer.headers["ratelimit-policy"] == '"api_user-hour";q=1000;w=3600'
        told = parsed(answer.headers["ratelimit"])["api_user-hour"]
        assert told["r"] == str(1_000 - used)
        assert 3_590 <= int(told["t"]) <= 3_661  # when the first of them is over


def test_beyond_the_limit_the_problem_says_when_to_come_back(
    gateway: RunningGateway, database: Database, bot: Bot
) -> None:
    _limit(database, bot.company_id, "api_user", Bounds(per_hour=2))
    caller, other = Caller(gateway, database, bot), Caller(gateway, database, bot, "Grace")
    assert [caller.ask().status_code for _ in range(2)] == [200, 200]

    refused = [caller.ask() for _ in range(2)]

    for answer in refused:  # the second one costs Redis nothing
        after_s = int(answer.headers["retry-after"])
        assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
        assert answer.json()["type"] == "urn:switchboard:problem:quota-exceeded"
        assert answer.json()["error"] == "too many requests: wait before the next"
        assert parsed(answer.headers["ratelimit"]) == {"api_user-hour": {"r": "0", "t": str(after_s)}}
        assert 3_590 <= after_s <= 3_601
    assert other.ask().status_code == 200
    assert caller.ask("/api/v1/nothing").status_code == 404  # nobody asked who it is


def test_a_limit_that_is_raised_lets_those_pass_whom_it_refused(
    gateway: RunningGateway, database: Database, bot: Bot
) -> None:
    _limit(database, bot.company_id, "api_user", Bounds(per_hour=1))
    caller = Caller(gateway, database, bot)
    assert [caller.ask().status_code for _ in range(2)] == [200, 429]

    _limit(database, bot.company_id, "api_user", Bounds(per_hour=5))
    _edge(gateway).invalidations.tell(rate_limits.topic(bot.company_id))

    assert caller.ask().status_code == 200


def test_an_address_opens_ten_conversations_and_writes_ten_messages_in_ten_seconds(
    gateway: RunningGateway, database: Database
) -> None:
    widget = make_widget(database.admin_url, lifted=False)
    visitors = [Visitor(gateway, widget) for _ in range(10)]

    refused = [
        visitors[0].open_session(),
        *([visitor.say("hi") for visitor in visitors] + [visitors[0].say("hi")])[-1:],
    ]

    for answer in refused:
        assert answer.status_code == 429
        assert parsed(answer.headers["ratelimit"])["address-10-seconds"]["r"] == "0"
        assert 1 <= int(answer.headers["retry-after"]) <= 11
    assert visitors[0].read() == []  # reading goes on


def test_a_stranger_s_wrong_keys_are_refused_with_the_same_fields(gateway: RunningGateway) -> None:
    def answer() -> httpx.Response:
        return gateway.request("GET", ASSISTANTS, headers={"authorization": "Bearer nonsense"})

    last = next(one for one in (answer() for _ in range(200)) if one.status_code == 429)

    assert parsed(last.headers["ratelimit-policy"])["wrong-api-keys"] == {"q": "60", "w": "60"}
    assert parsed(last.headers["ratelimit"])["wrong-api-keys"] == {"r": "0", "t": last.headers["retry-after"]}


def test_unknown_webhooks_are_refused_with_the_same_fields(gateway: RunningGateway) -> None:
    def answer(number: int) -> httpx.Response:
        return gateway.request("POST", f"/webhooks/telegram/nobody-{number}", content=b"{}")

    last = next(one for one in map(answer, range(400)) if one.status_code == 429)

    assert parsed(last.headers["ratelimit"])["unknown-names"]["r"] == "0"
    assert int(last.headers["retry-after"]) >= 1


def test_who_is_refused_is_counted_and_an_address_is_kept_as_a_hash(
    gateway: RunningGateway, database: Database, bot: Bot
) -> None:
    _limit(database, bot.company_id, "api_user", Bounds(per_hour=1))
    widget = make_widget(database.admin_url, lifted=False)
    caller = Caller(gateway, database, bot)
    for _ in range(4):
        caller.ask()
    for _ in range(12):
        gateway.request("POST", f"/widget/{widget.slug}/sessions", headers={"origin": "https://shop.example"})
    refusals = _edge(gateway).refusals
    refusals.write()

    found = {(row.purpose, row.asker): row for row in refusals.most(limit=10)}

    assert found["api_user", "agent"].refused == 3
    address = found["address", "stranger"]
    assert address.refused == 2
    assert "127.0.0.1" not in address.who
    assert refusals.most(limit=10, address="127.0.0.1") == [address]
    assert refusals.most(limit=10, address="203.0.113.7") == []


# ------------------------------------------------------------------ changed over HTTP


def _admin(database: Database, bot: Bot) -> dict[str, str]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        return {"authorization": f"Bearer {new_key(conn, bot.company_id)}"}


def test_a_company_changes_its_own_limits_and_sees_who_was_refused(
    gateway: RunningGateway, database: Database, bot: Bot
) -> None:
    admin, caller = _admin(database, bot), Caller(gateway, database, bot)

    changed = gateway.request("PATCH", "/api/v1/limits/api_user", headers=admin, json={"per_hour": 1})

    assert (changed.status_code, changed.json()["per_hour"], changed.json()["own"]) == (200, 1, True)
    assert changed.json()["default"]["per_hour"] == 1_000
    assert [caller.ask().status_code for _ in range(3)] == [200, 429, 429]
    _edge(gateway).refusals.write()
    refused = gateway.request("GET", "/api/v1/limits/refused", headers=admin).json()["refused"]
    assert [(row["purpose"], row["asker"], row["refused"]) for row in refused] == [("api_user", "agent", 2)]

    for _ in range(2):
        back = gateway.request("DELETE", "/api/v1/limits/api_user", headers=admin)
        assert (back.status_code, back.json()["per_hour"], back.json()["own"]) == (200, 1_000, False)
    assert caller.ask().status_code == 200
    shown = gateway.request("GET", "/api/v1/limits", headers=admin).json()["limits"]
    assert [one["purpose"] for one in shown] == list(rate_limits.PURPOSES)
    assert not any(one["own"] for one in shown)


@pytest.mark.parametrize(
    ("purpose", "body", "status", "words"),
    [
        ("api_key", {"per_hour": 10_001}, 403, "an operator raises per_hour above 10,000"),
        ("api_key", {"per_hour": None}, 403, "an operator"),
        ("answers", {"per_hour": 1_001}, 422, "1 to 1,000"),
        ("answers", {"per_minute": 5}, 422, "by the hour alone"),
        ("answers", {"per_hour": 0}, 422, "per_hour"),
        ("coffees", {"per_hour": 5}, 404, "api_user"),
    ],
)
def test_what_a_company_may_not_set_is_refused_and_said(
    gateway: RunningGateway, database: Database, bot: Bot, purpose: str, body: dict[str, int | None], status: int,
    words: str,
) -> None:  # fmt: skip
    answer = gateway.request("PATCH", f"/api/v1/limits/{purpose}", headers=_admin(database, bot), json=body)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True)


def test_only_an_admin_s_key_changes_limits(gateway: RunningGateway, database: Database, bot: Bot) -> None:
    assert Caller(gateway, database, bot).ask("/api/v1/limits").status_code == 403
