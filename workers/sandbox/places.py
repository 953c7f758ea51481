"""Pages, numbers, workspaces and programs of companies: how a customer writes to each, as its platform posts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from shared.channels.connect.standard import new_secret
from shared.channels.meta import graph as meta
from shared.channels.signature import slack_signature, standard_key, standard_signature
from shared.model import Me
from shared.store.db.vault import Vault
from tasks.tenants import onboarding
from workers.sandbox.bots import Bot, Webhook, private_message

META_APP, META_SECRET = "900500", "drill-app-secret"
SLACK_SECRET = "drill-signing-secret"
SLACK_USER, SLACK_BOT, SLACK_APP = "U0BOT", "B0BOT", "A0DRILL"


@dataclass(frozen=True, slots=True)
class Kind:
    """One platform as it is played here. connect: what the stand-in's control API is told, the channel's credentials
    and who it is, from its account and its webhook's address. body: of a customer's message, from account, chat,
    number and text. sign: headers of raw bytes. chat: what a customer's chat is called, from a number. target, kind:
    where the stand-in keeps what it took. tells: afterwards, that it was sent."""

    target: str
    effect: str
    chat: Callable[[int], str]
    body: Callable[[str, str, int, str], dict[str, Any]]
    sign: Callable[[bytes, str, int], dict[str, str]]
    tells: bool = True


def _page(kind: str) -> Callable[[str, str, int, str], dict[str, Any]]:
    def body(account: str, chat: str, number: int, text: str) -> dict[str, Any]:
        now = int(time.time() * 1000)
        said = {"sender": {"id": chat}, "recipient": {"id": account}, "timestamp": now,
                "message": {"mid": f"m_drill_{number}", "text": text}}  # fmt: skip
        return {"object": kind, "entry": [{"id": account, "time": now, "messaging": [said]}]}

    return body


def _number(account: str, chat: str, number: int, text: str) -> dict[str, Any]:
    said = {"from": chat, "id": f"wamid.drill{number}", "timestamp": str(int(time.time())), "type": "text",
            "text": {"body": text}}  # fmt: skip
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "49407001", "phone_number_id": account},
        "contacts": [{"profile": {"name": f"Customer {chat}"}, "wa_id": chat}],
        "messages": [said],
    }
    return {"object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}  # fmt: skip


def _slack_message(account: str, chat: str, number: int, text: str) -> dict[str, Any]:
    event = {"type": "message", "channel": chat, "channel_type": "im", "user": f"U{chat[1:]}", "text": text,
             "ts": f"{int(time.time())}.{number % 1_000_000:06}"}  # fmt: skip
    return slack_event(account, f"Ev{number}", event)


def slack_event(account: str, event_id: str, event: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "event_callback", "team_id": account, "api_app_id": SLACK_APP, "event_id": event_id, "event": event}


def _program(account: str, chat: str, number: int, text: str) -> dict[str, Any]:
    data = {"id": f"m{number}", "conversation": chat, "sender": {"id": f"ada-{chat}"}, "text": text}
    return {"type": "message.received", "data": data}


def _meta_headers(raw: bytes, secret: str, _: int) -> dict[str, str]:
    return {"x-hub-signature-256": meta.signature(raw, secret)}


def _slack_headers(raw: bytes, secret: str, _: int) -> dict[str, str]:
    now = str(int(time.time()))
    return {"x-slack-request-timestamp": now, "x-slack-signature": slack_signature(raw, now, secret)}


def _program_headers(raw: bytes, secret: str, number: int) -> dict[str, str]:
    now, name = str(int(time.time())), f"msg_drill_{number}"
    signature = standard_signature(raw, name, now, standard_key(secret) or b"")
    return {"webhook-id": name, "webhook-timestamp": now, "webhook-signature": signature}


KINDS = {
    "telegram": Kind(
        "telegram", "message", str, lambda _, chat, number, text: private_message(number, int(chat), text),
        lambda _, secret, __: {"x-telegram-bot-api-secret-token": secret}, tells=False,
    ),
    "messenger": Kind("graph", "message", lambda n: f"44{n}", _page("page"), _meta_headers),
    "instagram": Kind("graph", "message", lambda n: f"45{n}", _page("instagram"), _meta_headers),
    "whatsapp": Kind("whatsapp", "message", lambda n: f"4917{n}", _number, _meta_headers),
    "slack": Kind("slack", "message", lambda n: f"D0{n}", _slack_message, _slack_headers),
    "standard": Kind("receiver", "answer", lambda n: f"order-{n}", _program, _program_headers, tells=False),
}  # fmt: skip
TARGETS = tuple(sorted({(kind.target, kind.effect) for kind in KINDS.values()}))
OTHERS = tuple(name for name in KINDS if name != "telegram")


def target_of(bot: Bot) -> tuple[str, str]:
    """Return where the stand-in keeps what a channel sent: target and kind."""
    kind = KINDS[bot.platform]
    return kind.target, kind.effect


def filter_of(bot: Bot) -> dict[str, str]:
    """Return what distinguishes a channel's effects from others'."""
    return {"node": bot.account} if KINDS[bot.platform].target == "graph" else {"token": bot.token}


def tells(bot: Bot) -> bool:
    """Return whether the platform reports afterwards what it took."""
    return not bot.is_widget and KINDS[bot.platform].tells


def webhook(bot: Bot, chat: str, number: int, text: str) -> Webhook:
    """A customer's message as its platform posts it; the same number and chat are the same message."""
    return signed(bot, KINDS[bot.platform].body(bot.account, chat, number, text), number)


def signed(bot: Bot, body: Mapping[str, Any], number: int) -> Webhook:
    raw = json.dumps(body).encode()
    return Webhook(f"/webhooks/{bot.platform}/{bot.slug}", raw, KINDS[bot.platform].sign(raw, bot.secret, number))


Control = Callable[..., dict[str, Any]]


def connect(control: Control, admin_url: str, keys: list[str], *, platform: str, company_id: int, gateway_url: str,
            standin_url: str, number: int = 1) -> Bot:  # fmt: skip
    """A channel of a company on one of OTHERS, known to the stand-in, which posts its echoes to the gateway.
    control: the stand-in's control API. number: tells several of one platform apart."""
    account, token, slug = f"8007{number:03}", f"drill-{platform}-{number}", f"drill-{platform}-{number}"
    address = f"{gateway_url}/webhooks/{platform}/{slug}"
    secret, credentials, me = META_SECRET, {"token": token}, Me(account, None, META_APP)
    node = {"token": token, "app_id": META_APP, "app_secret": META_SECRET, "echo_url": address}
    if platform in ("messenger", "instagram"):
        account = f"{'81' if platform == 'messenger' else '82'}{number:04}"
        me = Me(account, None, META_APP)
        control("POST", "nodes", id=account, kind="page" if platform == "messenger" else platform, **node)
    elif platform == "whatsapp":
        control("POST", "numbers", number_id=account, token=token, display="49407001", account_id="1",
                app_secret=META_SECRET, webhook=address)  # fmt: skip
    elif platform == "slack":
        account, secret, credentials = f"T0DRILL{number}", SLACK_SECRET, {"token": f"xoxb-{token}"}
        me = Me(account, SLACK_USER, SLACK_APP)
        control("POST", "workspaces", token=credentials["token"], team_id=account, user_id=SLACK_USER, bot_id=SLACK_BOT,
                app_id=SLACK_APP)  # fmt: skip
    else:
        account, secret, theirs = f"drill-shop-{number}", new_secret(), new_secret()
        me, credentials = Me(account), {"url": f"{standin_url}/receiver/{account}", "secret": theirs}
        control("POST", "receivers", name=account, secret=theirs)
    with psycopg.connect(admin_url, autocommit=True) as conn:
        connected = onboarding.connect_account(
            conn, Vault(keys), platform=platform, company_id=company_id, slug=slug, webhook_secrets=[secret],
            credentials=credentials, me=me,
        )  # fmt: skip
    return Bot(company_id, connected.app_id, connected.channel_id, slug, secret, credentials.get("token", account),
               platform, account)  # fmt: skip
