"""Documents over HTTP: sent, read by the worker, listed, deleted; each company its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from shared.embedded import Database
from shared.flow import onboarding
from shared.flow.imports import Result, import_next
from tests.factories import make_bot
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setenv("REDIS_URL", redis_url)  # what is sent rings
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
    name = "/knowledge/documents?name=returns.md&category=returns"

    sent = ask(gateway, ours, "POST", name, b"# Returns\n\nWithin thirty days.")
    assert (sent.status_code, list(sent.json())) == (202, ["import"])
    assert ask(gateway, ours, "GET", "/knowledge/imports").json()["counts"] == {"queued": 1}
    assert import_next(station.r, 0)[0] is Result.DONE

    [listed] = ask(gateway, ours, "GET", "/knowledge/documents").json()["documents"]
    assert (listed["source"], listed["title"], listed["chunk_count"]) == ("returns.md", "Returns", 1)
    assert ask(gateway, theirs, "GET", "/knowledge/documents").json()["documents"] == []
    path = f"/knowledge/documents/{listed['id']}"
    assert ask(gateway, theirs, "DELETE", path).status_code == 404
    assert ask(gateway, ours, "DELETE", path).json() == {"deleted": True}
    assert ask(gateway, ours, "DELETE", path).status_code == 404
    assert ask(gateway, ours, "GET", "/knowledge/documents").json()["documents"] == []


def test_what_cannot_be_read_is_told_and_can_be_tried_again(station: Station, gateway: RunningGateway,
                                                            database: Database) -> None:  # fmt: skip
    key = key_of(database)
    ask(gateway, key, "POST", "/knowledge/documents?name=a.pdf", b"%PDF nothing")
    assert import_next(station.r, 0)[0] is Result.PARKED

    [parked] = ask(gateway, key, "GET", "/knowledge/imports?state=parked").json()["imports"]
    assert "PDF" in parked["reason"]
    assert ask(gateway, key, "POST", "/knowledge/imports/retry").json() == {"queued": 1}


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/knowledge/documents", b"x", 422),
        ("/knowledge/documents?name=logo.png", b"x", 415),
        ("/knowledge/documents?name=a.txt&language=klingon", b"x", 422),
        ("/knowledge/documents?name=a.txt&date=soon", b"x", 422),
        ("/knowledge/sites", b"[]", 422),
        ("/knowledge/sites", json.dumps({"sitemap": "file:///etc/passwd"}).encode(), 422),
        ("/knowledge/sites", json.dumps({"sitemap": "https://shop.example/sitemap.xml"}).encode(), 202),
    ],
)
def test_what_is_no_document_is_refused(
    gateway: RunningGateway, database: Database, path: str, content: bytes, status: int
) -> None:
    assert ask(gateway, key_of(database), "POST", path, content).status_code == status
    assert ask(gateway, "no-key", "POST", path, content).status_code in (status, 401)
