"""What all operations of /api/v1 have in common: problems, entity tags, compression, HEAD, pages, the description."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import brotli
import httpx
import psycopg
import pytest

from gateway.rest.representation import compressed
from shared.embedded import Database
from tasks.tenants import onboarding
from tests.api_description import description
from tests.factories import make_bot, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.services import Services

ASSISTANTS = "/api/v1/assistants"


@pytest.fixture(scope="module")
def gateway(module_database: Database, services: Services) -> Iterator[RunningGateway]:
    with services.redis_database() as url, running_gateway(settings_for(module_database, url)) as running:
        yield running


class Company:
    def __init__(self, gateway: RunningGateway, database: Database) -> None:
        self.gateway = gateway
        self.bot = make_bot(database.admin_url)
        with psycopg.connect(database.admin_url, autocommit=True) as conn:
            self.key = onboarding.new_agent(conn, self.bot.company_id, "Ada")
            conn.execute(
                "INSERT INTO assistants (company_id, name) SELECT %s, 'No. ' || n FROM generate_series(1, 4) n",
                (self.bot.company_id,),
            )
        self.assistant: int = self.ask("GET", ASSISTANTS).json()["assistants"][0]["id"]

    @property
    def one(self) -> str:
        return f"{ASSISTANTS}/{self.assistant}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.key}", "accept-encoding": "identity"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gateway.request(method, path, headers=sent, content=b"" if body is None else json.dumps(body))


@pytest.fixture
def company(gateway: RunningGateway, module_database: Database) -> Company:
    return Company(gateway, module_database)


def test_a_refusal_is_a_problem_with_a_plain_sentence(company: Company) -> None:
    refused = company.ask("GET", f"{ASSISTANTS}?limt=5")

    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json() == {
        "type": "about:blank", "title": HTTPStatus(422).phrase, "status": 422,
        "detail": "'limt' is not a query parameter that this takes: did you mean 'limit'?",
        "error": "'limt' is not a query parameter that this takes: did you mean 'limit'?",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/api/v1/nothing", 404, None), ("GET", "/api/v1/", 404, None), ("GET", f"{ASSISTANTS}/", 404, None),
        ("PUT", ASSISTANTS, 405, "GET, HEAD"), ("OPTIONS", f"{ASSISTANTS}/1", 405, "GET, HEAD, PATCH"),
        ("GET", f"{ASSISTANTS}/x", 404, None), ("GET", f"{ASSISTANTS}/{'9' * 4000}", 404, None),
        ("GET", f"{ASSISTANTS}?cursor={'a' * 40_000}", 414, None), ("GET", f"{ASSISTANTS}?cursor=a", 422, None),
        ("GET", f"{ASSISTANTS}?cursor=WzEuNV0", 422, None), ("GET", f"{ASSISTANTS}?cursor=WzEsMl0", 422, None),
        ("GET", f"{ASSISTANTS}?cursor=Wy0xXQ", 422, None), ("GET", f"{ASSISTANTS}?limit=%C2%B2", 422, None),
        ("GET", f"{ASSISTANTS}?limit=+5", 422, None), ("GET", f"{ASSISTANTS}?limit=5.0", 422, None),
    ],
)  # fmt: skip
def test_every_refusal_has_the_one_form(
    company: Company, method: str, path: str, status: int, allowed: str | None
) -> None:
    refused = company.ask(method, path)

    assert (refused.status_code, refused.json()["status"]) == (status, status)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers.get("allow") == allowed


def test_an_address_that_moved_names_the_new_one(company: Company) -> None:
    for path in ("/assistants", "/assistants/1", "/assistants/1/bind"):
        moved = company.ask("GET", path)
        assert (moved.status_code, "/api/v1/assistants" in moved.json()["error"]) == (410, True)


def test_what_did_not_change_is_not_sent_again(company: Company) -> None:
    first = company.ask("GET", company.one)
    tag = first.headers["etag"]

    for named in (tag, f'W/{tag}, "x"', f'"x", {tag}', "*"):
        again = company.ask("GET", company.one, if_none_match=named)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), named
    assert company.ask("GET", company.one, if_none_match='"other"').status_code == 200
    company.ask("PATCH", company.one, {"misses_max": 7})
    changed = company.ask("GET", company.one, if_none_match=tag)
    assert (changed.status_code, changed.json()["misses_max"]) == (200, 7)


def test_of_two_who_change_the_same_state_the_second_is_told(company: Company) -> None:
    tag = company.ask("GET", company.one).headers["etag"]

    mine = company.ask("PATCH", company.one, {"misses_max": 5}, if_match=tag)
    theirs = company.ask("PATCH", company.one, {"misses_max": 6}, if_match=tag)

    assert (mine.status_code, theirs.status_code) == (200, 412)
    now = company.ask("GET", company.one)
    assert (now.json()["misses_max"], now.headers["etag"]) == (5, mine.headers["etag"])
    assert company.ask("PATCH", company.one, {"misses_max": 8}, if_match=mine.headers["etag"]).status_code == 200
    assert company.ask("PATCH", company.one, {"misses_max": 9}, if_match="*").status_code == 200


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("gzip, br", "br"), ("br;q=0, gzip", "gzip")])
def test_an_answer_above_1_kb_is_compressed_for_who_takes_it(company: Company, accepted: str, encoding: str) -> None:
    plain = company.ask("GET", company.one)
    assert len(plain.content) > 1024
    assert plain.headers.get("content-encoding") is None

    packed = company.ask("GET", company.one, accept_encoding=accepted)

    assert (packed.headers["content-encoding"], packed.headers["vary"]) == (encoding, "accept-encoding")
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content)
    tag = packed.headers["etag"]
    assert tag != plain.headers["etag"]
    assert company.ask("GET", company.one, accept_encoding=accepted, if_none_match=tag).status_code == 304
    assert company.ask("PATCH", company.one, {"misses_max": 4}, if_match=tag).status_code == 200


def test_a_small_answer_is_not_compressed(company: Company) -> None:
    small = company.ask("GET", f"{ASSISTANTS}?limit=1", accept_encoding="br")
    assert (small.headers.get("content-encoding"), len(small.content) <= 1024) == (None, True)


def test_both_encodings_are_what_their_libraries_read() -> None:
    body = b"shoes and boots " * 500
    assert brotli.decompress(compressed(body, "br")) == gzip.decompress(compressed(body, "gzip")) == body


def test_head_says_what_get_would_send(company: Company) -> None:
    got, head = company.ask("GET", company.one), company.ask("HEAD", company.one)
    assert (head.status_code, head.content) == (200, b"")
    assert {name: head.headers[name] for name in ("etag", "content-length", "content-type")} == {
        name: got.headers[name] for name in ("etag", "content-length", "content-type")
    }


def test_pages_lead_to_every_row_once(company: Company) -> None:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = company.ask("GET", f"{ASSISTANTS}?limit=2" + (f"&cursor={cursor}" if cursor else "")).json()
        seen += [one["id"] for one in page["assistants"]]
        cursor = page["next_cursor"]

    assert len(seen) == 5
    assert seen == sorted(set(seen))


def test_the_description_and_its_page_need_no_key_and_no_other_host(gateway: RunningGateway) -> None:
    said = gateway.get("/api/v1/openapi.json")
    assert said.json() == description()
    assert said.json()["openapi"].startswith("3.1")

    page = gateway.get("/docs")
    assert page.status_code == 200
    for path in ("/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js", "/docs/favicon.png"):
        assert path in page.text
        assert gateway.get(path).status_code == 200
    assert "//" not in page.text.replace("<!doctype", "")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert gateway.get("/docs/../main.py").status_code == 404
    assert gateway.get("/docs/redoc.standalone.js").status_code == 404
