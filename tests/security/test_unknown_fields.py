"""Nothing is ignored silently: every route of our own refuses by name what it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import psycopg
import pytest

from shared.embedded import Database
from tests.factories import make_bot, new_key, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.visitor import Visitor, make_widget
from tests.operations import operations
from tests.services import Services

TOKEN = "the-operators-token"
FILLED = {
    "{conversation:id}": "1", "{document:id}": "1", "{place:path}": "2026-01-01/s/1-0/0", "{company:id}": "1",
    "{message:id}": "1", "{ordinal:id}": "0", "{assistant:id}": "1", "{key:id}": "999", "{name}": "start.js",
    "{provider:id}": "1", "{purpose}": "answer", "{limit}": "answers",
    "{contact:id}": "1",
}  # fmt: skip
NEEDED = {"/api/v1/documents": {"name": "a.txt"}}


@pytest.fixture(scope="module")
def gateway(module_database: Database, services: Services) -> Iterator[RunningGateway]:
    with (
        services.redis_database() as url,
        running_gateway(settings_for(module_database, url, OPS_TOKEN=TOKEN)) as running,
    ):
        yield running


class Callers:
    def __init__(self, gateway: RunningGateway, database: Database) -> None:
        self.gateway = gateway
        bot = make_bot(database.admin_url)
        with psycopg.connect(database.admin_url, autocommit=True) as conn:
            self.key = new_key(conn, bot.company_id)
        self.visitor = Visitor(gateway, make_widget(database.admin_url))

    def ask(
        self, method: str, path: str, query: Mapping[str, str | list[str]], body: dict[str, Any], *,
        with_key: bool = True,
    ) -> httpx.Response:  # fmt: skip
        own = {"{channel}": self.visitor.widget.slug, "{channel:id}": str(self.visitor.widget.channel_id)}
        for name, value in {**FILLED, **own}.items():
            path = path.replace(name, value)
        if path.startswith("/widget/"):
            headers = self.visitor.headers
        else:
            owner = TOKEN if path.startswith(("/api/v1/operations/", "/health", "/metrics")) else self.key
            headers = {"authorization": f"Bearer {owner}"}
        headers = headers if with_key else {}
        content = json.dumps(body).encode() if method != "GET" else b""
        return self.gateway.request(method, path, params=query, headers=headers, content=content)


@pytest.fixture(scope="module")
def callers(gateway: RunningGateway, module_database: Database) -> Callers:
    return Callers(gateway, module_database)


@pytest.mark.parametrize(("path", "method"), [(each.path, each.method) for each in operations()])
def test_every_route_refuses_what_it_does_not_know_by_name(callers: Callers, path: str, method: str) -> None:
    operation = next(each for each in operations() if (each.path, each.method) == (path, method))
    needed = NEEDED.get(path, {}) if method == "POST" else {}

    answer = callers.ask(method, path, {**needed, "sttus": "open"}, {})
    assert (answer.status_code, "'sttus'" in answer.json()["error"]) == (422, True), answer.text
    for name in operation.query:
        answer = callers.ask(method, path, {**needed, name: ["1", "1"]}, {})
        assert (answer.status_code, f"{name} is given twice" in answer.json()["error"]) == (422, True)
    if method != "GET" and not operation.file:
        answer = callers.ask(method, path, needed, {"privat": True})
        assert (answer.status_code, "'privat'" in answer.json()["error"]) == (422, True), answer.text
        for name in operation.body:
            answer = callers.ask(method, path, needed, {"privat": True, name: None})
            assert (answer.status_code, "'privat'" in answer.json()["error"]) == (422, True), answer.text


EVENTS = "/widget/{channel}/events"


@pytest.mark.parametrize(("path", "method"), [(each.path, each.method) for each in operations() if each.path != EVENTS])
def test_a_token_in_the_address_is_refused_everywhere_but_at_the_events(
    callers: Callers, path: str, method: str
) -> None:
    """An address is written to logs and histories; a browser's EventSource alone cannot send a header."""
    needed = NEEDED.get(path, {}) if method == "POST" else {}
    token = callers.visitor.token if path.startswith("/widget/") else TOKEN if "/operations/" in path else callers.key

    answer = callers.ask(method, path, {**needed, "token": token}, {})
    assert (answer.status_code, "'token' is not" in answer.json()["error"]) == (422, True), answer.text

    # nobody is known by it: a caller who must be known is refused as one who sends nothing
    anonymous = callers.ask(method, path, needed, {}, with_key=False)
    answer = callers.ask(method, path, {**needed, "token": token}, {}, with_key=False)
    assert answer.status_code == (401 if anonymous.status_code == 401 else 422), answer.text


def test_a_note_that_says_private_never_goes_to_the_customer(callers: Callers) -> None:
    answer = callers.ask("POST", "/api/v1/conversations/1/messages", {}, {"text": "a note", "private": True})
    assert (answer.status_code, "'private'" in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    ("path", "query", "body", "said"),
    [
        ("/api/v1/conversations", {"limt": "5"}, None, "did you mean 'limit'?"),
        ("/api/v1/imports", {"stat": "done"}, None, "did you mean 'state'?"),
        ("/api/v1/search", {}, {"questions": "a"}, "did you mean 'question'?"),
        ("/api/v1/search", {}, {}, "question is missing"),
        ("/api/v1/search", {}, {"question": 5}, "question should be a text, not a number"),
        ("/api/v1/search", {}, {"question": "a", "filter": {"colections": []}}, "did you mean 'collections'?"),
        ("/api/v1/conversations", {"cursor": "WyIyMDI2LTAxLTMxIiwxXQ"}, None, "the next_cursor of the page before"),
        ("/api/v1/conversations", {"before": "2026-01-31"}, None, "there is limit, cursor"),
        ("/api/v1/conversations/1/messages", {"after_seq": "9" * 30}, None, "after_seq should be a number from 0 to"),
        ("/api/v1/documents", {"limit": "x"}, None, "limit should be a number from 1 to 200"),
        ("/api/v1/search", {}, {"question": "a", "filter": {"since": "2026-01-31"}}, "filter.since should be a time"),
        (
            "/api/v1/search",
            {},
            {"question": "a", "filter": {"documents": [0]}},
            "filter.documents[0] should be a number",
        ),
    ],
)
def test_a_mistake_is_told_with_what_is_right(
    callers: Callers, path: str, query: dict[str, str], body: dict[str, Any] | None, said: str
) -> None:
    answer = callers.ask("GET" if body is None else "POST", path, query, body or {})
    assert (answer.status_code, said in answer.json()["error"]) == (422, True), answer.text


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"question": "a",}', "line 1, column 18"), (b"", "the body is empty: question is missing"),
        (b"[1]", "should be a JSON object, not a list"), (b"\xff", "byte 0 is not UTF-8"),
        (b'{"question": "a", "question": "b"}', "question is given twice"), (b"[" * 60_000, "nested too deeply"),
        (b'{"question": NaN}', "NaN is not a number"), (b'{"limit": ' + b"9" * 5000 + b"}", "question is missing"),
    ],
)  # fmt: skip
def test_json_that_is_not_valid_says_where_it_breaks(callers: Callers, raw: bytes, said: str) -> None:
    headers = {"authorization": f"Bearer {callers.key}"}
    answer = callers.gateway.request("POST", "/api/v1/search", headers=headers, content=raw)
    assert (answer.status_code, said in answer.json()["error"]) == (422, True), answer.text


def test_unknown_addresses_and_methods_have_the_one_form_of_errors(callers: Callers) -> None:
    nowhere = callers.gateway.get("/api/v1/nothing")
    assert (nowhere.status_code, nowhere.json()["status"]) == (404, 404)
    for method in ("DELETE", "PROPFIND"):
        answer = callers.gateway.request(method, "/api/v1/conversations/1/messages")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        assert answer.json()["status"] == 405


@pytest.mark.parametrize("number", ["9223372036854775808", "99999999999999999999", "9" * 5000])
def test_ids_beyond_64_bits_are_a_404(callers: Callers, number: str) -> None:
    asked: list[tuple[str, str, dict[str, str], dict[str, Any]]] = [
        ("GET", f"/api/v1/conversations/{number}/messages", {}, {}),
        ("POST", f"/api/v1/conversations/{number}/read", {}, {}),
        ("GET", f"/api/v1/conversations/{number}/filter", {}, {}),
        ("DELETE", f"/api/v1/documents/{number}", {}, {}),
        ("GET", f"/media/{number}/1/0", {}, {}),
        ("GET", f"/media/1/{number}/0", {}, {}),
        ("GET", f"/media/1/1/{number}", {}, {}),
        ("GET", "/api/v1/operations/dead-letters", {"app": number}, {}),
    ]
    for method, path, query, body in asked:
        answer = callers.ask(method, path, query, body)
        assert (answer.status_code, "error" in answer.json()) == (404, True), path[:60]
    headers = {"authorization": f"Bearer {TOKEN}"}
    raw = b'{"company_id": 1, "id": %s, "sent": true}' % number.encode()
    answer = callers.gateway.request("POST", "/api/v1/operations/unknown-outcomes/settle", headers=headers, content=raw)
    assert answer.status_code == 404
