"""A customer's message of every platform, signed as the platform signs it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis import strategies as st

from shared import channels
from shared.channels.meta import graph as meta
from shared.channels.signature import slack_signature, standard_key, standard_signature
from shared.channels.widget import platform as widget
from shared.model import Destination, Me, Outgoing, ref_of

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


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec=None, categories=None))
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
