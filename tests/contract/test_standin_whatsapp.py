"""Our way out and WhatsApp's stand-in over real HTTP: what is sent, what is refused, what comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeVar

import httpx
import pytest

from shared.channels.body import decode_object
from shared.channels.connect.base import ConnectRefused, Identity, Registration
from shared.channels.connect.graph import WhatsAppConnector
from shared.channels.meta import graph as meta
from shared.channels.whatsapp.platform import PAIR_BURST, WhatsApp
from shared.clock import FixedClock
from shared.errors import AttachmentGone, Transient
from shared.model import Attachment, Destination, Location, Me, Outgoing, SendOutcome
from standin.client import Standin
from standin.process import StandinProcess

NUMBER, TOKEN, SECRET, CHAT = "7001001001", "planted-whatsapp-token", "an-app-secret", "4917012345"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

T = TypeVar("T")


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_number(NUMBER, TOKEN, app_secret=SECRET)
    return process.client


@pytest.fixture
def whatsapp(standin: Standin) -> WhatsApp:
    return WhatsApp(standin.graph_url, clock=FixedClock(NOW))


def place(chat: str = CHAT, **fields: Any) -> Destination:
    return Destination(**{"account": NUMBER, "credentials": {"token": TOKEN}, "chat": chat, **fields})


def run(work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    async def whole() -> T:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await work(http)

    return asyncio.run(whole())


def send(whatsapp: WhatsApp, to: Destination, text: str = "Berth 4 is free.", **fields: Any) -> SendOutcome:
    return run(lambda http: whatsapp.send(http, Outgoing(to, text, "sb.3.14", **fields)))


def test_a_text_arrives_with_our_reference_and_without_a_preview(standin: Standin, whatsapp: WhatsApp) -> None:
    outcome = send(whatsapp, place())
    (sent,) = standin.effects(target="whatsapp", kind="message")
    assert (sent["text"], sent["chat_id"], sent["ref"]) == ("Berth 4 is free.", CHAT, "sb.3.14")
    assert (sent["preview_url"], sent["recipient_type"], sent["number_id"]) == (False, "individual", NUMBER)
    assert (outcome.status, outcome.platform_message_id) == ("sent", sent["message_id"])


@pytest.mark.parametrize(
    ("chat", "kind"),
    [("DE.10293847566574839201", "individual"), ("DE.ENT.1029384", "individual"), ("120363000000000001@g.us", "group")],
)
def test_people_without_a_number_and_groups_are_reached(
    standin: Standin, whatsapp: WhatsApp, chat: str, kind: str
) -> None:
    assert send(whatsapp, place(chat)).status == "sent"
    (sent,) = standin.effects(target="whatsapp", kind="message")
    assert (sent["chat_id"], sent["recipient_type"]) == (chat, kind)


@pytest.mark.parametrize("text", ["word " * 2500, "🛥" * 5000, "x" * 9000])
def test_every_part_of_a_long_text_is_taken(standin: Standin, whatsapp: WhatsApp, text: str) -> None:
    parts = whatsapp.split(text)
    assert [send(whatsapp, place(), part).status for part in parts] == ["sent"] * len(parts)
    assert "".join(part.replace(" ", "") for part in parts) == text.replace(" ", "")


def test_a_text_that_is_too_long_is_refused(standin: Standin, whatsapp: WhatsApp) -> None:
    assert send(whatsapp, place(), "x" * 4097).status == "failed"
    assert standin.effects(target="whatsapp") == []


@pytest.mark.parametrize(
    ("state", "meaning"),
    [("blocked", "unreachable"), ("not_found", "unreachable"), ("unreachable", "unreachable")],
)
def test_a_refusal_has_a_meaning(standin: Standin, whatsapp: WhatsApp, state: str, meaning: str) -> None:
    standin.chat_state(CHAT, state)
    outcome = send(whatsapp, place())
    assert (outcome.status, outcome.meaning, outcome.http_status) == ("failed", meaning, 400)


def test_the_platform_knows_better_when_the_customer_wrote(standin: Standin, whatsapp: WhatsApp) -> None:
    standin.chat_state(CHAT, "ok", silent_s=86_401)
    assert (send(whatsapp, place()).status, send(whatsapp, place()).meaning) == ("failed", "window_closed")


@pytest.mark.parametrize("by", ["bot", "agent"])
def test_nothing_leaves_a_day_after_the_customers_last_message(standin: Standin, whatsapp: WhatsApp, by: Any) -> None:
    outcome = send(whatsapp, place(last_customer_at=NOW - timedelta(hours=24)), by=by)
    assert (outcome.status, outcome.meaning) == ("failed", "window_closed")
    assert standin.attempts(target="whatsapp") == []
    assert send(whatsapp, place(last_customer_at=NOW - timedelta(hours=23, minutes=59)), by=by).status == "sent"


def test_a_token_that_is_none_asks_for_a_new_one(standin: Standin, whatsapp: WhatsApp) -> None:
    standin.revoke_number(NUMBER)
    outcome = send(whatsapp, place())
    assert (outcome.status, outcome.meaning) == ("reauth", "bad_token")
    wrong = send(whatsapp, place(credentials={"token": "another"}))
    assert (wrong.status, wrong.meaning) == ("reauth", "bad_token")


def test_talking_too_much_to_one_person_waits_longer_each_time(standin: Standin, whatsapp: WhatsApp) -> None:
    standin.register_number(NUMBER, TOKEN, app_secret=SECRET, pair_per_s=1e-6)  # a slow machine earns nothing meanwhile
    sent = [send(whatsapp, place()).status for _ in range(PAIR_BURST)]
    refused = [send(whatsapp, place(), attempt=attempt) for attempt in (1, 2, 3)]
    assert sent == ["sent"] * PAIR_BURST
    assert [(o.status, o.meaning, o.retry_after_s) for o in refused] == [
        ("retry", "pair_rate_limited", 1.0), ("retry", "pair_rate_limited", 4.0), ("retry", "pair_rate_limited", 16.0),
    ]  # fmt: skip
    assert send(whatsapp, place("4917099")).status == "sent"


def test_we_keep_within_the_limits_that_the_platform_has(whatsapp: WhatsApp) -> None:
    found = [(r.key, r.count, r.per_s, r.burst) for r in whatsapp.rates("3", CHAT)]
    assert found == [("whatsapp:3", 80, 1.0, 80), (f"whatsapp:3:{CHAT}", 1, 6.0, 45)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "status", "status": 429}, ("retry", "rate_limited")),
        ({"kind": "status", "status": 500}, ("retry", "platform_error")),
        ({"kind": "status", "status": 400, "code": "131049"}, ("failed", "not_delivered")),
        ({"kind": "status", "status": 400, "code": "368"}, ("failed", "policy")),
        ({"kind": "drop_after_effect"}, ("unknown_outcome", "connection_lost")),
        ({"kind": "malformed"}, ("unknown_outcome", "unreadable_answer")),
    ],
)
def test_what_goes_wrong_has_a_meaning(
    standin: Standin, whatsapp: WhatsApp, fault: dict[str, Any], expected: tuple[str, str]
) -> None:
    standin.fault("whatsapp", **fault)
    outcome = send(whatsapp, place())
    assert (outcome.status, outcome.meaning) == expected


def test_typing_marks_the_newest_message_as_read(standin: Standin, whatsapp: WhatsApp) -> None:
    run(lambda http: whatsapp.typing(http, place(last_message="wamid.IN=")))
    run(lambda http: whatsapp.typing(http, place()))
    found = standin.effects(target="whatsapp", kind="chat_action")
    assert [(each["message_id"], each["action"]) for each in found] == [("wamid.IN=", "typing")]


def test_an_attachment_is_found_and_read_with_the_token(standin: Standin, whatsapp: WhatsApp) -> None:
    standin.add_file("31337", b"a boat", path="boat.jpg", mime="image/jpeg")
    found = run(lambda http: whatsapp.locate(http, place(), Attachment("image", id="31337")))
    answer = httpx.get(found.url, headers=dict(found.headers), trust_env=False)
    assert (found.ours, answer.content, answer.headers["content-type"]) == (True, b"a boat", "image/jpeg")
    assert httpx.get(found.url, trust_env=False).status_code == 401


def test_an_attachment_that_is_gone_or_cannot_be_asked_for_is_told_apart(standin: Standin, whatsapp: WhatsApp) -> None:
    def locate(**fields: Any) -> Location:
        return run(lambda http: whatsapp.locate(http, place(), Attachment("image", **fields)))

    standin.register_number("8", TOKEN, app_secret=SECRET)
    with pytest.raises(AttachmentGone):
        locate()
    with pytest.raises((AttachmentGone, Transient)):
        locate(id="404404")
    assert locate(url="https://lookaside.fbsbx.com/whatsapp_business/?mid=1").headers
    for elsewhere in ("https://fbsbx.com.attacker.example/x", "http://lookaside.fbsbx.com/x", "https://evil.example/"):
        found = locate(url=elsewhere)
        assert (dict(found.headers), found.ours) == ({}, False)


class Hook:
    """A webhook of one's own that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                hook.got.append(({name.lower(): value for name, value in self.headers.items()}, raw))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *values: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_what_becomes_of_a_message_is_posted_back_signed(standin: Standin, whatsapp: WhatsApp) -> None:
    hook = Hook()
    try:
        standin.register_number(NUMBER, TOKEN, app_secret=SECRET, webhook=hook.url)
        message_id = send(whatsapp, place()).platform_message_id
        assert message_id is not None
        answers = [standin.post_status(NUMBER, message_id, named) for named in ("sent", "delivered", "read")]
        answers.append(standin.post_status(NUMBER, message_id, "failed", 131026))
    finally:
        hook.close()

    assert answers == [200] * 4
    events = []
    for headers, raw in hook.got:
        assert whatsapp.verify(headers, raw, [SECRET])
        assert headers["x-hub-signature-256"] == meta.signature(raw, SECRET)
        assert not whatsapp.verify(headers, raw + b" ", [SECRET])
        events += whatsapp.parse(decode_object(raw), Me())
    assert [(e.kind, e.status, e.meaning) for e in events] == [
        ("delivery", "sent", None), ("delivery", "delivered", None), ("read", "read", None),
        ("delivery", "failed", "unreachable"),
    ]  # fmt: skip
    assert {(e.account, e.chat, e.ref, e.targets) for e in events} == {(NUMBER, CHAT, "sb.3.14", (message_id,))}
    assert len({e.dedupe_key for e in events}) == 4


def test_a_number_is_connected_by_asking_the_platform(standin: Standin) -> None:
    connector = WhatsAppConnector(standin.graph_url)
    answers = {
        "app_id": "5550001", "app_secret": SECRET, "phone_number_id": NUMBER, "account_id": "900", "token": TOKEN,
    }  # fmt: skip

    def identify(**changed: str) -> Identity:
        return run(lambda http: connector.identify(http, {**answers, **changed}))

    identity = identify()
    registration = Registration("https://switchboard.example/webhooks/whatsapp/harbour", SECRET, identity)
    run(lambda http: connector.register(http, registration))

    assert (identity.me, identity.notes) == (Me(NUMBER, "4940700100", "5550001"), ())
    assert [each["account_id"] for each in standin.effects(target="whatsapp", kind="subscription")] == ["900"]
    for wrong in ({"token": "another"}, {"app_secret": "another"}, {"phone_number_id": "404"}):
        with pytest.raises(ConnectRefused):
            identify(**wrong)
    standin.revoke_number(NUMBER)
    with pytest.raises(ConnectRefused, match="not valid"):
        identify()
