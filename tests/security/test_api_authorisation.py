"""Every operation of the API's description refuses who has no key, a wrong one, one whose scopes are too small, and one
of another company; and each is described whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.store.tenants import api_keys, rate_limits
from shared.store.tenants.rate_limits import Bounds
from tests.api_description import description
from tests.factories import make_bot, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.services import Services

TOKEN = "the-operators-token"


@dataclass(frozen=True)
class Described:
    method: str
    path: str
    said: dict[str, Any]

    @property
    def scopes(self) -> set[str]:
        """Of which a company's key needs one; empty: any key does, or it is not for companies."""
        return {scope for one in self.said["security"] for scope in one.get("api-key", ())}

    @property
    def for_operators(self) -> bool:
        return any("operator-token" in one for one in self.said["security"])


EVERY = [
    Described(method.upper(), path, said)
    for path, operations in description()["paths"].items() for method, said in operations.items()
]  # fmt: skip
IDS = [f"{one.method} {one.path}" for one in EVERY]
BODIES: dict[str, object] = {
    "POST /api/v1/conversations/{conversation}/messages": {"text": "a stranger"},
    "PUT /api/v1/budgets/contacts/{contact}": {"limit_micros": 1},
    "PUT /api/v1/conversations/{conversation}/filter": {"filter": None},
    "POST /api/v1/assistants/{assistant}/bind": {"channel": 1},
}
"""With which an operation on a thing of one's own company would be done."""


class World:
    """Two companies, and what the second one has."""

    def __init__(self, gateway: RunningGateway, admin_url: str) -> None:
        self.gateway, self.admin_url = gateway, admin_url
        self.company, self.other = make_bot(admin_url), make_bot(admin_url)
        self.ids: dict[str, int] = {"channel": self.other.channel_id}
        with psycopg.connect(admin_url, autocommit=True) as conn:
            self.keys = {scope: self._key(conn, self.company.company_id, [scope]) for scope in api_keys.SCOPES}
            self.every = self._key(conn, self.company.company_id, [*api_keys.SCOPES])
            for purpose in ("api_key", "address", "address_signed_in"):
                rate_limits.set_bounds(conn, purpose, self.company.company_id, Bounds(per_hour=1_000_000))
            for name, statement in OF_THE_OTHER.items():
                row = conn.execute(statement, {"company": self.other.company_id, "channel": self.other.channel_id})
                [(self.ids[name],)] = row.fetchall()

    def _key(self, conn: psycopg.Connection[Any], company_id: int, scopes: list[str]) -> str:
        key = api_keys.new_key()
        api_keys.add(conn, company_id, f"{len(scopes)} {scopes[0]}", key, scopes, created_by="operator")
        return key

    def rows(self) -> list[Any]:
        """Whatever the second company has."""
        with psycopg.connect(self.admin_url) as conn:
            return [
                conn.execute(f"SELECT t FROM {table} t WHERE company_id = %s ORDER BY id", (self.other.company_id,))
                .fetchall() for table in TABLES
            ]  # fmt: skip

    def status(self, one: Described, key: str | None) -> int:
        path = re.sub(r"{(\w+)}", lambda name: str(self.ids.get(name[1], "none")), one.path)
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        content = b"" if one.method in ("GET", "DELETE") else json.dumps(BODIES.get(f"{one.method} {one.path}", {}))
        return self.gateway.request(one.method, path, headers=headers, content=content).status_code


TABLES = ("assistants", "channels", "conversations", "documents", "api_keys", "model_providers", "outbound")
OF_THE_OTHER = {
    "assistant": "SELECT min(id) FROM assistants WHERE company_id = %(company)s",
    "conversation": "INSERT INTO conversations (company_id, channel_id, chat) VALUES (%(company)s, %(channel)s, '7')"
                    " RETURNING id",
    "contact": "INSERT INTO contacts (company_id, channel_id, external_id) VALUES (%(company)s, %(channel)s, '8')"
               " RETURNING id",
    "document": "WITH c AS (INSERT INTO collections (company_id, name) VALUES (%(company)s, 'c') RETURNING id)"
                " INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)"
                " SELECT %(company)s, id, 'a', 'a', 'a', '', 0 FROM c RETURNING id",
    "provider": "INSERT INTO model_providers (company_id, name, base_url, paid)"
                " VALUES (%(company)s, 'theirs', 'http://127.0.0.1:9', false) RETURNING id",
    "key": "INSERT INTO api_keys (company_id, name, prefix, key_hash, scopes, created_by)"
           " VALUES (%(company)s, 'theirs', 'sb_abcde', sha256('x'), '{read}', 'operator') RETURNING id",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(module_database: Database, services: Services) -> Iterator[World]:
    plenty = {"GATEWAY_WRONG_KEYS_LIMIT": "100000/100000"}
    with (
        services.redis_database() as url,
        running_gateway(settings_for(module_database, url, OPS_TOKEN=TOKEN, **plenty)) as gateway,
    ):
        yield World(gateway, module_database.admin_url)


@pytest.mark.parametrize("one", EVERY, ids=IDS)
def test_nobody_is_answered_without_a_key_or_with_a_wrong_one(world: World, one: Described) -> None:
    assert world.status(one, None) == 401
    for wrong in (api_keys.new_key(), "sb_nonsense", TOKEN[:-1], TOKEN if not one.for_operators else world.every):
        assert world.status(one, wrong) == 401


@pytest.mark.parametrize("one", EVERY, ids=IDS)
def test_a_key_whose_scopes_are_too_small_is_told_so_before_anything_else(world: World, one: Described) -> None:
    if one.for_operators:
        assert one.scopes == set()
    for scope, key in world.keys.items():
        if one.scopes and scope not in one.scopes:
            assert world.status(one, key) == 403


NO_THINGS = {"purpose", "place"}
"""Parameters of paths that name nothing of a company's."""
OF_COMPANIES = [one for one in EVERY if set(re.findall(r"{(\w+)}", one.path)) - NO_THINGS]


@pytest.mark.parametrize("one", OF_COMPANIES, ids=[f"{one.method} {one.path}" for one in OF_COMPANIES])
def test_what_another_company_has_is_not_there(world: World, one: Described) -> None:
    before = world.rows()
    assert world.status(one, world.every) == 404
    assert world.rows() == before


def test_what_another_company_has_cannot_be_named_in_a_body(world: World) -> None:
    headers, theirs = {"authorization": f"Bearer {world.every}"}, world.ids
    [own] = world.gateway.get("/api/v1/assistants", headers=headers).json()["assistants"]
    before = world.rows()
    for method, path, body, status in (
        ("POST", f"/api/v1/assistants/{own['id']}/bind", {"channel": theirs["channel"]}, 404),
        ("POST", "/api/v1/search", {"question": "a", "filter": {"documents": [theirs["document"]]}}, 422),
        ("PUT", "/api/v1/models/routes/answer", {"steps": [{"provider": "theirs", "model": "m"}]}, 422),
    ):
        answer = world.gateway.request(method, path, headers=headers, json=body)
        assert (path, answer.status_code) == (path, status), answer.text
    assert world.rows() == before


@pytest.mark.parametrize("one", EVERY, ids=IDS)
def test_every_operation_is_described_whole(one: Described) -> None:
    said = one.said
    assert said["summary"][0].isupper()
    assert said["tags"]
    assert said["security"]
    done = [response for status, response in said["responses"].items() if status < "300"]
    assert done
    for response in done:
        for content in response["content"].values():
            assert content["schema"] not in ({}, {"type": "string"})
    refusals = {status: response for status, response in said["responses"].items() if status >= "400"}
    assert {"401", "403", "404", "422", "429", "500", "503"} <= refusals.keys()
    for response in refusals.values():
        assert response["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for parameter in said.get("parameters", ()):
        assert parameter["schema"]


def test_no_two_operations_have_one_name() -> None:
    names = [one.said["operationId"] for one in EVERY]
    assert sorted(names) == sorted(set(names))
