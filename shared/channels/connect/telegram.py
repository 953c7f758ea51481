"""Connecting a Telegram bot. https://core.telegram.org/bots/api#setwebhook"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import httpx

from shared.channels.connect.base import ConnectRefused, Identity, Question, Registration, call
from shared.channels.telegram.send import method_url
from shared.channels.telegram.update import WANTED
from shared.model import Me

SECRET_BYTES = 24
"""Telegram takes 1 to 256 characters of A-Z a-z 0-9 _ -, which is what token_urlsafe writes."""


class TelegramConnector:
    platform = "telegram"
    title = "a Telegram bot"
    makes_secret = True
    handshakes = False
    questions = (Question("token", "The bot's token", "@BotFather shows it after /newbot or /token", secret=True),)

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url

    async def identify(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> Identity:
        token = answers["token"]
        result = await self._ask(http, token, "getMe", {})
        me = Me(str(result.get("id")), result.get("username"))
        return Identity(me, {"token": token}, f"@{me.handle}")

    def new_secret(self) -> str:
        return secrets.token_urlsafe(SECRET_BYTES)

    def secret_of(self, answers: Mapping[str, str]) -> str | None:
        return None

    async def register(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        token = registration.identity.credentials["token"]
        body = {"url": registration.address, "secret_token": registration.secret, "allowed_updates": list(WANTED)}
        await self._ask(http, token, "setWebhook", body)
        return [f"Telegram now posts to {registration.address}"]

    def steps(self, registration: Registration) -> list[str]:
        return [
            f"call setWebhook with url {registration.address}",
            f"and allowed_updates {json.dumps(WANTED)}",
            f"and secret_token (shown once): {registration.secret}",
        ]

    async def _ask(self, http: httpx.AsyncClient, token: str, method: str, body: dict[str, Any]) -> dict[str, Any]:
        _, answer = await call(http, "POST", method_url(self._api_url, token, method), who="Telegram", body=body)
        if answer.get("ok") is not True:
            raise ConnectRefused(f"{method}: {answer.get('description', 'refused')}: check the token")
        result = answer.get("result")
        return result if isinstance(result, dict) else {}
