"""Requests that Schemathesis makes up after the API's description, right and wrong ones, against a real gateway: none
is answered by a 5xx or by what the description does not have, and no wrong one is taken for right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from shared.embedded import Database
from shared.store.tenants import api_keys, rate_limits
from shared.store.tenants.rate_limits import Bounds
from tests.api_description import description
from tests.factories import make_bot
from tests.integration.test_gateway_process import _gateway_process
from tests.services import Services

EXAMPLES = 10
"""Of each operation, besides those that cover its description; the same ones each time."""
TOKEN = "the-operators-token"
MANY = Bounds(per_hour=1_000_000)
PLENTY = {"KNOWLEDGE_SEARCH_LIMIT": "100000/100000", "KNOWLEDGE_WRITE_LIMIT": "100000/100000"}
CHECKS = [
    checks.not_a_server_error, openapi_checks.status_code_conformance, openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance, openapi_checks.response_headers_conformance,
    openapi_checks.negative_data_rejection, openapi_checks.unsupported_method,
]  # fmt: skip
ROWS = """
    WITH talk AS (
        INSERT INTO conversations (company_id, channel_id, chat, last_message_at, last_message_role, message_count,
            customer_seq)
        VALUES (%(company)s, %(channel)s, '7', now(), 'customer', 1, 1) RETURNING id
    )
    INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text, attachments)
    SELECT %(company)s, id, %(channel)s, 1, 'customer', 'Hello', '[{"type": "image", "url": "https://a.example/a.png"}]'
    FROM talk;
    INSERT INTO collections (company_id, name) VALUES (%(company)s, 'default');
    INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)
    SELECT %(company)s, max(id), 'a.md', 'A', 'Hello', '', 0 FROM collections WHERE company_id = %(company)s;
    INSERT INTO imports (company_id, source, name, kind, state, reason)
    VALUES (%(company)s, 'b.md', 'b.md', 'file', 'failed', 'It is empty.');
    INSERT INTO outbound (company_id, conversation_id, channel_id, message_id, part, text, state, unknown_since,
        meaning)
    SELECT %(company)s, conversation_id, %(channel)s, id, 1, 'x', 'unknown_outcome', now(), 'timeout'
    FROM messages WHERE company_id = %(company)s;
"""
OUTSIDE = "models_test_provider"
"""It asks a host that was named before: made-up ones must not be asked."""
REFUSED = ["400", "401", "403", "404", "405", "413", "414", "415", "422", "429"]
CONFIG = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}})
schema = schemathesis.openapi.from_dict(description(), config=CONFIG).exclude(operation_id=OUTSIDE)


@dataclass
class World:
    address: str
    ids: dict[str, int]
    http: requests.Session
    key: str
    key_id: int


@pytest.fixture(scope="module")
def world(module_database: Database, services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    bot = make_bot(module_database.admin_url)
    with psycopg.connect(module_database.admin_url, autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute(ROWS, {"company": bot.company_id, "channel": bot.channel_id})
        ids = {"channel": bot.channel_id}
        for name in ("conversation", "document", "assistant"):
            row = conn.execute(f"SELECT min(id) FROM {name}s WHERE company_id = %s", (bot.company_id,)).fetchone()
            assert row is not None
            ids[name] = row[0]
        for purpose in ("api_key", "address", "address_signed_in"):
            rate_limits.set_bounds(conn, purpose, bot.company_id, MANY)
        key = api_keys.new_key()
        key_id = api_keys.add(conn, bot.company_id, "ours", key, [*api_keys.SCOPES], created_by="operator")
    folder: Path = tmp_path_factory.mktemp("gateway")
    with (
        services.redis_database() as url,
        _gateway_process(module_database, url, folder, OPS_TOKEN=TOKEN, **PLENTY) as (_, address),
        requests.Session() as http,
    ):
        http.trust_env = False
        yield World(address, ids, http, key, key_id)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_a_made_up_request_is_answered_as_described(case: Any, world: World) -> None:
    for name, number in world.ids.items():
        given = case.path_parameters.get(name)
        if isinstance(given, int) and 0 < given < 2**63 and given % 2:
            case.path_parameters[name] = number
    if case.path_parameters.get("key") == world.key_id:
        case.path_parameters["key"] += 1  # our own would be revoked
    headers = {"authorization": f"Bearer {TOKEN if '/operations/' in case.operation.path else world.key}"}
    answer = case.call(base_url=world.address, headers=headers, session=world.http, timeout=30)
    case.validate_response(answer, checks=CHECKS)
