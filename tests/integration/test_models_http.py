"""/api/v1/models: a company's program adds providers, tries them and sets routes; keys never come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.store.db.pool import Conn
from shared.store.db.vault import Vault
from shared.store.models import providers as store
from shared.store.models.providers import Model, NewProvider
from standin.client import Standin
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, Bot, make_bot, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.test_api_keys import bearer, make

PROVIDERS, ROUTES = "/api/v1/models/providers", "/api/v1/models/routes"
KEY = "sk-planted-planted-planted-9876"


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_key(KEY)
    return process.client


@pytest.fixture
def conn(database: Database) -> Iterator[Conn]:
    """The owner."""
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url, "Acme")


class Api:
    def __init__(self, gateway: RunningGateway, key: str) -> None:
        self.gateway, self.headers = gateway, bearer(key)

    def ask(self, method: str, path: str, status: int = 200, match: str | None = None, **body: Any) -> Any:
        headers = self.headers if match is None else {**self.headers, "if-match": match}
        given = {} if method in ("GET", "DELETE") else {"json": body}
        answer = self.gateway.request(method, path, headers=headers, **given)
        assert answer.status_code == status, answer.text
        assert "planted" not in answer.text
        return answer.json()


@pytest.fixture
def gateway(database: Database, redis_url: str, standin: Standin) -> Iterator[RunningGateway]:
    port = standin.base_url.rpartition(":")[2]
    with running_gateway(settings_for(database, redis_url, EGRESS_ALLOW=f"model:127.0.0.1:{port}")) as running:
        yield running


@pytest.fixture
def api(gateway: RunningGateway, conn: Conn, bot: Bot) -> Api:
    return Api(gateway, make(conn, bot.company_id, "admin", name="admin"))


def added(api: Api, standin: Standin, name: str = "mine", **fields: Any) -> Any:
    body = {"name": name, "base_url": standin.openai_url, "api_key": KEY, "models": [{"name": "standin-1"}], **fields}
    return api.ask("POST", PROVIDERS, 201, **body)


def test_a_provider_is_added_tried_changed_and_deleted(api: Api, conn: Conn, standin: Standin) -> None:
    made = added(api, standin)
    assert (made["key_hint"], made["paid"], made["installation"]) == ("9876", False, False)
    [row] = store.every(conn)
    assert row.sealed is not None
    assert Vault([ENCRYPTION_KEY]).open(row.sealed) == {"api_key": KEY}
    place = f"{PROVIDERS}/{made['id']}"
    [trial] = api.ask("POST", f"{place}/test")["trials"]
    assert (trial["outcome"], trial["ok"], trial["status"]) == ("ok", True, None)
    assert trial["tokens_in"] > 0
    standin.fault("openai", "status", status=401)
    [trial] = api.ask("POST", f"{place}/test", models=["standin-1"])["trials"]
    assert (trial["outcome"], trial["status"]) == ("llm_credentials", 401)
    assert api.ask("PATCH", place, state="disabled")["state"] == "disabled"
    assert api.ask("GET", PROVIDERS)["providers"][0]["state"] == "disabled"
    assert api.ask("DELETE", place)["name"] == "mine"
    api.ask("GET", place, 404)
    assert store.every(conn) == []


def test_a_route_is_set_shown_and_taken_away(api: Api, conn: Conn, standin: Standin) -> None:
    added(api, standin, models=[{"name": "large"}, {"name": "ranks", "kind": "rerank"}])
    assert api.ask("GET", f"{ROUTES}/answer") == {"purpose": "answer", "origin": "environment", "steps": []}
    said = api.ask("PUT", f"{ROUTES}/answer", steps=[{"provider": "mine", "model": "large", "max_tokens": 800}])
    step = {"provider": "mine", "model": "large", "max_tokens": 800, "barred": None}
    assert said == {"purpose": "answer", "origin": "company", "steps": [step]}
    routes = {one["purpose"]: one["origin"] for one in api.ask("GET", ROUTES)["routes"]}
    assert (routes["answer"], routes["summary"]) == ("company", "environment")
    made = api.ask("GET", PROVIDERS)["providers"][0]
    api.ask("DELETE", f"{PROVIDERS}/{made['id']}", 409)
    api.ask("PATCH", f"{PROVIDERS}/{made['id']}", 409, models=[{"name": "other"}])
    assert api.ask("DELETE", f"{ROUTES}/answer")["origin"] == "environment"
    assert api.ask("DELETE", f"{ROUTES}/answer")["origin"] == "environment"


@pytest.mark.parametrize(
    ("purpose", "step", "status", "said"),
    [
        ("answer", {"provider": "nobody", "model": "m"}, 422, "there is no provider 'nobody'"),
        ("answer", {"provider": "mine", "model": "huge"}, 422, "has no model 'huge'"),
        ("rerank", {"provider": "mine", "model": "standin-1"}, 422, "needs one for rerank"),
        ("embedding", {"provider": "mine", "model": "standin-1"}, 404, "vectors of two models"),
        ("sing", {"provider": "mine", "model": "standin-1"}, 404, "no purpose"),
    ],
)
def test_a_route_that_would_not_work_is_refused(
    api: Api, standin: Standin, purpose: str, step: dict[str, Any], status: int, said: str
) -> None:
    added(api, standin)
    assert said in api.ask("PUT", f"{ROUTES}/{purpose}", status, steps=[step])["error"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"base_url": "http://169.254.169.254/v1"}, "cannot be there"),
        ({"base_url": "http://localhost:1/v1"}, "cannot be there"),
        ({"base_url": "https://user:pw@a.example/v1"}, "holds a password"),
        ({"base_url": "http://93.184.215.14/v1"}, "in the clear"),
        ({"name": "Big"}, "small letters"),
        ({"api_key": "a\nb"}, "no HTTP header"),
        ({"models": [{"name": "m"}, {"name": "m", "kind": "rerank"}]}, "named twice"),
        ({"models": [{"name": "m", "kind": "song"}]}, "kind"),
    ],
)
def test_a_provider_that_cannot_be_is_refused(api: Api, standin: Standin, fields: dict[str, Any], said: str) -> None:
    body = {"name": "mine", "base_url": standin.openai_url, "api_key": KEY, "models": [{"name": "m"}], **fields}
    assert said in api.ask("POST", PROVIDERS, 422, **body)["error"]


def test_a_key_does_not_follow_to_another_server(api: Api, standin: Standin) -> None:
    place = f"{PROVIDERS}/{added(api, standin)['id']}"
    said = api.ask("PATCH", place, 422, base_url="https://93.184.215.14/v1")["error"]
    assert "give the key again" in said
    assert api.ask("GET", place)["base_url"] == standin.openai_url


def test_the_installation_s_provider_may_be_routed_and_neither_changed_nor_seen_into(
    api: Api, conn: Conn, standin: Standin
) -> None:
    new = NewProvider(None, "house", "http://10.0.0.7/v1", b"sealed", "9876", (Model("large", "chat"),), False)
    house = store.add(conn, new)
    [shown] = api.ask("GET", PROVIDERS)["providers"]
    assert (shown["installation"], shown["base_url"], shown["key_hint"], shown["has_key"]) == (True, None, None, True)
    api.ask("PATCH", f"{PROVIDERS}/{house}", 403, paid=True)
    api.ask("DELETE", f"{PROVIDERS}/{house}", 403)
    api.ask("POST", f"{PROVIDERS}/{house}/test", 403)
    api.ask("PUT", f"{ROUTES}/answer", steps=[{"provider": "house", "model": "large"}])
    assert "'house' already" in api.ask(
        "POST", PROVIDERS, 409, name="house", base_url=standin.openai_url, models=[{"name": "m"}]
    )["error"]  # fmt: skip


def test_another_company_s_are_not_found(
    api: Api, conn: Conn, gateway: RunningGateway, database: Database, standin: Standin
) -> None:
    place = f"{PROVIDERS}/{added(api, standin)['id']}"
    other = make_bot(database.admin_url, "Other").company_id
    foreign = Api(gateway, make(conn, other, "admin"))
    assert foreign.ask("GET", PROVIDERS)["providers"] == []
    for method in ("GET", "PATCH", "DELETE"):
        foreign.ask(method, place, 404)
    foreign.ask("POST", f"{place}/test", 404)
    foreign.ask("PUT", f"{ROUTES}/answer", 422, steps=[{"provider": "mine", "model": "standin-1"}])


def test_models_sees_and_admin_changes(gateway: RunningGateway, conn: Conn, bot: Bot, standin: Standin) -> None:
    sees = Api(gateway, make(conn, bot.company_id, "models", name="sees"))
    assert sees.ask("GET", PROVIDERS)["providers"] == []
    assert sees.ask("GET", f"{ROUTES}/answer")["origin"] == "environment"
    refused = sees.ask("PUT", f"{ROUTES}/answer", 403, steps=[{"provider": "a", "model": "m"}])
    assert "lacks the scope admin" in refused["error"]
    reads = Api(gateway, make(conn, bot.company_id, "read", "write", name="reads"))
    assert "admin or models" in reads.ask("GET", PROVIDERS, 403)["error"]


def test_a_change_that_another_would_lose_is_refused(api: Api, gateway: RunningGateway, standin: Standin) -> None:
    place = f"{PROVIDERS}/{added(api, standin)['id']}"
    read = gateway.get(place, headers=api.headers).headers["etag"]
    api.ask("PATCH", place, match=read, paid=True)
    api.ask("PATCH", place, 412, match=read, paid=False)
    read = gateway.get(f"{ROUTES}/answer", headers=api.headers).headers["etag"]
    steps = [{"provider": "mine", "model": "standin-1"}]
    api.ask("PUT", f"{ROUTES}/answer", match=read, steps=steps)
    api.ask("PUT", f"{ROUTES}/answer", 412, match=read, steps=[{**steps[0], "max_tokens": 9}])
