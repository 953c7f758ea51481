"""The stand-in for the Graph API refuses what the real one refuses, in its words and numbers."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import orjson
import pytest

from standin import pages
from standin.client import Standin
from standin.graph_wire import Node, Refused
from standin.process import StandinProcess
from standin.world import World

PAGE, TOKEN, ACCOUNT, ACCOUNT_TOKEN, SECRET = "700100", "EAApage", "17841400", "IGAAaccount", "app-secret"
SENT = {"recipient": {"id": "5"}, "messaging_type": "RESPONSE", "message": {"text": "hello", "metadata": "sb.1.2"}}


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as process:
        yield process


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_node(PAGE, "page", TOKEN, name="Acme", app_id="42", app_secret=SECRET)
    process.client.register_node(ACCOUNT, "instagram", ACCOUNT_TOKEN, name="acme.shoes", app_id="42", app_secret=SECRET)
    return process.client


def call(standin: Standin, path: str, method: str = "POST", token: str | None = TOKEN, **fields: Any) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    url = f"{standin.graph_url}/v23.0/{path}"
    return httpx.request(method, url, json=fields or None, headers=headers, timeout=10, trust_env=False)


def send(standin: Standin, node: str = PAGE, token: str | None = TOKEN, **changes: Any) -> httpx.Response:
    return call(standin, f"{node}/messages", token=token, **{**SENT, **changes})


def refusal(answer: httpx.Response) -> tuple[int, int | None]:
    error = answer.json()["error"]
    assert answer.status_code >= 400
    assert error["message"]
    assert error["fbtrace_id"]
    return error["code"], error.get("error_subcode")


def test_a_message_is_taken_with_its_reference(standin: Standin) -> None:
    answer = send(standin).json()
    [effect] = standin.effects(target="graph", kind="message", node=PAGE)
    assert answer == {"recipient_id": "5", "message_id": effect["message_id"]}
    assert (effect["chat_id"], effect["text"], effect["ref"], effect["tag"]) == ("5", "hello", "sb.1.2", None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token": None}, (104, None)),
        ({"token": "EAAother"}, (190, None)),
        ({"node": "1"}, (100, 33)),
        ({"recipient": {}}, (100, None)),
        ({"recipient": {"id": "nobody"}}, (100, 2018001)),
        ({"message": {"text": " "}}, (100, None)),
        ({"message": {"text": "x" * 2001}}, (100, None)),
        ({"message": {"text": "x", "metadata": "y" * 1001}}, (100, None)),
        ({"messaging_type": "SHOUT"}, (100, None)),
        ({"messaging_type": "MESSAGE_TAG"}, (100, 2018046)),
        ({"appsecret_proof": "wrong"}, (100, None)),
    ],
)
def test_what_is_wrong_is_refused(standin: Standin, changes: dict[str, Any], expected: tuple[int, int | None]) -> None:
    assert refusal(send(standin, **changes)) == expected
    assert standin.effects(target="graph", kind="message") == []


def test_an_account_counts_bytes_and_a_page_characters(standin: Standin) -> None:
    umlauts = "ä" * 501
    assert send(standin, message={"text": umlauts}).status_code == 200
    assert refusal(send(standin, ACCOUNT, ACCOUNT_TOKEN, message={"text": umlauts})) == (100, None)
    assert send(standin, ACCOUNT, ACCOUNT_TOKEN, message={"text": umlauts[:500]}).status_code == 200


@pytest.mark.parametrize(("node", "token", "subcode"), [(PAGE, TOKEN, 2018278), (ACCOUNT, ACCOUNT_TOKEN, 2534022)])
def test_a_day_is_for_everybody_and_a_week_for_persons(standin: Standin, node: str, token: str, subcode: int) -> None:
    tagged = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    standin.chat_state("5", "ok", silent_s=2 * 86_400)
    assert refusal(send(standin, node, token)) == (10, subcode)
    assert send(standin, node, token, **tagged).status_code == 200
    standin.chat_state("5", "ok", silent_s=8 * 86_400)
    assert refusal(send(standin, node, token, **tagged)) == (10, subcode)


@pytest.mark.parametrize(
    ("state", "expected"),
    [("unreachable", (551, 1545041)), ("not_found", (100, 2018001)), ("other_app", (10, 2018300))],
)
def test_a_person_may_not_be_reached(standin: Standin, state: str, expected: tuple[int, int]) -> None:
    standin.chat_state("5", state)
    assert refusal(send(standin)) == expected


def test_a_token_that_was_good_once_says_so(standin: Standin) -> None:
    standin.revoke_node(TOKEN)
    assert refusal(send(standin)) == (190, 460)


def test_requests_are_proved_where_the_application_demands_it(standin: Standin) -> None:
    standin.register_node(PAGE, "page", TOKEN, app_secret=SECRET, proof=True)
    assert refusal(send(standin)) == (100, None)
    proof = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    assert send(standin, appsecret_proof=proof).status_code == 200


@pytest.mark.parametrize(("kind", "at_once"), [("page", 300), ("instagram", 100)])
def test_so_many_texts_are_taken_in_one_second(kind: str, at_once: int) -> None:
    world, node = World(), Node("1", kind, "token")
    world.limits.clock = lambda: 0.0
    for _ in range(at_once):
        pages.send(world, node, SENT)
    with pytest.raises(Refused) as refused:
        pages.send(world, node, SENT)
    assert refused.value.error["code"] == 613


def test_actions_are_no_messages(standin: Standin) -> None:
    for action in ("mark_seen", "typing_on"):
        assert call(standin, f"{PAGE}/messages", recipient={"id": "5"}, sender_action=action).status_code == 200
    assert refusal(call(standin, f"{PAGE}/messages", recipient={"id": "5"}, sender_action="wave")) == (100, None)
    assert [e["action"] for e in standin.effects(target="graph", kind="chat_action")] == ["mark_seen", "typing_on"]


def test_a_token_tells_who_it_is_and_what_it_may(standin: Standin) -> None:
    assert call(standin, "me", "GET").json() == {"id": PAGE, "name": "Acme"}
    assert call(standin, "me?fields=user_id", "GET", ACCOUNT_TOKEN).json()["user_id"] == ACCOUNT
    told = call(standin, f"debug_token?input_token={TOKEN}", "GET", f"42|{SECRET}").json()["data"]
    assert (told["is_valid"], told["app_id"], "pages_messaging" in told["scopes"]) == (True, "42", True)
    standin.revoke_node(TOKEN)
    told = call(standin, f"debug_token?input_token={TOKEN}", "GET", f"42|{SECRET}").json()["data"]
    assert (told["is_valid"], told["error"]["subcode"]) == (False, 460)


def test_an_account_behind_a_page_is_reached_through_it(standin: Standin) -> None:
    standin.register_node("178", "instagram", "EAAlinked", name="acme.shoes", page_id="99")
    assert call(standin, "me", "GET", "EAAlinked").json()["instagram_business_account"]["id"] == "178"
    assert send(standin, "99", "EAAlinked").status_code == 200
    [effect] = standin.effects(target="graph", kind="message", node="178")
    assert effect["platform"] == "instagram"


def test_a_page_is_subscribed_once(standin: Standin) -> None:
    path = f"{PAGE}/subscribed_apps"
    assert call(standin, path, "GET").json() == {"data": []}
    assert call(standin, path, subscribed_fields="messages,messaging_postbacks").json() == {"success": True}
    [app] = call(standin, path, "GET").json()["data"]
    assert (app["id"], app["subscribed_fields"]) == ("42", ["messages", "messaging_postbacks"])
    assert refusal(call(standin, path)) == (100, None)
    assert call(standin, path, "DELETE").json() == {"success": True}
    assert call(standin, path, "GET").json() == {"data": []}


def test_a_refusal_on_request_has_the_code_that_was_asked_for(standin: Standin) -> None:
    standin.fault("graph", "status", status=400, code="190/463")
    standin.fault("graph", "status", status=429, retry_after=7)
    assert refusal(send(standin)) == (190, 463)
    limited = send(standin)
    assert (refusal(limited), limited.headers["retry-after"]) == ((4, None), "7")
    assert send(standin).status_code == 200


class Webhook:
    """An application's webhook that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.arrived = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                outer.told.append(({k.lower(): v for k, v in self.headers.items()}, raw))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                outer.arrived.set()

            def log_message(self, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    yield webhook
    webhook.close()


def test_an_echo_is_signed_and_may_come_before_the_answer(standin: Standin, webhook: Webhook) -> None:
    fields: dict[str, Any] = {"app_id": "42", "app_secret": SECRET, "echo_url": webhook.url, "echo_first": True}
    standin.register_node(PAGE, "page", TOKEN, **fields)

    answer = send(standin).json()

    [(headers, raw)] = webhook.told  # it is there by now
    assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    [item] = orjson.loads(raw)["entry"][0]["messaging"]
    assert (item["sender"], item["recipient"]) == ({"id": PAGE}, {"id": "5"})
    assert item["message"] == {
        "mid": answer["message_id"], "is_echo": True, "text": "hello", "app_id": 42, "metadata": "sb.1.2",
    }  # fmt: skip


def test_an_echo_of_an_account_names_no_application(standin: Standin, webhook: Webhook) -> None:
    fields: dict[str, Any] = {"app_secret": SECRET, "echo_url": webhook.url, "echo_first": True}
    standin.register_node(ACCOUNT, "instagram", ACCOUNT_TOKEN, **fields)
    send(standin, ACCOUNT, ACCOUNT_TOKEN)
    [(_, raw)] = webhook.told
    assert set(orjson.loads(raw)["entry"][0]["messaging"][0]["message"]) == {"mid", "is_echo", "text"}


def test_an_echo_comes_also_where_the_answer_does_not(standin: Standin, webhook: Webhook) -> None:
    standin.register_node(PAGE, "page", TOKEN, app_secret=SECRET, echo_url=webhook.url)
    standin.fault("graph", "drop_after_effect")
    with pytest.raises(httpx.HTTPError):
        send(standin)
    assert webhook.arrived.wait(10)
