"""Programs as channels: what their webhooks mean, who may send them, and how answers go back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.channels.connect.standard import new_secret
from shared.channels.signature import standard_key, standard_signature
from shared.channels.standard.platform import Standard
from shared.clock import FixedClock
from shared.model import Destination, InboundEvent, Me, Outgoing, SendOutcome
from shared.resilience.egress import Egress
from tests.unit.fixtures_standard import LOOK_ALIKES

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "webhooks" / "standard_webhooks"
PRESENT = sorted(path.stem for path in FOLDER.glob("*.json"))
EXPECTED = {
    "payload-full": ("other", "unknown_type", None, "1f81eb52-5198-4599-803e-771906343485"),
    "payload-thin": ("other", "unknown_type", None, "1f81eb52-5198-4599-803e-771906343485"),
}
VECTORS = ["signature-vector-multi-rotation", "signature-vector-v1"]
NOW = 1_780_000_000
CLOCK = FixedClock(datetime.fromtimestamp(NOW, UTC))
STANDARD = Standard(CLOCK)
SECRET = "whsec_" + base64.b64encode(b"planted-planted-planted!").decode()
RAW = b'{"type":"message.received"}'


def recorded(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip("the collection of recorded webhooks is not at hand")
    body: dict[str, Any] = json.loads(path.read_bytes())["body"]
    return body


def parse(body: dict[str, Any]) -> InboundEvent:
    [event] = STANDARD.parse(body, Me())
    return event


# ------------------------------------------------------------------ in


@pytest.mark.parametrize("name", PRESENT)
def test_every_recorded_body_has_an_expectation(name: str) -> None:
    assert name in EXPECTED or name in VECTORS


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_recorded_webhook_means(name: str) -> None:
    event = parse(recorded(name))
    assert (event.kind, event.reason, event.sender, event.external_id) == EXPECTED[name]
    assert event.sent_at == datetime(2022, 11, 3, 20, 26, 10, 344522, UTC)


@pytest.mark.parametrize("name", VECTORS)
def test_a_recorded_signature_fits(name: str) -> None:
    vector = recorded(name)
    raw, headers = vector["raw_body"].encode(), vector["headers"]
    clock = FixedClock(datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC))

    assert Standard(clock).verify(headers, raw, ["whsec_b3RoZXI=", vector["secret"]])
    assert not Standard(clock).verify(headers, raw + b" ", [vector["secret"]])
    clock.advance(301)
    assert not Standard(clock).verify(headers, raw, [vector["secret"]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("message", ("message", None, "ada", "order-4711", "m-17", "When do you open?", "m-12", ())),
        ("short", ("message", None, "ada", "ada", None, "When do you open?", None, ())),
        ("edited", ("edited", "edited", "order-4711", "order-4711", "m-17", "At nine?", None, ("m-17",))),
        ("deleted", ("deleted", "deleted", "order-4711", "order-4711", "m-17", None, None, ("m-17",))),
        ("thin", ("other", "thin_payload", None, None, "m-17", None, None, ())),
        ("foreign", ("other", "unknown_type", None, None, "i-1", None, None, ())),
    ],
)
def test_a_webhook_means(name: str, expected: tuple[Any, ...]) -> None:
    e = parse(LOOK_ALIKES[name])
    assert (e.kind, e.reason, e.sender, e.chat, e.external_id, e.text, e.reply_to, e.targets) == expected
    assert e.reply == (e.reason is None)
    assert e.account is None


def test_a_message_keeps_its_time_its_writer_and_its_attachments() -> None:
    event = parse(LOOK_ALIKES["message"])
    assert (event.sent_at, event.sender_name) == (datetime(2026, 3, 1, 8, 30, tzinfo=UTC), "Ada Byron")
    [a] = event.attachments
    assert (a.type, a.id, a.url, a.mime, a.name, a.size_bytes) == (
        "image", "f1", "https://h.example/a.png", "image/png", "a.png", 4711,
    )  # fmt: skip


def test_our_own_answer_handed_back_is_an_echo() -> None:
    """Or two programs that tell each other everything would talk for ever."""
    body = {"type": "message.received", "data": {"id": "sb.1.42", "conversation": "c", "text": "At nine."}}
    event = parse(body)
    assert (event.kind, event.reply, event.reason, event.ref) == ("echo", False, "echo", "sb.1.42")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"type": "message.received", "data": {"text": "hello"}}, "no_sender"),
        ({"type": "message.received", "data": {"sender": "ada", "text": " "}}, "no_content"),
        ({"type": "message.received", "data": "hello"}, "thin_payload"),
        ({"type": ["message.received"]}, "malformed"),
        ({}, "malformed"),
    ],
)
def test_what_cannot_be_answered_says_why(body: dict[str, Any], reason: str) -> None:
    assert (parse(body).reply, parse(body).reason) == (False, reason)


def signed(raw: bytes = RAW, at: object = NOW, secret: str = SECRET, webhook_id: str = "msg_1") -> dict[str, str]:
    key = standard_key(secret) or b""
    signature = standard_signature(raw, webhook_id, str(at), key)
    return {"webhook-id": webhook_id, "webhook-timestamp": str(at), "webhook-signature": signature}


@pytest.mark.parametrize("signatures", ["{0}", "v1a,abc {0}", "v1,AAAA {0} v2,x", "  {0} "])
@pytest.mark.parametrize("at", [NOW, NOW - 300, NOW + 300])
def test_one_fitting_signature_is_enough(signatures: str, at: int) -> None:
    headers = signed(at=at)
    headers["webhook-signature"] = signatures.format(headers["webhook-signature"])
    assert STANDARD.verify(headers, RAW, ["", "whsec_", "no key at all", SECRET])


@pytest.mark.parametrize("at", [NOW - 301, NOW + 301, "", "now", f" {NOW}", f"{NOW}.0", "9" * 400])
def test_another_time_is_a_forgery(at: object) -> None:
    assert not STANDARD.verify(signed(at=at), RAW, [SECRET])


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é\x00"},
        {"webhook-signature": signed()["webhook-signature"].replace("v1,", "v2,")},
        {"webhook-signature": signed()["webhook-signature"].removeprefix("v1,")},
    ],
)
def test_another_signature_is_a_forgery(change: dict[str, str]) -> None:
    assert not STANDARD.verify(signed() | change, RAW, [SECRET])


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_"], ["whsec_é"], ["whsec_a"]])
def test_an_app_without_a_key_accepts_nothing(secrets: list[str]) -> None:
    assert not STANDARD.verify(signed(secret="whsec_"), RAW, secrets)


def test_a_new_secret_is_a_key_of_32_bytes_and_no_other_one() -> None:
    made = [new_secret() for _ in range(2)]
    assert [len(standard_key(secret) or b"") for secret in made] == [32, 32]
    assert made[0] != made[1]


# ------------------------------------------------------------------ out

OUTGOING = Outgoing(
    Destination("shop", {"url": "https://shop.example/answers", "secret": SECRET}, "order-4711", "m-17"),
    "At nine.", "sb.1.42", "bot", queued_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
)  # fmt: skip


def send(answer: httpx.Response | Exception, outgoing: Outgoing = OUTGOING, clock: FixedClock = CLOCK) -> Any:
    """(the outcome, the requests)"""
    asked: list[httpx.Request] = []

    def wire(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> SendOutcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(wire)) as http:
            return await Standard(clock).send(http, outgoing)

    return asyncio.run(run()), asked


def test_an_answer_goes_signed_to_the_channels_address() -> None:
    outcome, [request] = send(httpx.Response(202))
    assert outcome == SendOutcome("sent", "sent", platform_message_id="sb.1.42", http_status=202)
    assert str(request.url) == "https://shop.example/answers"
    assert json.loads(request.content) == {
        "type": "message.sent",
        "timestamp": "2026-03-01T09:30:00+00:00",
        "data": {"id": "sb.1.42", "conversation": "order-4711", "author": "bot", "text": "At nine."},
    }
    content = f"sb.1.42.{NOW}.".encode() + request.content
    expected = base64.b64encode(hmac.new(b"planted-planted-planted!", content, hashlib.sha256).digest()).decode()
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    assert [request.headers[name] for name in names] == ["sb.1.42", str(NOW), f"v1,{expected}"]


def test_another_attempt_is_the_same_webhook_at_another_time() -> None:
    later = FixedClock(datetime.fromtimestamp(NOW + 3600, UTC))
    (_, [first]), (_, [second]) = send(httpx.Response(500)), send(httpx.Response(200), clock=later)
    assert first.content == second.content
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


@pytest.mark.parametrize(
    ("answer", "status", "meaning", "disables"),
    [
        (httpx.Response(200, content=b"<html>"), "sent", "sent", False),
        (httpx.Response(301, headers={"location": "https://elsewhere.example"}), "failed", "redirected", False),
        (httpx.Response(410), "failed", "gone", True),
        (httpx.Response(400), "retry", "receiver_refused", False),
        (httpx.Response(401), "retry", "receiver_refused", False),
        (httpx.Response(429), "retry", "rate_limited", False),
        (httpx.Response(500), "retry", "receiver_error", False),
        (httpx.Response(503), "retry", "receiver_error", False),
        (httpx.ConnectError("planted"), "retry", "no_connection", False),
        (httpx.ReadTimeout("planted"), "unknown_outcome", "connection_lost", False),
    ],
)
def test_an_answer_means(answer: httpx.Response | Exception, status: str, meaning: str, disables: bool) -> None:
    outcome, _ = send(answer)
    assert (outcome.status, outcome.meaning, outcome.disables) == (status, meaning, disables)


def test_a_receiver_may_say_when_to_come_back() -> None:
    outcome, _ = send(httpx.Response(503, headers={"retry-after": "120"}))
    assert outcome.retry_after_s == 120.0


@pytest.mark.parametrize("credentials", [{}, {"url": "https://shop.example"}, {"url": "", "secret": SECRET}])
def test_a_channel_without_address_or_key_asks_a_person(credentials: dict[str, str]) -> None:
    outcome, asked = send(httpx.Response(200), Outgoing(Destination("shop", credentials, "c"), "At nine.", "sb.1.42"))
    assert (outcome.status, asked) == ("reauth", [])


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/x", "http://169.254.169.254/latest", "http://[::1]/", "http://inside.example/", "file:///etc"],
)
def test_an_address_inside_our_network_is_never_asked(url: str) -> None:
    asked: list[httpx.Request] = []

    def wire(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    async def resolver(host: str, port: int) -> list[str]:
        return ["10.0.0.7"] if host == "inside.example" else [host.strip("[]")]

    async def run() -> SendOutcome:
        egress = Egress(resolver=resolver, transport=httpx.MockTransport(wire))
        place = Destination("shop", {"url": url, "secret": SECRET}, "c")
        try:
            return await STANDARD.send(egress.client("send"), Outgoing(place, "At nine.", "sb.1.42"))
        finally:
            await egress.aclose()

    outcome = asyncio.run(run())
    assert (outcome.status, outcome.meaning, asked) == ("failed", "address_refused", [])


def test_ten_attempts_take_75_hours() -> None:
    """The schedule of the specification, to the last of which the part still lives."""
    patience = STANDARD.patience
    assert patience.attempts_max == len(patience.waits_s) + 1 == 10
    assert 75 * 3600 < sum(patience.waits_s) < 76 * 3600
    assert patience.expires_after_s > 1.1 * sum(patience.waits_s)


# ------------------------------------------------------------------ values


def _read(**data: Any) -> InboundEvent:
    [event] = STANDARD.parse({"type": "message.received", "data": data}, Me())
    return event


@pytest.mark.parametrize("conversation", ["c-1", {"id": "c-1"}])
def test_a_conversation_is_named_by_its_id_or_as_an_object(conversation: object) -> None:
    found = _read(id="m-1", conversation=conversation, text="hi")
    assert (found.chat, found.sender) == ("c-1", "c-1")
    found = _read(id="m-1", conversation=conversation, sender={"id": "ada"}, text="hi")
    assert (found.chat, found.sender) == ("c-1", "ada")


@pytest.mark.parametrize(("size", "size_bytes"), [(0, 0), (7, 7), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None)])
def test_an_attachment_of_no_kind_is_a_file_and_its_size_is_kept_where_it_can_be_one(
    size: int, size_bytes: int | None
) -> None:
    [found] = _read(id="m-1", sender="ada", attachments=[{"size": size}]).attachments
    assert (found.type, found.size_bytes) == ("file", size_bytes)
