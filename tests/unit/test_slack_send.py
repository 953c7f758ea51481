"""What becomes of a message that we send, whatever Slack answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from shared.channels.slack.platform import Slack
from shared.model import Destination, Outgoing, SendOutcome

API = "http://api.invalid/api"
TOKEN = "xoxb-planted-token"


class Wire:
    """A network that answers as told and keeps what was asked."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def posted(self) -> dict[str, Any]:
        [request] = self.requests
        body: dict[str, Any] = json.loads(request.content)
        return body


def ok() -> httpx.Response:
    return httpx.Response(200, json={"ok": True, "channel": "C0BOATS", "ts": "1760000001.000100"})


def refusal(error: str, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"ok": False, "error": error}, headers=headers)


def send(wire: Wire, text: str = "Berth 4 is free.", chat: str = "C0BOATS", token: str = TOKEN) -> SendOutcome:
    async def run() -> SendOutcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(wire)) as http:
            return await Slack(API).send(http, Outgoing(Destination("T1", {"token": token}, chat), text, "sb.1.2"))

    return asyncio.run(run())


def type_in(wire: Wire, chat: str) -> None:
    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(wire)) as http:
            await Slack(API).typing(http, Destination("T1", {"token": TOKEN}, chat))

    asyncio.run(run())


def test_a_message_is_posted_under_our_name_for_it() -> None:
    wire = Wire(ok())
    assert send(wire) == SendOutcome("sent", "sent", platform_message_id="1760000001.000100", http_status=200)
    assert wire.posted == {
        "channel": "C0BOATS", "text": "Berth 4 is free.", "unfurl_links": False, "unfurl_media": False,
        "metadata": {"event_type": "switchboard_part", "event_payload": {"ref": "sb.1.2"}},
    }  # fmt: skip
    [request] = wire.requests
    assert str(request.url) == f"{API}/chat.postMessage"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_an_answer_in_a_thread_stays_in_it() -> None:
    wire = Wire(ok())
    send(wire, chat="C0BOATS:1760000000.000100")
    assert (wire.posted["channel"], wire.posted["thread_ts"]) == ("C0BOATS", "1760000000.000100")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("<!channel> a < b & c", "&lt;!channel&gt; a &lt; b &amp; c"),
        ("**Berth 4** at `x < y`", "*Berth 4* at `x &lt; y`"),
        ("see [the list](https://h.example/a|b?x=1&y=2)", "see <https://h.example/a%7Cb?x=1&amp;y=2|the list>"),
        ("**see [it](https://h.example)**", "*see <https://h.example|it>*"),
        ("```python\nprint(1)\n```", "```\nprint(1)\n```"),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
    ],
)
def test_a_text_is_written_so_that_slack_shows_it_and_notifies_nobody(text: str, sent: str) -> None:
    wire = Wire(ok())
    send(wire, text)
    assert wire.posted["text"] == sent


@pytest.mark.parametrize(
    ("answer", "status", "meaning"),
    [
        (refusal("not_in_channel"), "failed", "not_in_channel"),
        (refusal("channel_not_found"), "failed", "chat_not_found"),
        (refusal("is_archived"), "failed", "archived"),
        (refusal("msg_too_long"), "failed", "message_too_long"),
        (refusal("restricted_action_thread_locked"), "failed", "no_rights"),
        (refusal("something_new"), "failed", "bad_request"),
        (refusal("invalid_auth"), "reauth", "bad_token"),
        (refusal("token_revoked"), "reauth", "bad_token"),
        (refusal("account_inactive"), "reauth", "bad_token"),
        (refusal("missing_scope"), "reauth", "missing_scope"),
        (refusal("invalid_auth", 401), "reauth", "bad_token"),
        (refusal("ratelimited"), "retry", "rate_limited"),
        (refusal("service_unavailable", 503), "retry", "platform_error"),
        (refusal("internal_error"), "unknown_outcome", "platform_error"),
        (refusal("fatal_error", 500), "unknown_outcome", "platform_error"),
        (httpx.Response(500, text="<html>"), "unknown_outcome", "gateway_error"),
        (httpx.Response(502, text="<html>"), "unknown_outcome", "gateway_error"),
        (httpx.Response(503, text="<html>"), "retry", "platform_error"),
        (httpx.Response(404, text="<html>"), "failed", "bad_request"),
        (httpx.Response(302), "retry", "redirected"),
        (httpx.Response(200, json={"ok": True}), "unknown_outcome", "unreadable_answer"),
        (httpx.Response(200, json={"ok": False}), "unknown_outcome", "unreadable_answer"),
        (httpx.ConnectError("planted"), "retry", "no_connection"),
        (httpx.ReadTimeout("planted"), "unknown_outcome", "connection_lost"),
    ],
)
def test_an_answer_means(answer: httpx.Response | Exception, status: str, meaning: str) -> None:
    found = send(Wire(answer))
    assert (found.status, found.meaning) == (status, meaning)


@pytest.mark.parametrize(
    ("header", "wait_s"), [("30", 30.0), ("", None), ("soon", None), ("-5", 0.0), ("9" * 18, 86_400.0)]
)
def test_too_many_requests_wait_as_long_as_they_are_asked_to(header: str, wait_s: float | None) -> None:
    found = send(Wire(refusal("ratelimited", 429, **{"retry-after": header})))
    assert (found.status, found.meaning, found.retry_after_s) == ("retry", "rate_limited", wait_s)


@pytest.mark.parametrize("token", ["", " ", "xoxb\n-1", "xoxb-é"])
def test_a_token_that_is_none_asks_a_person_without_a_request(token: str) -> None:
    wire = Wire(ok())
    assert (send(wire, token=token).status, wire.requests) == ("reauth", [])


def test_typing_shows_in_an_assistants_thread() -> None:
    wire = Wire(ok())
    type_in(wire, "D0ADA:1760000000.000100")
    assert wire.posted == {"channel_id": "D0ADA", "thread_ts": "1760000000.000100", "status": "is typing…"}


@pytest.mark.parametrize("chat", ["D0ADA", "C0BOATS", "C0BOATS:1760000000.000100"])
def test_elsewhere_slack_knows_no_typing(chat: str) -> None:
    wire = Wire(ok())
    type_in(wire, chat)
    assert wire.requests == []


def test_threads_of_a_channel_share_its_second() -> None:
    keys = [{rate.key for rate in Slack().rates("3", chat) if rate.count == 1} for chat in ("C1", "C1:1.2", "C2")]
    assert keys[0] == keys[1] != keys[2]
