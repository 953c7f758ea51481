"""The stand-in posts what customers send to a webhook, as Telegram and Slack do."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import orjson
import pytest

from standin.client import ControlError, Standin
from standin.customers import CONTENTS
from standin.process import StandinProcess
from tests.contract.standin_client import TOKEN, Caller

Received = tuple[dict[str, str], bytes]


class Webhook:
    """A program that takes what is posted to it. received: (headers, body). status: what it answers."""

    def __init__(self) -> None:
        self.received: Queue[Received] = Queue()
        self.status = 200
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                webhook.received.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(webhook.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_bot(TOKEN, "shop_bot")
    return process.client


@pytest.fixture
def caller(standin: Standin) -> Caller:
    return Caller(standin)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    yield webhook
    webhook.close()


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_each_kind_of_message_is_posted_with_the_secret(
    standin: Standin, caller: Caller, webhook: Webhook, kind: str
) -> None:
    caller.telegram("setWebhook", url=webhook.url, secret_token="s-1")
    sent = standin.post_message(TOKEN, 7, "hello @you" if kind == "text" else None, kind=kind)

    headers, raw = webhook.received.get(timeout=5)
    assert headers["x-telegram-bot-api-secret-token"] == "s-1"
    assert orjson.loads(raw) == sent
    assert set(CONTENTS[kind]) <= set(sent["message"])


def test_a_group_and_a_topic_are_said(standin: Standin, caller: Caller, webhook: Webhook) -> None:
    caller.telegram("setWebhook", url=webhook.url)
    message = standin.post_message(TOKEN, -1009000000001, "👟 /ask why", topic=5)["message"]
    assert message["chat"]["type"] == "supergroup"
    assert (message["message_thread_id"], message["is_topic_message"]) == (5, True)
    assert message["entities"] == [{"type": "bot_command", "offset": 3, "length": 4}]
    assert webhook.received.get(timeout=5)


def test_what_was_not_taken_and_what_nobody_knows_is_an_error(
    standin: Standin, caller: Caller, webhook: Webhook
) -> None:
    caller.telegram("deleteWebhook")
    with pytest.raises(ControlError, match="has no webhook"):
        standin.post_message(TOKEN, 7, "hello")
    with pytest.raises(ControlError, match="should be one of"):
        standin.post_message(TOKEN, 7, kind="hologram")
    caller.telegram("setWebhook", url=webhook.url)
    webhook.status = 503
    with pytest.raises(ControlError, match="503"):
        standin.post_update(TOKEN, "edited_message", {"message_id": 1})


def test_an_event_of_slacks_is_signed(standin: Standin, webhook: Webhook) -> None:
    standin.register_workspace("xoxb-c", team_id="T0C", webhook=webhook.url, signing_secret="sign")
    standin.post_event("xoxb-c", {"type": "message", "channel": "D1", "text": "hello"})

    headers, raw = webhook.received.get(timeout=5)
    base = b"v0:" + headers["x-slack-request-timestamp"].encode() + b":" + raw
    assert headers["x-slack-signature"] == "v0=" + hmac.new(b"sign", base, hashlib.sha256).hexdigest()
    assert (orjson.loads(raw)["team_id"], orjson.loads(raw)["event"]["text"]) == ("T0C", "hello")


def test_a_workspace_without_webhook_is_told(standin: Standin) -> None:
    standin.register_workspace("xoxb-d", team_id="T0D")
    with pytest.raises(ControlError, match="has no webhook"):
        standin.post_event("xoxb-d", {"type": "message"})
