"""What platforms say of a channel's subscription when they are asked, and that none of it is an error of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from shared.channels.base import ReportsHealth
from shared.channels.meta.instagram import Instagram
from shared.channels.meta.messenger import Messenger
from shared.channels.slack.platform import Slack
from shared.channels.whatsapp.platform import WhatsApp
from shared.model import ChannelHealth, Destination

TOKEN = "planted-token"
BUILT: dict[str, Any] = {
    "messenger": Messenger("http://graph.invalid"),
    "instagram": Instagram("http://instagram.invalid", page_api_url="http://graph.invalid"),
    "whatsapp": WhatsApp("http://graph.invalid", "v23.0"),
    "slack": Slack("http://slack.invalid/api"),
}
META = ("messenger", "instagram", "whatsapp")


def ask(name: str, answer: httpx.Response | Exception, **credentials: str) -> tuple[ChannelHealth, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> ChannelHealth:
        given = {"token": TOKEN, "account_id": "777", "page_id": "4401", **credentials}
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
            found: ChannelHealth = await BUILT[name].health(http, Destination("700", given, ""))
            return found

    return asyncio.run(run()), asked


@pytest.mark.parametrize("name", sorted(BUILT))
def test_each_can_be_asked_and_its_token_stands_in_no_address(name: str) -> None:
    assert isinstance(BUILT[name], ReportsHealth)
    found, [request] = ask(name, httpx.Response(200, json={"ok": True, "data": [{"id": "900"}]}))
    assert found == ChannelHealth("ok")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in str(request.url)


@pytest.mark.parametrize(("name", "node"), [("messenger", "700"), ("instagram", "4401"), ("whatsapp", "777")])
def test_the_node_that_is_subscribed_is_the_one_that_is_asked_about(name: str, node: str) -> None:
    _, [request] = ask(name, httpx.Response(200, json={"data": []}), **({} if name != "messenger" else {"page_id": ""}))
    assert request.url.path == f"/v23.0/{node}/subscribed_apps"


@pytest.mark.parametrize("name", META)
def test_a_node_that_no_application_hears_fails(name: str) -> None:
    assert ask(name, httpx.Response(200, json={"data": []}))[0] == ChannelHealth("failing", "not_subscribed")


@pytest.mark.parametrize("name", sorted(BUILT))
def test_a_token_that_is_refused_fails(name: str) -> None:
    meta = httpx.Response(400, json={"error": {"code": 190, "error_subcode": 463, "message": "expired"}})
    slack = httpx.Response(200, json={"ok": False, "error": "token_revoked"})
    assert ask(name, slack if name == "slack" else meta)[0] == ChannelHealth("failing", "bad_token")
    assert ask(name, meta, token="line\nbreak") == (ChannelHealth("failing", "bad_token"), [])


@pytest.mark.parametrize("name", sorted(BUILT))
@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("planted"), httpx.ReadTimeout("planted"), httpx.Response(500),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, json=[]), httpx.Response(200, json={"data": 7}),
        httpx.Response(302, headers={"location": "/"}),
        httpx.Response(400, json={"error": {"code": 4}}), httpx.Response(400, json={"error": "words"}),
    ],
    ids=repr,
)  # fmt: skip
def test_whatever_else_is_answered_is_not_known(name: str, answer: httpx.Response | Exception) -> None:
    assert ask(name, answer)[0] == ChannelHealth("unknown")
