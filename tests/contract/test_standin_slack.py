"""The stand-ins for Slack and for a program that takes answers: they answer as the real ones, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from standin.client import ControlError, Standin
from standin.process import StandinProcess

TOKEN = "xoxb-stand-in"
CHANNEL = "C0BOATS"
KEY = b"a key of twenty-four byte"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_workspace(TOKEN, team_id="T0HARBOUR", user_id="U0BERTH", bot_id="B0BERTH", app_id="A0BERTH")
    return process.client


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10, trust_env=False) as client:
        yield client


def call(standin: Standin, http: httpx.Client, method: str, token: str = TOKEN, **params: Any) -> dict[str, Any]:
    """The answer's JSON with the HTTP status and its Retry-After."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    response = http.post(f"{standin.slack_url}/{method}", json=params, headers=headers)
    return {**response.json(), "http": response.status_code, "after": response.headers.get("retry-after")}


def say(standin: Standin, http: httpx.Client, **params: Any) -> dict[str, Any]:
    return call(standin, http, "chat.postMessage", **{"channel": CHANNEL, "text": "Hello", **params})


def test_a_message_is_answered_as_slack_does_and_recorded(standin: Standin, http: httpx.Client) -> None:
    metadata = {"event_type": "x", "event_payload": {"ref": "sb.1.2"}}
    answer = say(standin, http, thread_ts="1760000000.000100", metadata=metadata)
    [recorded] = standin.effects(target="slack", kind="message")
    assert (answer["http"], answer["ok"], answer["channel"]) == (200, True, CHANNEL)
    message = answer["message"]
    assert (message["user"], message["bot_id"], message["app_id"]) == ("U0BERTH", "B0BERTH", "A0BERTH")
    assert (message["metadata"], message["thread_ts"]) == (metadata, "1760000000.000100")
    assert (recorded["ts"], recorded["ref"], recorded["chat_id"]) == (answer["ts"], "sb.1.2", CHANNEL)


def test_messages_have_times_of_their_own(standin: Standin, http: httpx.Client) -> None:
    assert say(standin, http)["ts"] != say(standin, http)["ts"]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "nowhere"}, "channel_not_found"),
        ({"channel": None}, "channel_not_found"),
        ({"text": " "}, "no_text"),
        ({"thread_ts": "yesterday"}, "invalid_thread_ts"),
        ({"metadata": {"event_type": "x"}}, "invalid_metadata_format"),
        ({"metadata": [1]}, "invalid_metadata_format"),
        ({"token": ""}, "not_authed"),
        ({"token": "xoxb-unknown"}, "invalid_auth"),
    ],
)
def test_a_refusal_is_a_200_that_says_why(
    standin: Standin, http: httpx.Client, params: dict[str, Any], error: str
) -> None:
    answer = say(standin, http, **params)
    assert (answer["http"], answer["ok"], answer["error"]) == (200, False, error)
    assert standin.effects(target="slack") == []


@pytest.mark.parametrize(
    ("state", "error"),
    [("archived", "is_archived"), ("not_in_channel", "not_in_channel"), ("internal_error", "internal_error")],
)
def test_a_channel_can_be_closed_to_us(standin: Standin, http: httpx.Client, state: str, error: str) -> None:
    standin.chat_state(CHANNEL, state)
    assert say(standin, http)["error"] == error


def test_a_revoked_token_is_told_apart(standin: Standin, http: httpx.Client) -> None:
    standin.revoke_workspace(TOKEN)
    assert say(standin, http)["error"] == "token_revoked"


def test_a_channel_takes_one_message_a_second_after_a_short_burst(standin: Standin, http: httpx.Client) -> None:
    answers = [say(standin, http) for _ in range(8)]
    refused = [answer for answer in answers if answer["http"] == 429]
    assert 0 < len(refused) < 8
    assert {(answer["error"], answer["after"]) for answer in refused} == {("ratelimited", "1")}
    assert say(standin, http, channel="C0OTHER")["ok"]


def test_a_long_text_is_cut_off(standin: Standin, http: httpx.Client) -> None:
    assert len(say(standin, http, text="x" * 50_000)["message"]["text"]) == 40_000


def test_a_token_says_whose_it_is(standin: Standin, http: httpx.Client) -> None:
    found = call(standin, http, "auth.test")
    assert (found["team_id"], found["user_id"], found["bot_id"]) == ("T0HARBOUR", "U0BERTH", "B0BERTH")
    bearer = {"authorization": f"Bearer {TOKEN}"}
    bot = http.get(f"{standin.slack_url}/bots.info", params={"bot": "B0BERTH"}, headers=bearer).json()["bot"]
    assert bot["app_id"] == "A0BERTH"
    assert call(standin, http, "conversations.info", channel="D0ADA")["channel"]["is_im"]
    assert call(standin, http, "chat.shout")["error"] == "unknown_method"


def test_a_fault_is_worded_as_slack_words_it(standin: Standin, http: httpx.Client) -> None:
    standin.fault("slack", "status", status=429, retry_after=7)
    standin.fault("slack", "status", status=500)
    limited, broken = say(standin, http), say(standin, http)
    assert (limited["http"], limited["error"], limited["after"]) == (429, "ratelimited", "7")
    assert (broken["http"], broken["error"]) == (500, "fatal_error")


def test_the_status_shows_in_an_assistants_thread_alone(standin: Standin, http: httpx.Client) -> None:
    params = {"thread_ts": "1760000000.000100", "status": "is typing"}
    assert call(standin, http, "assistant.threads.setStatus", channel_id="D0ADA", **params)["ok"]
    assert not call(standin, http, "assistant.threads.setStatus", channel_id=CHANNEL, **params)["ok"]


def test_a_misspelt_registration_is_refused(standin: Standin) -> None:
    with pytest.raises(ControlError):
        standin._call("POST", "workspaces", token=TOKEN, team="T")


# ------------------------------------------------------------------ the receiver


def post(http: httpx.Client, url: str, body: dict[str, Any], *, key: bytes = KEY, at: int | None = None) -> int:
    raw, sent_at = json.dumps(body).encode(), str(int(time.time()) if at is None else at)
    digest = hmac.new(key, b"msg_1." + sent_at.encode() + b"." + raw, hashlib.sha256).digest()
    signature = "v1a,x v1," + base64.b64encode(digest).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": sent_at, "webhook-signature": signature}
    return http.post(url, content=raw, headers=headers).status_code


ANSWER = {"type": "message.sent", "data": {"id": "sb.1.2", "conversation": "order-4711", "text": "At nine."}}


def test_a_signed_answer_is_taken_and_its_repetition_has_no_effect(standin: Standin, http: httpx.Client) -> None:
    url = standin.register_receiver("shop", SECRET)
    assert [post(http, url, ANSWER), post(http, url, ANSWER)] == [200, 200]
    [taken] = standin.effects(target="receiver")
    assert (taken["chat_id"], taken["text"], taken["key"], taken["body"]) == (
        "order-4711", "At nine.", "msg_1", ANSWER,
    )  # fmt: skip


def test_an_answer_signed_otherwise_is_refused(standin: Standin, http: httpx.Client) -> None:
    url = standin.register_receiver("shop", SECRET)
    assert post(http, url, ANSWER, key=b"another") == 401
    assert post(http, url, ANSWER, at=1_600_000_000) == 401
    assert http.post(url, json=ANSWER).status_code == 401
    assert post(http, f"{url}-of-nobody", ANSWER) == 404
    assert standin.effects(target="receiver") == []


def test_a_receiver_fails_on_request(standin: Standin, http: httpx.Client) -> None:
    url = standin.register_receiver("shop", SECRET)
    standin.fault("receiver", "status", status=410)
    standin.fault("receiver", "status", status=503, token="shop")
    assert [post(http, url, ANSWER) for _ in range(3)] == [410, 503, 200]
