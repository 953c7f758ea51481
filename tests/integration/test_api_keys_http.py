"""/api/v1/keys: a company's programs make, list and revoke keys, and none gets more rights than its maker has."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from shared.embedded import Database
from shared.store.db.pool import Conn
from shared.store.tenants import api_keys
from tasks.tenants import onboarding
from tests.factories import Bot, make_bot, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.test_api_keys import LOOK, bearer, make, status

KEYS = "/api/v1/keys"
WITHIN_S = 20


@pytest.fixture
def conn(database: Database) -> Iterator[Conn]:
    """The owner."""
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url, "Acme")


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url)) as running:
        yield running


@pytest.fixture
def admin(conn: Conn, bot: Bot) -> str:
    return make(conn, bot.company_id, "read", "admin", name="admin")


def add(gateway: RunningGateway, key: str, name: str = "made", *scopes: str, **fields: Any) -> httpx.Response:
    body = {"name": name, "scopes": scopes or ["read"], **fields}
    return gateway.request("POST", KEYS, headers=bearer(key), json=body)


def listed(gateway: RunningGateway, key: str, **query: Any) -> list[dict[str, Any]]:
    answer = gateway.get(KEYS, headers=bearer(key), params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["api_keys"]
    return found


def test_a_key_is_made_shown_once_listed_and_revoked(gateway: RunningGateway, admin: str) -> None:
    answer = add(gateway, admin, "Backend")
    assert answer.status_code == 201
    made = answer.json()
    assert status(gateway, made["api_key"]) == 200
    assert (made["created_by"], made["scopes"], made["expires_at"]) == ("key 1", ["read"], None)

    one = gateway.get(f"{KEYS}/{made['id']}", headers=bearer(admin))
    assert {**one.json(), "api_key": made["api_key"]} == made
    assert [key["name"] for key in listed(gateway, admin)] == ["admin", "Backend"]
    assert made["api_key"] not in gateway.get(KEYS, headers=bearer(admin)).text

    revoked = gateway.request("DELETE", f"{KEYS}/{made['id']}", headers=bearer(admin))
    assert revoked.json()["revoked_at"] is not None
    again = gateway.request("DELETE", f"{KEYS}/{made['id']}", headers=bearer(admin))
    assert (again.status_code, again.json()) == (200, revoked.json())
    assert status(gateway, made["api_key"]) == 401
    assert [key["name"] for key in listed(gateway, admin)] == ["admin"]
    assert [key["name"] for key in listed(gateway, admin, revoked=True)] == ["admin", "Backend"]


def test_what_a_key_may_do_is_told_to_whoever_has_it(gateway: RunningGateway, conn: Conn, bot: Bot) -> None:
    ada, agent_id = onboarding.make_agent(conn, bot.company_id, "Ada")
    program = make(conn, bot.company_id, "end-user")

    of_ada, of_program = (gateway.get(f"{KEYS}/current", headers=bearer(key)).json() for key in (ada, program))

    assert (of_ada["name"], of_ada["scopes"], of_ada["agent_id"]) == ("Ada", ["read", "write"], agent_id)
    assert (of_program["scopes"], of_program["agent_id"]) == (["end-user"], None)


def test_pages_of_keys_lead_to_each_of_them_once(
    gateway: RunningGateway, database: Database, conn: Conn, bot: Bot, admin: str
) -> None:
    for number in range(5):
        make(conn, bot.company_id, "read", name=f"key {number}")
    make(conn, make_bot(database.admin_url, "Other").company_id, "read", name="another company's")

    names: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    while True:
        page = gateway.get(KEYS, headers=bearer(admin), params=query).json()
        names += [key["name"] for key in page["api_keys"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert names == ["admin", *(f"key {number}" for number in range(5))]


# ------------------------------------------------------------------ more rights than its own


@pytest.mark.parametrize("scope", ["write", "models", "end-user"])
def test_no_key_gives_a_scope_that_it_lacks(gateway: RunningGateway, admin: str, scope: str) -> None:
    answer = add(gateway, admin, "more", "read", scope)

    assert answer.status_code == 403
    assert f"cannot give the scope {scope}" in answer.json()["error"]
    assert [key["name"] for key in listed(gateway, admin)] == ["admin"]


def test_no_key_makes_one_that_outlives_it(gateway: RunningGateway, conn: Conn, bot: Bot) -> None:
    ending = make(conn, bot.company_id, "admin", name="ending", days=10)
    later, sooner = (datetime.now(UTC) + timedelta(days=days) for days in (11, 9))

    assert add(gateway, ending, "for ever", "admin").status_code == 403
    assert add(gateway, ending, "longer", "admin", expires_at=later.isoformat()).status_code == 403
    assert add(gateway, ending, "shorter", "admin", expires_at=sooner.isoformat()).status_code == 201


def test_only_an_admin_s_key_sees_makes_or_revokes_keys(gateway: RunningGateway, conn: Conn, bot: Bot) -> None:
    others = make(conn, bot.company_id, "read", "write", "models", "end-user")
    for method, path in (("GET", KEYS), ("POST", KEYS), ("GET", f"{KEYS}/1"), ("DELETE", f"{KEYS}/1")):
        answer = gateway.request(method, path, headers=bearer(others))
        assert (answer.status_code, "the scope admin" in answer.text) == (403, True)
    assert status(gateway, others) == 200


def test_another_company_s_keys_are_not_found(
    gateway: RunningGateway, database: Database, conn: Conn, admin: str
) -> None:
    make(conn, make_bot(database.admin_url, "Other").company_id, "read", name="theirs")
    [(theirs,)] = conn.execute("SELECT id FROM api_keys WHERE name = 'theirs'").fetchall()

    for method in ("GET", "DELETE"):
        assert gateway.request(method, f"{KEYS}/{theirs}", headers=bearer(admin)).status_code == 404
    assert conn.execute("SELECT revoked_at FROM api_keys WHERE name = 'theirs'").fetchone() == (None,)


@pytest.mark.parametrize(
    ("fields", "wrong_status", "said"),
    [
        ({"scopes": ["everything"]}, 422, "one of 'read', 'write'"),
        ({"scopes": []}, 422, "scopes"),
        ({"name": " "}, 422, "name"),
        ({"name": "x" * 101}, 422, "name"),
        ({"name": "a\nb"}, 422, "name"),
        ({"name": "ADMIN"}, 409, "has an API key named 'ADMIN' already"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "a time to come"),
        ({"expires_at": "2020-01-01"}, 422, "expires_at should be a time"),
        ({"key_hash": "00"}, 422, "'key_hash'"),
        ({"agent_id": 1}, 422, "'agent_id'"),
        ({"created_by": "operator"}, 422, "'created_by'"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_what_to_change(
    gateway: RunningGateway, admin: str, fields: dict[str, Any], wrong_status: int, said: str
) -> None:
    answer = add(gateway, admin, **{"name": "made", **fields})
    assert (answer.status_code, said in answer.json()["error"]) == (wrong_status, True), answer.text


def test_beyond_the_most_keys_the_answer_says_to_revoke_some(
    gateway: RunningGateway, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "KEYS_MAX", 2)
    assert add(gateway, admin, "second").status_code == 201
    answer = add(gateway, admin, "third")
    assert (answer.status_code, "revoke those" in answer.json()["error"]) == (409, True)


# ------------------------------------------------------------------ revoked meanwhile


def test_a_key_that_is_revoked_while_it_makes_one_makes_none(
    gateway: RunningGateway, conn: Conn, bot: Bot, admin: str
) -> None:
    body = json.dumps({"name": "a way back in", "scopes": ["admin"]}).encode()

    async def make_slowly() -> int:
        async def pieces() -> AsyncIterator[bytes]:
            yield body[:10]
            await asyncio.to_thread(api_keys.revoke, conn, bot.company_id, 1)
            yield body[10:]

        return (await gateway.ask("POST", KEYS, headers=bearer(admin), content=pieces())).status_code

    assert gateway.run(make_slowly()) == 401
    assert conn.execute("SELECT name FROM api_keys").fetchall() == [("admin",)]


def test_a_stolen_key_is_revoked_with_all_that_came_of_it(
    gateway: RunningGateway, conn: Conn, bot: Bot, admin: str
) -> None:
    stolen = add(gateway, admin, "stolen", "admin").json()
    child = add(gateway, stolen["api_key"], "child", "admin").json()
    grandchild = add(gateway, child["api_key"], "grandchild", "admin").json()
    gateway.request("DELETE", f"{KEYS}/{child['id']}", headers=bearer(child["api_key"]))

    answer = gateway.request("DELETE", f"{KEYS}/{stolen['id']}?with_made=true", headers=bearer(admin))

    assert answer.status_code == 200
    assert [key["name"] for key in listed(gateway, admin)] == ["admin"]
    assert status(gateway, grandchild["api_key"]) == 401


def test_a_key_that_is_just_being_made_is_found_when_its_maker_is_revoked_with_what_it_made(
    database: Database, conn: Conn, bot: Bot, admin: str
) -> None:
    """The maker's row is held until the new key is committed; the revocation waits for it and looks afterwards."""
    revoked: list[int] = []
    with psycopg.connect(database.admin_url) as making:
        assert api_keys.hold(making, bot.company_id, 1)
        made = api_keys.add(
            making, bot.company_id, "made", api_keys.new_key(), ["admin"], created_by="key 1"
        )  # fmt: skip
        revoking = threading.Thread(
            target=lambda: revoked.extend(api_keys.revoke(conn, bot.company_id, 1, with_made=True))
        )
        revoking.start()
        _wait_for_lock(database)
        making.commit()
        revoking.join(WITHIN_S)

    assert revoked == [1, made]


def _wait_for_lock(database: Database) -> None:
    """Wait until a statement of another connection waits for a lock."""
    with psycopg.connect(database.admin_url, autocommit=True) as watching:
        for _ in range(WITHIN_S * 100):
            if watching.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone():
                return
            watching.execute("SELECT pg_sleep(0.01)")
    pytest.fail("nobody waits for a lock")


def test_requests_of_a_key_that_made_others_are_not_held_up(gateway: RunningGateway, admin: str) -> None:
    assert status(gateway, admin) == 200
    answers = gateway.together(
        [
            gateway.ask("POST", KEYS, headers=bearer(admin), json={"name": f"key {n}", "scopes": ["read"]})
            for n in range(20)
        ]
        + [gateway.ask("GET", LOOK, headers=bearer(admin)) for _ in range(20)]
    )
    assert [answer.status_code for answer in answers] == [201] * 20 + [200] * 20
