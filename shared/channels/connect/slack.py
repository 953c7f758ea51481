"""Connecting a Slack workspace. https://docs.slack.dev/reference/methods/auth.test and …/app-manifest"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from shared.channels.connect.base import ConnectRefused, Identity, Question, Registration, call
from shared.model import Me

SCOPES = (
    "app_mentions:read", "assistant:write", "channels:history", "chat:write", "files:read", "groups:history",
    "im:history", "mpim:history", "reactions:read", "users:read",
)  # fmt: skip
EVENTS = (
    "app_mention", "app_uninstalled", "message.channels", "message.groups", "message.im", "message.mpim",
    "reaction_added", "reaction_removed", "tokens_revoked",
)  # fmt: skip


class SlackConnector:
    platform = "slack"
    title = "a Slack workspace"
    makes_secret = False
    handshakes = False
    questions = (
        Question("signing_secret", "The app's signing secret", "api.slack.com/apps → Basic Information", of="app",
                 secret=True),
        Question("token", "The bot's token (xoxb-…)", "OAuth & Permissions, after installing to the workspace",
                 secret=True),
    )  # fmt: skip

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url.rstrip("/")

    async def identify(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> Identity:
        _, answer = await call(http, "POST", f"{self._api_url}/auth.test", who="Slack", token=answers["token"])
        if answer.get("ok") is not True:
            raise ConnectRefused(f"auth.test: {answer.get('error', 'refused')}: check the bot's token")
        if not answer.get("bot_id"):
            raise ConnectRefused("this is a person's token: take the bot's, which begins with xoxb-")
        me = Me(str(answer.get("team_id")), answer.get("user_id"), await self._app(http, answers["token"], answer))
        credentials = {"token": answers["token"], "bot_id": str(answer["bot_id"])}
        return Identity(me, credentials, f"{answer.get('team', '')} (as {answer.get('user', '')})")

    async def _app(self, http: httpx.AsyncClient, token: str, answer: Mapping[str, Any]) -> str | None:
        """The application's id, by which our own messages are known; None where the token may not ask (users:read)."""
        bot_id = {"bot": str(answer["bot_id"])}
        _, found = await call(http, "GET", f"{self._api_url}/bots.info", who="Slack", token=token, params=bot_id)
        bot = found.get("bot")
        app_id = bot.get("app_id") if isinstance(bot, dict) else None
        return app_id if isinstance(app_id, str) and app_id else None

    def new_secret(self) -> None:
        """The platform has one."""

    def secret_of(self, answers: Mapping[str, str]) -> str | None:
        return answers.get("signing_secret")

    async def register(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        return []  # Slack's API takes an address only from an app's configuration token, which nobody should store

    def steps(self, registration: Registration) -> list[str]:
        manifest = {
            "settings": {
                "event_subscriptions": {"request_url": registration.address, "bot_events": list(EVENTS)},
            },
            "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        }
        return [
            f"api.slack.com/apps → Event Subscriptions: request URL {registration.address}",
            f"subscribe to bot events: {', '.join(EVENTS)}",
            f"OAuth & Permissions → bot scopes: {', '.join(SCOPES)}; then install the app again",
            f"or App Manifest, merged into yours: {json.dumps(manifest)}",
        ]
