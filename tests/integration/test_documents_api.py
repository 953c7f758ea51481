"""Documents over HTTP: sent, read by the worker, listed, deleted; each company its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from shared.embedded import Database
from shared.knowledge import embed
from shared.settings import PerMinute
from tasks.knowledge.imports import Result, import_next
from tasks.knowledge.index import Result as Indexed
from tasks.tenants import onboarding
from tests.factories import Bot, make_bot
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setenv("REDIS_URL", redis_url)  # what is sent wakes a worker up
    station = Station(database, redis_url)
    yield station
    station.close()


@pytest.fixture
def gateway(station: Station) -> Iterator[RunningGateway]:
    with running_gateway(station.r.settings) as running:
        yield running


def key_of(database: Database) -> str:
    bot = make_bot(database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        return onboarding.new_agent(owner, bot.company_id, "Ann")


def ask(gateway: RunningGateway, key: str, method: str, path: str, content: bytes = b"") -> httpx.Response:
    return gateway.request(method, path, headers={"authorization": f"Bearer {key}"}, content=content)


def test_a_document_is_sent_read_listed_and_deleted_by_its_company_alone(
    station: Station, gateway: RunningGateway, database: Database
) -> None:
    ours, theirs = key_of(database), key_of(database)
    name = "/api/v1/documents?name=returns.md&category=returns"

    sent = ask(gateway, ours, "POST", name, b"# Returns\n\nWithin thirty days.")
    assert (sent.status_code, list(sent.json())) == (202, ["import"])
    assert ask(gateway, ours, "GET", "/api/v1/imports").json()["counts"] == {"queued": 1}
    assert import_next(station.r, 0)[0] is Result.DONE

    [listed] = ask(gateway, ours, "GET", "/api/v1/documents").json()["documents"]
    assert (listed["source"], listed["title"], listed["chunk_count"]) == ("returns.md", "Returns", 1)
    assert ask(gateway, theirs, "GET", "/api/v1/documents").json()["documents"] == []
    path = f"/api/v1/documents/{listed['id']}"
    assert ask(gateway, theirs, "DELETE", path).status_code == 404
    assert ask(gateway, ours, "DELETE", path).json() == {"deleted": True}
    assert ask(gateway, ours, "DELETE", path).status_code == 404
    assert ask(gateway, ours, "GET", "/api/v1/documents").json()["documents"] == []


def test_a_collection_s_name_that_is_none_is_refused_by_name(gateway: RunningGateway, database: Database) -> None:
    path = "/api/v1/documents?name=a.md&collection="
    key = key_of(database)

    for name, told in {"%E3%85%A4": "can be seen", "x" * 101: "at most 100", "a%E2%80%AEb": "U+202E"}.items():
        refused = ask(gateway, key, "POST", path + name, b"# A")
        assert (refused.status_code, told in refused.json()["error"]) == (422, True)


def test_what_cannot_be_read_is_told_and_can_be_tried_again(station: Station, gateway: RunningGateway,
                                                            database: Database) -> None:  # fmt: skip
    key = key_of(database)
    ask(gateway, key, "POST", "/api/v1/documents?name=a.pdf", b"%PDF nothing")
    assert import_next(station.r, 0)[0] is Result.FAILED

    [failed] = ask(gateway, key, "GET", "/api/v1/imports?state=failed").json()["imports"]
    assert "PDF" in failed["reason"]
    assert ask(gateway, key, "POST", "/api/v1/imports/retry").json() == {"queued": 1}


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/api/v1/documents", b"x", 422),
        ("/api/v1/documents?name=logo.png", b"x", 415),
        ("/api/v1/documents?name=a.txt&language=klingon", b"x", 422),
        ("/api/v1/documents?name=a.txt&date=soon", b"x", 422),
        ("/api/v1/sites", b"[]", 422),
        ("/api/v1/sites", json.dumps({"sitemap": "file:///etc/passwd"}).encode(), 422),
        ("/api/v1/sites", json.dumps({"sitemap": "https://shop.example/sitemap.xml"}).encode(), 202),
    ],
)
def test_what_is_no_document_is_refused(
    gateway: RunningGateway, database: Database, path: str, content: bytes, status: int
) -> None:
    assert ask(gateway, key_of(database), "POST", path, content).status_code == status
    assert ask(gateway, "no-key", "POST", path, content).status_code in (status, 401)


# ------------------------------------------------------------------ searching

OPENING = "Doors are open from nine."


@pytest.fixture
def shop(station: Station, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> tuple[Bot, str]:
    """A company that has one document, embedded, and its agent's key."""
    monkeypatch.setattr(embed, "from_settings", lambda *_: station.embedder)
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot, OPENING)
    while station.index() is not Indexed.NOTHING_DUE:
        pass
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as owner:
        return bot, onboarding.new_agent(owner, bot.company_id, "Ann")


def find(gateway: RunningGateway, key: str, **asked: object) -> httpx.Response:
    body = json.dumps({"question": "When may I visit?", **asked}).encode()
    return ask(gateway, key, "POST", "/api/v1/search", body)


def test_an_agent_finds_by_meaning_what_its_company_has_and_nobody_else_does(
    gateway: RunningGateway, database: Database, shop: tuple[Bot, str]
) -> None:
    found = find(gateway, shop[1]).json()

    [passage] = found["passages"]
    assert (found["embedding_model"], passage["text"], passage["bm25"]) == ("fake", OPENING, None)
    assert (passage["start"], passage["end"]) == (0, len(OPENING))
    assert find(gateway, key_of(database)).json()["passages"] == []
    assert find(gateway, "no-key").status_code == 401


def test_a_filter_narrows_and_one_that_names_what_is_not_the_company_s_is_refused(
    gateway: RunningGateway, database: Database, shop: tuple[Bot, str]
) -> None:
    [document] = ask(gateway, shop[1], "GET", "/api/v1/documents").json()["documents"]
    mine = {"documents": [document["id"]], "collections": ["default"]}

    assert len(find(gateway, shop[1], filter=mine).json()["passages"]) == 1
    assert find(gateway, shop[1], filter={"categories": ["returns"]}).json()["passages"] == []
    foreign = find(gateway, key_of(database), filter={"documents": [document["id"]]})
    assert (foreign.status_code, "documents" in foreign.json()["error"]) == (422, True)
    assert find(gateway, shop[1], filter={"collections": ["secret"]}).status_code == 422


def test_a_conversation_s_questions_look_where_its_filter_says(
    station: Station, gateway: RunningGateway, database: Database, shop: tuple[Bot, str]
) -> None:
    bot, key = shop
    [(conversation,)] = station.rows(
        "INSERT INTO conversations (company_id, channel_id, chat) VALUES (%s, %s, '7') RETURNING id",
        bot.company_id, bot.channel_id,
    )  # fmt: skip
    path = f"/api/v1/conversations/{conversation}/filter"

    def put(given: object, by: str = key, where: str = path) -> httpx.Response:
        return ask(gateway, by, "PUT", where, json.dumps(given).encode())

    assert ask(gateway, key, "GET", path).json() == {"filter": None}
    wanted = {"collections": ["default"], "since": "2026-01-31T12:00:00+00:00"}
    assert put({"filter": wanted}).json() == {"filter": wanted} == ask(gateway, key, "GET", path).json()
    assert station.rows("SELECT wanted ->> 'since' FROM chat_filters") == [("2026-01-31T12:00:00+00:00",)]
    for wrong in ({"filter": {"documents": [10_000]}}, {"filter": {"collections": ["x"]}}, {"filter": 3}, {}):
        assert put(wrong).status_code == 422, wrong
    assert put({"filter": None}, where="/api/v1/conversations/99/filter").status_code == 404
    assert put({"filter": None}, by=key_of(database)).status_code == 404, "another company's"
    assert ask(gateway, key, "GET", path).json() == {"filter": wanted}
    assert put({"filter": None}).json() == {"filter": None} == ask(gateway, key, "GET", path).json()


MALFORMED: tuple[dict[str, object], ...] = (
    {"question": " "}, {"question": 3}, {"question": "x" * 1001}, {"limit": 0}, {"limit": True}, {"limit": 10**9},
    {"filter": []}, {"filter": {"company": 1}}, {"filter": {"documents": ["1"]}}, {"filter": {"documents": [2**63]}},
    {"filter": {"speakers": [""]}}, {"filter": {"since": "2026-01-31"}}, {"filter": {"until": 5}},
    {"filter": {"categories": ["x"] * 201}},
)  # fmt: skip


def test_a_malformed_search_is_told_what_is_wrong(gateway: RunningGateway, database: Database) -> None:
    key = key_of(database)
    for asked in MALFORMED:
        refused = find(gateway, key, **asked)
        assert (refused.status_code, next(iter(asked)) in refused.json()["error"]) == (422, True), asked


def test_more_searches_than_a_company_may_make_are_told_to_wait(station: Station, shop: tuple[Bot, str]) -> None:
    few = station.r.settings.changed(KNOWLEDGE_SEARCH_LIMIT=PerMinute(count=1, burst=2))
    with running_gateway(few) as gateway:
        assert [find(gateway, shop[1]).status_code for _ in range(3)] == [200, 200, 429]
