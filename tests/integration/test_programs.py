"""Programs and Slack as channels, edge to answer: what is the same webhook, and how long an answer is tried."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from shared import openings
from shared.channels.connect.standard import new_secret
from shared.channels.signature import slack_signature, standard_key, standard_signature
from shared.channels.standard import platform as standard
from shared.embedded import Database
from shared.model import Me
from shared.resilience.egress import Egress
from shared.store.db.vault import Vault
from shared.store.inbound import dead_letters, journal
from shared.store.tenants import companies
from tasks.delivery import recording
from tasks.delivery.deliver import Result
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot, settings_for
from tests.integration.claims import begin_send, claim_part
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station

SECRET = new_secret()


@dataclass
class Receiver:
    """Takes answers, unless a script says otherwise: a status, a response or an error, first in first out."""

    script: list[int | Exception | httpx.Response] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        said = self.script.pop(0) if self.script else 200
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, httpx.Response) else httpx.Response(said)

    @property
    def texts(self) -> list[str]:
        return [json.loads(request.content)["data"]["text"] for request in self.asked]


def connect(server: Database, platform: str, credentials: dict[str, str], secret: str) -> Bot:
    with psycopg.connect(server.admin_url, autocommit=True) as conn:
        company = companies.ensure(conn, f"company of {platform}")
        connected = onboarding.connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform=platform, company_id=company.id, slug=f"our-{platform}",
            webhook_secrets=[secret], credentials=credentials, me=Me("T0HARBOUR", "U0BERTH", "A0BERTH"),
        )  # fmt: skip
    return Bot(company.id, connected.app_id, connected.channel_id, f"our-{platform}", secret, "")


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def station(database: Database, redis_url: str, receiver: Receiver) -> Iterator[Station]:
    station = Station(database, redis_url)
    given = station.r.egress
    # names lead to a loopback address, which these tests allow; the requests go to the receiver above
    station.r.egress = Egress(
        openings.parse("send:127.0.0.0/8:443"), resolver=_loopback, transport=httpx.MockTransport(receiver)
    )
    yield station
    station.r.loop.run(given.aclose(), timeout_s=2)
    station.close()


async def _loopback(host: str, port: int) -> list[str]:
    return [host if host[0].isdigit() else "127.0.0.1"]


@pytest.fixture
def shop(database: Database) -> Bot:
    return connect(database, "standard", {"url": "https://shop.example/answers", "secret": SECRET}, SECRET)


def _parts(station: Station) -> list[tuple[str, str | None, int]]:
    return station.rows("SELECT state, meaning, attempts FROM outbound ORDER BY id")


# ------------------------------------------------------------------ answers


def test_an_answer_is_taken_by_its_name(station: Station, shop: Bot, receiver: Receiver) -> None:
    station.queue(shop, "At nine.")

    station.deliver_all()

    [(state, name)] = station.rows("SELECT state, platform_message_id FROM outbound")
    [request] = receiver.asked
    assert (state, name) == ("sent", request.headers["webhook-id"])


def test_an_answer_is_tried_by_the_schedule_and_given_up_after_ten_attempts(
    station: Station, shop: Bot, receiver: Receiver
) -> None:
    away = httpx.ConnectError("away")  # twice: what never left is sent again within its attempt
    receiver.script = [500, httpx.ReadTimeout("late"), away, away, 404, 503, 500, 500, 500, 500, 500]
    station.queue(shop, "At nine.")
    station.execute("UPDATE outbound SET created_at = now() - interval '80 hours'")
    waits = []
    for _ in range(10):
        waits.append(station.deliver().again_in_s)
        station.time_passes()

    assert station.deliver().result is Result.UNSENT

    assert _parts(station) == [("failed", "expired", 10)]
    planned = (*standard.WAITS_S, 0.0)
    assert all(plan <= wait <= 1.1 * plan for plan, wait in zip(planned, waits, strict=True) if wait is not None)
    assert None not in waits
    assert len({request.headers["webhook-id"] for request in receiver.asked}) == 1
    assert len({request.content for request in receiver.asked}) == 1


def test_later_answers_do_not_wait_for_one_that_is_tried_for_days(
    station: Station, shop: Bot, receiver: Receiver
) -> None:
    receiver.script = [500]
    station.queue(shop, "the first")
    station.queue(shop, "the second")

    assert station.deliver().result is Result.POSTPONED
    delivered = station.deliver()

    assert (delivered.result, receiver.texts) == (Result.SENT, ["the first", "the second"])
    assert delivered.again_in_s is not None
    assert [state for state, *_ in _parts(station)] == ["queued", "sent"]


def test_the_deadline_of_a_send_leaves_no_unknown_outcome_for_a_receiver_that_knows_repetitions(
    station: Station, shop: Bot, receiver: Receiver
) -> None:
    receiver.script = [httpx.ReadTimeout("late")]
    station.queue(shop, "At nine.")

    station.deliver_all()

    assert _parts(station) == [("sent", "sent", 2)]


def test_a_process_that_died_while_sending_leaves_the_answer_to_another(
    station: Station, shop: Bot, receiver: Receiver
) -> None:
    station.queue(shop, "At nine.")
    with station.r.db.transaction() as conn:
        claim = claim_part(conn, unblock_s=10)
    assert claim is not None
    with station.r.db.transaction(shop.company_id) as conn:
        begin_send(conn, claim)
    station.execute("UPDATE outbound SET due_at = now() - interval '1 s'")

    assert recording.expire_unrecorded(station.r) == 0

    assert station.deliver().result is Result.SENT
    assert _parts(station) == [("sent", "sent", 2)]


def test_a_receiver_that_is_gone_disables_its_channel(station: Station, shop: Bot, receiver: Receiver) -> None:
    receiver.script = [410]
    station.queue(shop, "the first")
    station.queue(shop, "the second")

    station.deliver()
    station.deliver()

    assert station.rows("SELECT state FROM channels") == [("disabled",)]
    assert [part[:2] for part in _parts(station)] == [("failed", "gone"), ("failed", "channel_disabled")]
    assert receiver.texts == ["the first"]


def test_an_address_inside_our_network_gets_nothing(station: Station, database: Database, receiver: Receiver) -> None:
    inside = connect(database, "standard", {"url": "http://10.0.0.7/answers", "secret": SECRET}, SECRET)
    station.queue(inside, "At nine.")

    station.deliver()

    assert [part[:2] for part in _parts(station)] == [("failed", "address_refused")]
    assert receiver.asked == []


# ------------------------------------------------------------------ webhooks


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url, APP_CACHE_TTL_S=0)) as running:
        yield running


def post_as_program(gateway: RunningGateway, body: Any, webhook_id: str, secret: str = SECRET) -> int:
    raw, now, key = json.dumps(body).encode(), str(int(time.time())), standard_key(secret)
    assert key is not None
    signature = standard_signature(raw, webhook_id, now, key)
    headers = {"webhook-id": webhook_id, "webhook-timestamp": now, "webhook-signature": signature}
    return gateway.request("POST", "/webhooks/standard/our-standard", content=raw, headers=headers).status_code


YES = {"type": "message.received", "data": {"conversation": "order-4711", "sender": "ada", "text": "yes"}}


def test_the_header_says_what_has_come_before(station: Station, shop: Bot, gateway: RunningGateway) -> None:
    """Whoever says "yes" twice means it; a webhook that is sent again is one."""
    assert [post_as_program(gateway, YES, name) for name in ("msg_1", "msg_1", "msg_2")] == [200, 200, 200]

    station.inbox.drain_all()

    assert station.rows("SELECT dedupe_key, text FROM messages ORDER BY seq") == [
        ("delivery:msg_1:0", "yes"), ("delivery:msg_2:0", "yes"),
    ]  # fmt: skip
    assert station.rows("SELECT count(*) FROM webhook_events WHERE reason = 'duplicate'") == [(1,)]
    assert station.rows("SELECT delivery_id, count(*)::int FROM webhook_raw GROUP BY 1 ORDER BY 1") == [
        ("msg_1", 2), ("msg_2", 1),
    ]  # fmt: skip


def test_a_webhook_that_was_set_aside_keeps_its_name(station: Station, shop: Bot, database: Database) -> None:
    inbox = station.inbox
    stream = inbox.reader.streams[0]
    inbox.reader.append(
        stream, journal.fields("standard", shop.app_id, 1_780_000_000_000, b"cut o", delivery_id="msg_9")
    )
    inbox.drain_all()

    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        [row] = dead_letters.listed(owner)
        assert dead_letters.redrive(owner, inbox.reader, row.place, datetime.now(UTC))

    [entry] = inbox.reader.new(stream, 10)
    assert (entry.delivery_id, entry.raw) == ("msg_9", b"cut o")


def test_a_forged_webhook_is_a_401_and_leaves_nothing(station: Station, shop: Bot, gateway: RunningGateway) -> None:
    assert post_as_program(gateway, YES, "msg_1", new_secret()) == 401
    assert station.r.journal.backlog() == 0


def post_as_slack(gateway: RunningGateway, raw: bytes, kind: str = "application/json") -> httpx.Response:
    now = str(int(time.time()))
    signed = {"x-slack-request-timestamp": now, "x-slack-signature": slack_signature(raw, now, "signing-secret")}
    path = "/webhooks/slack/our-slack"
    return gateway.request("POST", path, content=raw, headers={**signed, "content-type": kind})


@pytest.fixture
def workspace(database: Database) -> Bot:
    return connect(database, "slack", {"token": "xoxb-1"}, "signing-secret")


def test_slacks_handshake_is_answered_only_where_it_is_signed(
    station: Station, workspace: Bot, gateway: RunningGateway
) -> None:
    raw = b'{"type": "url_verification", "challenge": "3eZb"}'

    answer = post_as_slack(gateway, raw)

    assert (answer.status_code, answer.text) == (200, "3eZb")
    assert gateway.request("POST", "/webhooks/slack/our-slack", content=raw).status_code == 401
    assert station.r.journal.backlog() == 0


def test_a_slash_command_comes_as_a_form_and_shows_nothing_to_who_typed_it(
    station: Station, workspace: Bot, gateway: RunningGateway
) -> None:
    raw = b"team_id=T0HARBOUR&channel_id=C1&user_id=U0ADA&command=%2Fask&text=is+4+free%3F&trigger_id=1.2"

    answer = post_as_slack(gateway, raw, "application/x-www-form-urlencoded")
    station.inbox.drain_all()

    assert (answer.status_code, answer.content) == (200, b"")
    assert station.rows("SELECT text FROM messages") == [("is 4 free?",)]
    assert post_as_slack(gateway, b"no form", "application/x-www-form-urlencoded").status_code == 415


def test_a_mention_told_twice_is_one_message(station: Station, workspace: Bot, gateway: RunningGateway) -> None:
    for number, kind in enumerate(("message", "app_mention")):
        event = {"type": kind, "channel": "C1", "user": "U0ADA", "text": "<@U0BERTH> open?", "ts": "1760000000.000100"}
        body = {"type": "event_callback", "team_id": "T0HARBOUR", "event_id": f"Ev{number}", "event": event}
        assert post_as_slack(gateway, json.dumps(body).encode()).status_code == 200

    station.inbox.drain_all()

    assert station.rows("SELECT chat FROM conversations") == [("C1:1760000000.000100",)]
    assert station.rows("SELECT text FROM messages") == [("open?",)]  # an app_mention's mention is ours
    assert station.rows("SELECT count(*)::int FROM turns") == [(1,)]


def test_a_program_that_asks_for_a_longer_wait_than_planned_gets_it(
    station: Station, shop: Bot, receiver: Receiver
) -> None:
    longer_s = int(standard.WAITS_S[0]) + 1_000
    receiver.script = [httpx.Response(429, headers={"retry-after": str(longer_s)})]
    station.queue(shop, "At nine.")

    again_in_s = station.deliver().again_in_s

    assert again_in_s is not None
    assert longer_s <= again_in_s <= 1.1 * longer_s
