"""Connects companies' channels, and posts requests as platforms do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from shared.model import Me
from shared.store.db.vault import Vault
from shared.store.tenants import companies
from tasks.tenants import onboarding

ORIGIN = "https://shop.example"


@dataclass(frozen=True)
class Bot:
    """A company's connected channel: a bot of Telegram's, with an account a place of another platform (places.py),
    with neither secret nor token its widget."""

    company_id: int
    app_id: int
    channel_id: int
    slug: str
    secret: str
    token: str
    platform: str = "telegram"
    account: str = ""

    @property
    def is_widget(self) -> bool:
        return not self.token


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request as a platform posts it. headers: with its signature."""

    path: str
    raw: bytes
    headers: dict[str, str]


def connect_bot(admin_url: str, keys: list[str], *, company: str, slug: str, token: str, username: str) -> Bot:
    """A company, made if it is new, with a Telegram bot. token: `<number>:<letters>`."""
    secret = onboarding.new_secret()
    with psycopg.connect(admin_url, autocommit=True) as conn:
        owner = companies.ensure(conn, company)
        connected = onboarding.connect_bot(
            conn, Vault(keys), platform="telegram", company_id=owner.id, slug=slug, webhook_secrets=[secret],
            token=token, me=Me(token.partition(":")[0], username),
        )  # fmt: skip
    return Bot(owner.id, connected.app_id, connected.channel_id, slug, secret, token)


def connect_widget(admin_url: str, keys: list[str], *, company: str, slug: str) -> Bot:
    with psycopg.connect(admin_url, autocommit=True) as conn:
        owner = companies.ensure(conn, company)
        connected = onboarding.connect_widget(
            conn, Vault(keys), company_id=owner.id, slug=slug, origins=[ORIGIN]
        )  # fmt: skip
    return Bot(owner.id, connected.app_id, connected.channel_id, slug, "", "")


def private_message(number: int, chat: int, text: str | None) -> dict[str, Any]:
    """A Telegram update with a private message. number: of the update and of the message, both."""
    who = {"id": chat, "first_name": f"Customer {chat}"}
    message: dict[str, Any] = {
        "message_id": number,
        "date": 1_780_000_000 + number % 1_000_000,
        "from": {**who, "is_bot": False, "language_code": "en"},
        "chat": {**who, "type": "private"},
    }
    if text is not None:
        message["text"] = text
    return {"update_id": number, "message": message}


def post_update(http: httpx.Client, bot: Bot, body: dict[str, Any]) -> int:
    """One webhook; its status, 0 when nobody answered."""
    headers = {"x-telegram-bot-api-secret-token": bot.secret}
    try:
        return http.post(f"/webhooks/telegram/{bot.slug}", json=body, headers=headers).status_code
    except httpx.HTTPError:
        return 0


def post(http: httpx.Client, webhook: Webhook) -> int:
    """As post_update, of any platform."""
    headers = {"content-type": "application/json", **webhook.headers}
    try:
        return http.post(webhook.path, content=webhook.raw, headers=headers).status_code
    except httpx.HTTPError:
        return 0
