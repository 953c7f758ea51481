"""What every platform's module promises (shared/channels/base.py), whichever platform it is.

A new platform is one more line in SAMPLES; a test here holds that none is missing.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import channels
from shared.channels.base import Platform
from shared.channels.meta import graph as meta
from shared.channels.signature import slack_signature, standard_key, standard_signature
from shared.channels.widget import platform as widget
from shared.model import Destination, InboundEvent, Kind, Me, Outgoing, SendOutcome, SendStatus, ref_of
from shared.resilience.limiter import Limiter

SECRET, TOKEN = "a-secret", "700100:AAplantedtokenplantedtoken"
TEXT = "planted words of an answer"
STANDARD_SECRET = "whsec_cGxhbnRlZCBwbGFudGVkIHBsYW50ZWQh"
CREDENTIALS = {"token": TOKEN, "url": "http://127.0.0.1:1/answers", "secret": STANDARD_SECRET}
OUTGOING = Outgoing(Destination("700100", CREDENTIALS, "5"), TEXT, ref_of(1, 2))
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Sample:
    """How a platform speaks. sign: raw body and secret → headers. message: chat and text → a customer's webhook.
    me: who we are in it. accepted: what the send API answers to a message that it took, and the id it gave. any_2xx:
    it need not answer anything beside. secret: of the app, where not any text will do."""

    sign: Callable[[bytes, str], dict[str, str]]
    message: Callable[[str, str], dict[str, Any]]
    me: Me
    part_units: int
    """How long a part may be, in UTF-16 units."""
    accepted: Callable[[], httpx.Response] = lambda: httpx.Response(200)
    accepted_id: str = ""
    any_2xx: bool = False
    secret: str = SECRET


def _telegram_message(chat: str, text: str) -> dict[str, Any]:
    number = next(_numbers)
    who = {"id": int(chat), "is_bot": False, "first_name": "Ada"}
    place = {"id": int(chat), "type": "private"}
    return {
        "update_id": number,
        "message": {"message_id": number, "date": 1_780_000_000, "from": who, "chat": place, "text": text},
    }


def _slack_headers(raw: bytes, secret: str) -> dict[str, str]:
    now = str(int(time.time()))
    return {"x-slack-request-timestamp": now, "x-slack-signature": slack_signature(raw, now, secret)}


def _slack_message(chat: str, text: str) -> dict[str, Any]:
    number = next(_numbers)
    ts = f"178000000{chat}.{number:06}"
    event = {"type": "message", "channel": f"D{chat}", "channel_type": "im", "user": f"U{chat}", "text": text, "ts": ts}
    return {"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": f"Ev{number}", "event": event}


def _standard_headers(raw: bytes, secret: str) -> dict[str, str]:
    now, key = str(int(time.time())), standard_key(secret) or b"none"
    signature = standard_signature(raw, "msg_1", now, key)
    return {"webhook-id": "msg_1", "webhook-timestamp": now, "webhook-signature": signature}


def _standard_message(chat: str, text: str) -> dict[str, Any]:
    data = {"id": f"m{next(_numbers)}", "conversation": chat, "sender": {"id": chat, "name": "Ada"}, "text": text}
    return {"type": "message.received", "timestamp": "2026-03-01T09:30:00Z", "data": data}


def _meta_message(kind: str) -> Callable[[str, str], dict[str, Any]]:
    def message(chat: str, text: str) -> dict[str, Any]:
        said = {"mid": f"m_{next(_numbers)}", "text": text}
        item = {"sender": {"id": chat}, "recipient": {"id": "700"}, "timestamp": 1_780_000_000_000, "message": said}
        return {"object": kind, "entry": [{"id": "700", "time": 1_780_000_000_100, "messaging": [item]}]}

    return message


def _whatsapp_message(chat: str, text: str) -> dict[str, Any]:
    message = {"from": chat, "id": f"wamid.{next(_numbers)}", "timestamp": "1780000000", "type": "text"}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "4940700100", "phone_number_id": "700100"},
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": chat}],
        "messages": [{**message, "text": {"body": text}}],
    }
    entry = {"id": "900", "changes": [{"field": "messages", "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


SAMPLES = {
    "slack": Sample(
        sign=_slack_headers,
        message=_slack_message,
        me=Me("T1", "U700", "A1"),
        accepted=lambda: httpx.Response(200, json={"ok": True, "channel": "D5", "ts": "1780000000.000100"}),
        accepted_id="1780000000.000100",
        part_units=4000,
    ),
    "standard": Sample(
        sign=_standard_headers,
        message=_standard_message,
        me=Me("shop"),
        accepted=lambda: httpx.Response(204),
        accepted_id=OUTGOING.ref,
        part_units=10**6,
        any_2xx=True,
        secret=STANDARD_SECRET,
    ),
    "messenger": Sample(
        sign=lambda raw, secret: {"x-hub-signature-256": meta.signature(raw, secret)},
        message=_meta_message("page"),
        me=Me("700"),
        accepted=lambda: httpx.Response(200, json={"recipient_id": "5", "message_id": "m_99"}),
        accepted_id="m_99",
        part_units=2000,
    ),
    "instagram": Sample(
        sign=lambda raw, secret: {"x-hub-signature-256": meta.signature(raw, secret)},
        message=_meta_message("instagram"),
        me=Me("700"),
        accepted=lambda: httpx.Response(200, json={"recipient_id": "5", "message_id": "aWdf_99"}),
        accepted_id="aWdf_99",
        part_units=1000,
    ),
    "telegram": Sample(
        sign=lambda raw, secret: {"x-telegram-bot-api-secret-token": secret},
        message=_telegram_message,
        me=Me("700", "demo_bot"),
        accepted=lambda: httpx.Response(200, json={"ok": True, "result": {"message_id": 99}}),
        accepted_id="99",
        part_units=4096,
    ),
    "whatsapp": Sample(
        sign=lambda raw, secret: {"x-hub-signature-256": meta.signature(raw, secret)},
        message=_whatsapp_message,
        me=Me("700100"),
        accepted=lambda: httpx.Response(200, json={"messages": [{"id": "wamid.99"}]}),
        accepted_id="wamid.99",
        part_units=4096,
    ),
    "widget": Sample(
        sign=lambda raw, secret: {"x-switchboard-signature": widget.signature(raw, secret)},
        message=lambda chat, text: {"visitor": chat, "client_id": f"c{next(_numbers)}", "text": text},
        me=Me("demo-widget"),
        part_units=10**6,
    ),
}


@dataclass(frozen=True)
class Settings:
    """The addresses that platforms are built with: nobody answers there."""

    telegram_api_url: str = "http://127.0.0.1:1"
    slack_api_url: str = "http://127.0.0.1:1"
    graph_api_url: str = "http://127.0.0.1:1"
    graph_api_version: str = "v23.0"
    instagram_api_url: str = "http://127.0.0.1:1"


BUILT = channels.build(Settings())

F = TypeVar("F", bound=Callable[..., Any])


def over_http(test: F) -> F:
    """For platforms that are sent to. Of those whose customers read our own tables nothing is asked here."""
    test.over_http = True  # type: ignore[attr-defined]
    return test


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sent_to = getattr(metafunc.function, "over_http", False)
    metafunc.parametrize("name", [name for name in sorted(BUILT) if not (sent_to and BUILT[name].local_delivery)])


def test_every_platform_is_known_by_its_name_and_has_a_sample(name: str) -> None:
    assert BUILT[name].name == name == channels.platform(name).name
    assert set(BUILT) == set(channels.NAMES) == set(SAMPLES)


# The way in


@pytest.mark.parametrize("secrets", [["{}"], ["newer", "{}"], ["{}", "older"], ["", "{}"]])
def test_a_request_under_any_secret_in_force_is_the_platforms(name: str, secrets: list[str]) -> None:
    sample = SAMPLES[name]
    raw = json.dumps(sample.message("5", "hello")).encode()
    in_force = [secret.format(sample.secret) for secret in secrets]
    assert BUILT[name].verify(sample.sign(raw, sample.secret), raw, in_force)


def test_a_request_under_no_secret_in_force_is_forged(name: str) -> None:
    sample = SAMPLES[name]
    raw = json.dumps(sample.message("5", "hello")).encode()
    signed, secret = sample.sign(raw, sample.secret), sample.secret
    for wrong in ([], [""], ["another"], [secret[:-1]], [secret[:-4]], [secret + "x"], [secret.upper()]):
        assert not BUILT[name].verify(signed, raw, wrong)


@given(value=st.one_of(st.text(st.characters(codec=None, categories=None)), st.just("é" * 5000)))
@settings(max_examples=60, deadline=None)
def test_malformed_headers_are_a_refusal_and_no_error(name: str, value: str) -> None:
    platform, sample = BUILT[name], SAMPLES[name]
    assert not platform.verify({}, b"{}", [sample.secret])
    signed = sample.sign(b"{}", sample.secret)
    assert platform.verify(signed, b"{}", [sample.secret])
    for header in signed:
        assert not platform.verify({**signed, header: f"{value}\x00"}, b"{}", [sample.secret])


def test_a_chat_has_one_shard_key_and_another_chat_another(name: str) -> None:
    platform, message = BUILT[name], SAMPLES[name].message
    keys = [platform.shard_key(message(chat, text)) for chat, text in (("5", "a"), ("5", "b"), ("6", "a"))]
    assert keys[0] == keys[1] != keys[2]


def test_a_customers_message_is_one_event_that_wants_a_reply(name: str) -> None:
    [event] = BUILT[name].parse(SAMPLES[name].message("5", "When do you open?"), SAMPLES[name].me)

    assert (event.kind, event.reply, event.reason, event.text) == ("message", True, None, "When do you open?")
    assert event.chat
    assert event.sender
    assert event.external_id


def test_the_same_event_twice_has_one_key_and_another_event_another(name: str) -> None:
    platform, sample = BUILT[name], SAMPLES[name]
    body, other = sample.message("5", "hello"), sample.message("5", "hello")

    keys = [platform.parse(each, sample.me)[0].dedupe_key for each in (body, json.loads(json.dumps(body)), other)]

    assert keys[0] == keys[1] != keys[2]


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec=None, categories=None))
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_an_object_of_any_shape_is_events_that_keep_the_contract(name: str, data: st.DataObject) -> None:
    """A real message with one part replaced, at any depth: strict models break exactly there."""
    platform, sample = BUILT[name], SAMPLES[name]
    body = sample.message("5", "hello")
    place: dict[str, Any] = body
    while isinstance(place[key := data.draw(st.sampled_from(sorted(place)))], dict) and data.draw(st.booleans()):
        place = place[key]
    place[key] = data.draw(anything)

    events = platform.parse(body, sample.me)

    assert isinstance(platform.shard_key(body), str)
    assert events
    for event in events:
        _holds(event)
    assert platform.parse(body, sample.me) == events


def _holds(event: InboundEvent) -> None:
    assert event.kind in get_args(Kind)
    assert event.reply == (event.reason is None)
    assert event.dedupe_key
    if event.reply:
        assert event.chat
        assert event.text or event.attachments
    for value in (event.text, event.sender, event.chat, event.external_id, event.dedupe_key, event.reason):
        assert value != ""
        if value is not None:
            assert "\x00" not in value
            value.encode()  # no lone surrogate: PostgreSQL takes neither


# The way out


@given(text=st.text(st.characters(codec="utf-8"), max_size=200).map(lambda text: text * 60))
@settings(max_examples=40, deadline=None)
def test_parts_are_what_the_platform_takes_and_lose_no_word(name: str, text: str) -> None:
    parts = BUILT[name].split(text)

    assert all(part.strip() for part in parts)
    assert all(len(part.encode("utf-16-le")) // 2 <= SAMPLES[name].part_units for part in parts)
    assert _said("".join(parts)) == _said(text)


def _said(text: str) -> str:
    """Without spaces, which borders take, and marks, which they repeat."""
    return "".join(character for character in text if not character.isspace() and character not in "*_~`")


def test_a_short_answer_is_one_part_and_an_empty_one_none(name: str) -> None:
    assert BUILT[name].split("Hello!") == ["Hello!"]
    assert BUILT[name].split("") == BUILT[name].split(" \n ") == []


@over_http
def test_limits_are_real_rates_of_the_channel_and_of_the_chat(name: str) -> None:
    platform, limiter = BUILT[name], Limiter(None)
    ours, same, neighbour = (platform.rates(*place) for place in (("1", "5"), ("1", "5"), ("2", "5")))

    assert ours == same
    assert limiter.take(ours) == 0.0  # no ValueError: every one is a rate
    assert not {rate.key for rate in ours} & {rate.key for rate in neighbour}
    assert {rate.key for rate in ours} & {rate.key for rate in platform.rates("1", "6")}


def _send(name: str, answer: Callable[[httpx.Request], httpx.Response]) -> SendOutcome:
    async def run() -> SendOutcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await BUILT[name].send(http, OUTGOING)

    return asyncio.run(run())


def _raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@over_http
def test_a_message_that_was_taken_has_the_platforms_id(name: str) -> None:
    outcome = _send(name, lambda _: SAMPLES[name].accepted())
    assert (outcome.status, outcome.platform_message_id) == ("sent", SAMPLES[name].accepted_id)


NOT_LEFT = [httpx.ConnectError("planted"), httpx.ConnectTimeout("planted"), httpx.PoolTimeout("planted")]
LEFT = [httpx.ReadTimeout("planted"), httpx.ReadError("planted"), httpx.RemoteProtocolError("planted")]


@over_http
@pytest.mark.parametrize("error", NOT_LEFT, ids=repr)
def test_a_request_that_never_left_is_sent_again(name: str, error: Exception) -> None:
    assert _send(name, _raising(error)).status == "retry"


@over_http
@pytest.mark.parametrize("error", LEFT, ids=repr)
def test_a_request_that_left_and_has_no_answer_has_an_unknown_outcome(name: str, error: Exception) -> None:
    assert _send(name, _raising(error)).status == "unknown_outcome"


@over_http
@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b"{}", b'{"ok":true}', b"\xff", b'"' + b"x" * 99_999])
def test_a_200_that_cannot_be_read_has_an_unknown_outcome(name: str, body: bytes) -> None:
    expected = "sent" if SAMPLES[name].any_2xx else "unknown_outcome"
    assert _send(name, lambda _: httpx.Response(200, content=body)).status == expected


@over_http
@given(status=st.integers(200, 599), body=st.one_of(anything.map(lambda v: json.dumps(v).encode()), st.binary()))
@settings(max_examples=150, deadline=None)
def test_whatever_is_answered_has_a_meaning_that_tells_nothing(name: str, status: int, body: bytes) -> None:
    outcome = _send(name, lambda _: httpx.Response(status, content=body))

    assert outcome.status in get_args(SendStatus)
    assert outcome.meaning
    assert outcome.retry_after_s is None or outcome.retry_after_s >= 0
    assert status != 429 or outcome.status != "sent"
    shown = json.dumps(asdict(outcome))
    assert TEXT not in shown
    assert TOKEN not in shown


@over_http
def test_a_send_that_is_called_off_ends(name: str) -> None:
    """The caller's deadline: it takes the outcome for unknown then."""

    async def run() -> None:
        async def hanging(_: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        async with httpx.AsyncClient(transport=httpx.MockTransport(hanging)) as http:
            sending = asyncio.create_task(BUILT[name].send(http, OUTGOING))
            await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(sending, 10)

    asyncio.run(run())


FAILING = [
    _raising(httpx.ConnectError("planted")),
    _raising(httpx.ReadTimeout("planted")),
    lambda _: httpx.Response(500),
    lambda _: httpx.Response(200, content=b"<"),
]


@pytest.mark.parametrize("answer", FAILING)
def test_showing_that_we_type_never_fails(name: str, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    async def run(platform: Platform) -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await platform.typing(http, OUTGOING.place)

    asyncio.run(run(BUILT[name]))


@pytest.mark.parametrize("text", ["a short one", "word " * 5000])
def test_what_needs_no_sending_is_delivered_as_it_is_written(name: str, text: str) -> None:
    """local_delivery: one part, no rate to wait for, no request."""
    if not BUILT[name].local_delivery:
        assert BUILT[name].rates("1", "5")
        return
    assert BUILT[name].split(text) == [text.strip()]
    assert BUILT[name].rates("1", "5") == ()
    assert _send(name, _raising(AssertionError("nothing is sent"))).status == "sent"
