"""Operations: what operators see and do over HTTP, and that nobody else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.embedded import Database
from shared.store.inbound import journal
from tasks.context import Process
from tasks.inbound import tasks
from tests.factories import Bot, make_bot, settings_for, update
from tests.integration.gateway_client import RunningGateway, cut_off, running_gateway
from tests.integration.station import Station
from tests.services import Services

TOKEN = "the-operators-token"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PLANTED = "planted words of a customer"
OPERATIONS = "/api/v1/operations"
PATHS = (
    ("GET", f"{OPERATIONS}/balance"), ("GET", f"{OPERATIONS}/balance/hours"), ("GET", f"{OPERATIONS}/dead-letters"),
    ("GET", f"{OPERATIONS}/dead-letters/a/b/c/0"), ("POST", f"{OPERATIONS}/dead-letters/redrive"),
    ("POST", f"{OPERATIONS}/dead-letters/discard"), ("GET", f"{OPERATIONS}/unknown-outcomes"),
    ("POST", f"{OPERATIONS}/unknown-outcomes/settle"),
)  # fmt: skip


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url, OPS_TOKEN=TOKEN, DATABASE_POOL_TIMEOUT_S=0.5)) as running:
        yield running


def get(gateway: RunningGateway, path: str) -> Any:
    answer = gateway.get(path, headers=BEARER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(gateway: RunningGateway, path: str, **body: Any) -> httpx.Response:
    return gateway.request("POST", path, headers=BEARER, content=json.dumps(body).encode())


def make_dead_letter(station: Station, bot: Bot, text: str = PLANTED) -> None:
    """A request whose application was of a platform that nobody knows (any more)."""
    raw = json.dumps({"text": text}).encode()
    stream = journal.stream_of(0)
    station.inbox.reader.append(stream, journal.fields("pigeon", bot.app_id, 1_780_000_000_000, raw))
    station.inbox.drain_all()


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_the_token_there_is_nothing_to_see_or_do(gateway: RunningGateway, method: str, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        answer = gateway.request(method, path, headers=headers, content=b"{}")
        assert answer.status_code == 401


def test_the_balance_is_the_command_lines(station: Station, bot: Bot, gateway: RunningGateway) -> None:
    station.receive(bot, "hello", "and more")
    make_dead_letter(station, bot)

    found = get(gateway, "/api/v1/operations/balance")

    assert (found["closes"], found["requests_received"], found["requests_stored"]) == (True, 3, 3)
    assert found["events"] == {"effected": 2, "dead_letter": 1}


def test_every_event_of_an_hour_is_with_its_channel_and_outcome(
    station: Station, bot: Bot, gateway: RunningGateway
) -> None:
    other = make_bot(station.inbox.server.admin_url)
    body = update("hello", chat=5)
    for one, times in ((bot, 2), (other, 1)):
        for _ in range(times):
            station.inbox.journal(one, body)
    station.inbox.drain_all()
    # what these tests journal came in May 2026
    station.execute("UPDATE webhook_events SET received_at = now()")

    hours = get(gateway, "/api/v1/operations/balance/hours?hours=1")["hours"]

    assert {(h["channel_id"], h["outcome"], h["reason"], h["events"]) for h in hours} == {
        (bot.channel_id, "effected", "", 1), (bot.channel_id, "dropped", "duplicate", 1),
        (other.channel_id, "effected", "", 1),
    }  # fmt: skip
    assert gateway.get("/api/v1/operations/balance/hours?hours=0", headers=BEARER).status_code == 422


def test_dead_letters_are_listed_by_filter_and_shown_without_their_words(
    station: Station, bot: Bot, gateway: RunningGateway
) -> None:
    make_dead_letter(station, bot)
    [row] = get(gateway, "/api/v1/operations/dead-letters?platform=pigeon")["dead_letters"]
    assert get(gateway, "/api/v1/operations/dead-letters?platform=telegram")["dead_letters"] == []
    assert gateway.get("/api/v1/operations/dead-letters?platform=fax", headers=BEARER).status_code == 422
    assert get(gateway, f"/api/v1/operations/dead-letters?reason={row['reason']}&app={bot.app_id}")["dead_letters"] == [
        row
    ]

    shown = gateway.get(f"/api/v1/operations/dead-letters/{row['place']}", headers=BEARER)
    assert shown.json()["shape"] == {"text": f"<{len(PLANTED)} characters>"}
    assert PLANTED in get(gateway, f"/api/v1/operations/dead-letters/{row['place']}?content=1")["text"]


def test_a_filter_that_names_what_there_is_not_is_refused_by_name(
    station: Station, bot: Bot, gateway: RunningGateway
) -> None:
    make_dead_letter(station, bot)
    for answer in (
        gateway.get("/api/v1/operations/dead-letters?app=99", headers=BEARER),
        post(gateway, "/api/v1/operations/dead-letters/redrive", app=99),
    ):
        assert (answer.status_code, answer.json()["error"][:27]) == (422, "no app has the number 99: `")
    for answer in (
        gateway.get("/api/v1/operations/dead-letters?platform=fax", headers=BEARER),
        post(gateway, "/api/v1/operations/dead-letters/redrive", platform="fax"),
    ):
        assert answer.status_code == 422
        assert "no platform is named 'fax'" in answer.json()["error"]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/ops/parked", "/api/v1/operations/dead-letters"),
        ("/ops/parked/redrive", "/api/v1/operations/dead-letters"),
        ("/ops/parked/2026-01-01/s/1-0/0?content=1", "/api/v1/operations/dead-letters"),
        ("/ops/uncertain", "/api/v1/operations/unknown-outcomes"),
        ("/ops/uncertain/settle", "/api/v1/operations/unknown-outcomes"),
        ("/ops/balance", "/api/v1/operations"),
        ("/ops/dead-letters/redrive", "/api/v1/operations"),
    ],
)
def test_an_address_of_a_former_version_names_the_new_one(
    gateway: RunningGateway, method: str, old: str, new: str
) -> None:
    answer = gateway.request(method, old, headers=BEARER, content=b"" if method == "HEAD" else b"{}")

    assert answer.status_code == 410
    assert method == "HEAD" or answer.json()["error"].endswith(f" is now {new}")


def test_redriving_twice_is_once_and_discarding_says_why(station: Station, bot: Bot, gateway: RunningGateway) -> None:
    make_dead_letter(station, bot)
    make_dead_letter(station, bot, "another")
    first, second = (row["place"] for row in get(gateway, "/api/v1/operations/dead-letters")["dead_letters"])
    # whatever was wrong with the first is mended
    station.execute("UPDATE webhook_events SET platform = 'telegram' WHERE entry_id = %s", first.split("/")[2])

    again = post(gateway, "/api/v1/operations/dead-letters/redrive", platform="telegram")
    assert again.json() == {"redriven": [first], "not_dead_letters": []}
    station.inbox.drain_all()
    again = post(gateway, "/api/v1/operations/dead-letters/redrive", places=[first])
    assert again.json() == {"redriven": [], "not_dead_letters": [first]}
    discarded = post(
        gateway, "/api/v1/operations/dead-letters/discard", places=[second, first], reason="a test of ours"
    )

    assert discarded.json() == {"discarded": [second], "not_dead_letters": [first]}
    assert station.rows("SELECT reason FROM webhook_events WHERE entry_id = %s AND ordinal = 0",
                        second.split("/")[2]) == [("discarded: a test of ours",)]  # fmt: skip
    assert get(gateway, "/api/v1/operations/balance")["closes"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/operations/dead-letters/redrive", {}),
        ("/api/v1/operations/dead-letters/redrive", {"places": []}),
        ("/api/v1/operations/dead-letters/redrive", {"places": ["nonsense"]}),
        ("/api/v1/operations/dead-letters/redrive", {"places": ["not/a/day/0"]}),
        ("/api/v1/operations/dead-letters/redrive", {"places": [7]}),
        ("/api/v1/operations/dead-letters/redrive", {"app": "seven"}),
        ("/api/v1/operations/dead-letters/discard", {"places": ["2026-01-01/s/1-0/0"]}),
        ("/api/v1/operations/dead-letters/discard", {"places": ["2026-01-01/s/1-0/0"], "reason": " "}),
        ("/api/v1/operations/unknown-outcomes/settle", {"company_id": "1", "id": 1, "sent": True}),
        ("/api/v1/operations/unknown-outcomes/settle", {"company_id": 1, "id": 1, "sent": "yes"}),
        ("/api/v1/operations/unknown-outcomes/settle", {"company_id": 1, "sent": True}),
        ("/api/v1/operations/dead-letters/redrive", {"places": ["2026-01-01/s/1-0/0"], "platform": "telegram"}),
        ("/api/v1/operations/dead-letters/discard", {"places": ["2026-01-01/s/1-0/99999999999999"], "reason": "none"}),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(gateway: RunningGateway, path: str, body: dict[str, Any]) -> None:
    answer = post(gateway, path, **body)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)
    assert answer.json()["error"]


def test_a_send_of_unknown_outcome_is_settled_by_a_person(station: Station, bot: Bot, gateway: RunningGateway) -> None:
    station.queue(bot, "a part")
    station.execute("UPDATE outbound SET state = 'unknown_outcome', unknown_since = now(), meaning = 'timeout'")
    [row] = get(gateway, "/api/v1/operations/unknown-outcomes")["unknown_outcomes"]
    assert (row["company_id"], row["meaning"]) == (bot.company_id, "timeout")

    def settle(company_id: int, number: int) -> tuple[int, Any]:
        answer = post(
            gateway, "/api/v1/operations/unknown-outcomes/settle", company_id=company_id, id=number, sent=True
        )
        return answer.status_code, answer.json()

    company_id, number = row["company_id"], row["id"]
    assert settle(company_id, number) == (200, {"settled": True})
    assert station.rows("SELECT state FROM outbound") == [("sent",)]

    status, said = settle(company_id, number)
    assert (status, said["error"]) == (
        409, f"send {number} is sent, not unknown_outcome: there is nothing to settle",
    )  # fmt: skip
    for elsewhere in ((company_id, number + 1), (company_id + 1, number)):
        status, said = settle(*elsewhere)
        assert (status, said["status"]) == (404, 404)
        assert said["error"].startswith(f"company {elsewhere[0]} has no send {elsewhere[1]}")


def test_a_database_that_is_away_is_a_503(services: Services, database: Database, gateway: RunningGateway) -> None:
    with cut_off(services, database):
        for path in (
            "/api/v1/operations/balance",
            "/api/v1/operations/dead-letters",
            "/api/v1/operations/unknown-outcomes",
        ):
            assert gateway.get(path, headers=BEARER).status_code == 503


def test_what_the_job_found_is_a_metric_and_what_is_missing_is_said_aloud(
    station: Station, bot: Bot, gateway: RunningGateway
) -> None:
    process = Process(station.r)
    station.receive(bot, "hello")
    tasks.take(process)
    assert "switchboard_balance_missing_requests 0.0" in gateway.get("/metrics", headers=BEARER).text
    station.execute("UPDATE journal_progress SET requests = requests - 1")  # as if a commit had been lost
    tasks.take(process)

    assert station.rows("SELECT received - stored - redrives - in_flight FROM balance_checks ORDER BY taken_at") == [
        (0,), (1,),
    ]  # fmt: skip
    assert not get(gateway, "/api/v1/operations/balance")["closes"]
