"""Values that Python takes and PostgreSQL does not are refused, or put into a form that both know."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest

from gateway.rest import cursors
from shared.embedded import Database
from tasks.knowledge.imports import Result, import_next
from tasks.tenants import onboarding
from tests.factories import make_bot
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station

TIMES = {
    "2026-01-31T12:00:00+15:59": "2026-01-30T20:01:00+00:00",
    "2026-01-31T12:00:00+16:00": "2026-01-30T20:00:00+00:00",
    "2026-01-31T12:00:00-23:59": "2026-02-01T11:59:00+00:00",
    "2026-01-31T12:00:00+23:59:59.999999": "2026-01-30T12:00:00.000001+00:00",
    "0002-01-01T00:00:00+23:59": "0001-12-31T00:01:00+00:00",
    "9998-12-31T23:59:59-23:59": "9999-01-01T23:58:59+00:00",
}
NO_TIMES = [
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-31T12:00:00+24:00", "2026-02-30T00:00:00+00:00",
    "infinity", "-infinity", "epoch", "now", "today", "12:00", "\x00", "\ud800", "4713-01-01 BC",
]  # fmt: skip
PATHS = [
    "/widget/a%00b/messages", "/webhooks/telegram/a%00b", "/webhooks/a%00/b", "/media/1/1/a%00",
    "/api/v1/operations/dead-letters/%00", "/api/v1/conversations/%00", "/api/v1/documents/%00",
]  # fmt: skip


@pytest.fixture
def station(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setenv("REDIS_URL", redis_url)  # what is sent wakes a worker up
    station = Station(database, redis_url)
    yield station
    station.close()


class Agent:
    def __init__(self, gateway: RunningGateway, database: Database) -> None:
        self._gateway = gateway
        with psycopg.connect(database.admin_url, autocommit=True) as owner:
            key = onboarding.new_agent(owner, make_bot(database.admin_url).company_id, "Ann")
        self._headers = {"authorization": f"Bearer {key}"}

    def status(self, method: str, path: str, body: object = None) -> int:
        sent = {} if body is None else {"json": body}
        return self._gateway.request(method, path, headers=self._headers, **sent).status_code

    def send_document(self, name: str, date: str) -> int:
        path = f"/api/v1/documents?name={name}&date={quote(date, errors='surrogatepass')}"
        return self._gateway.request("POST", path, headers=self._headers, content=b"# Title\n\nText.").status_code


@pytest.fixture
def agent(station: Station, database: Database) -> Iterator[Agent]:
    with running_gateway(station.r.settings) as gateway:
        yield Agent(gateway, database)


def test_a_time_of_any_offset_is_understood_in_utc(station: Station, agent: Agent) -> None:
    for given, utc in TIMES.items():
        for name in ("since", "until"):
            body = {"question": "x", "filter": {name: given}}
            assert agent.status("POST", "/api/v1/search", body) == 200, given
        assert agent.status("GET", f"/api/v1/conversations?cursor={cursors.cursor_of(given, 1)}") == 200, given
        assert agent.send_document("a.md", given) == 202, given
        assert import_next(station.r, 0)[0] is Result.DONE, given
        assert station.rows("SELECT to_char(dated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM documents") == [
            (utc[:16].replace("T", " "),)
        ]


def test_what_is_no_time_is_refused(agent: Agent) -> None:
    for given in NO_TIMES:
        body = {"question": "x", "filter": {"since": given}}
        if given != "\ud800":  # which the client does not send
            assert agent.status("POST", "/api/v1/search", body) == 422, given
        if given != "\ud800":
            assert agent.status("GET", f"/api/v1/conversations?cursor={cursors.cursor_of(given, 1)}") == 422, given
        assert agent.send_document("a.md", given) == 422, given


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_path_holds_what_a_table_cannot(agent: Agent, method: str, path: str) -> None:
    assert agent.status(method, path) in (401, 404, 405)


def test_numbers_that_no_column_holds_are_refused(agent: Agent) -> None:
    for number in (2**63, -(2**63), 10**400, 1e308, 0.5, -1):
        for body in ({"question": "x", "limit": number}, {"question": "x", "filter": {"documents": [number]}}):
            assert agent.status("POST", "/api/v1/search", body) == 422, number
    for number in (2**31, 2**63, 10**400, -1):
        assert agent.status("GET", f"/api/v1/documents?limit={number}") == 422
        if abs(number) <= 2**63:  # which a cursor's maker writes
            address = f"/api/v1/conversations?cursor={cursors.cursor_of('2026-01-31T12:00:00+00:00', number)}"
            assert agent.status("GET", address) in (200, 422)
        assert agent.status("GET", f"/api/v1/conversations/{number}/messages") == 404
