"""The stand-in for Telegram, its limits, its records and its end, over real HTTP."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from standin.client import NotReached, Standin
from standin.limits import FloodLimits
from standin.process import StandinProcess
from tests.contract.standin_client import TOKEN, Caller, unread_message

PARSE = "Bad Request: can't parse entities: "


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


# The Bot API


def test_a_message_is_answered_as_telegram_does_and_recorded(standin: Standin, caller: Caller) -> None:
    answer = caller.say(42, " Hello ")
    (recorded,) = standin.messages(chat_id=42)
    message = answer["result"]
    assert (answer["http"], answer["ok"], message["text"]) == (200, True, "Hello")
    assert (message["chat"]["id"], message["chat"]["type"]) == (42, "private")
    assert message["from"] == {"id": 123456, "is_bot": True, "first_name": "shop_bot", "username": "shop_bot"}
    assert (recorded["text"], recorded["token"], recorded["message_id"]) == ("Hello", TOKEN, message["message_id"])


def test_a_form_is_as_good_as_json(standin: Standin, caller: Caller) -> None:
    url = f"{standin.telegram_url}/bot{TOKEN}/SENDMESSAGE"
    caller.http.post(url, data={"chat_id": "42", "text": "Grüße & more"})
    assert [message["text"] for message in standin.messages(chat_id=42)] == ["Grüße & more"]


def test_effects_are_numbered_in_order(standin: Standin, caller: Caller) -> None:
    for chat_id in (1, 2, 1):
        caller.say(chat_id, "hello")
    indexes = [message["index"] for message in standin.messages()]
    assert indexes == sorted(set(indexes))
    assert [message["chat_id"] for message in standin.messages(since=indexes[0])] == [2, 1]


@pytest.mark.parametrize(
    ("token", "method", "code", "description"),
    [
        ("999:unknown", "getMe", 401, "Unauthorized"),
        ("no-token", "getMe", 404, "Not Found"),
        (TOKEN, "sendSmoke", 404, "Not Found: method not found"),
    ],
)
def test_who_or_what_is_unknown_is_refused(
    caller: Caller, token: str, method: str, code: int, description: str
) -> None:
    answer = caller.telegram(method, token)
    assert answer == {"ok": False, "error_code": code, "description": description, "http": code}


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_text_is_refused(caller: Caller, text: str) -> None:
    assert caller.say(42, text)["description"] == "Bad Request: message text is empty"


@pytest.mark.parametrize(
    ("text", "mode", "taken"),
    [
        ("x" * 4096, None, True),
        ("x" * 4097, None, False),
        ("🏟" * 2048, None, True),
        ("🏟" * 2048 + "x", None, False),
        ("<b>" + "x" * 4096 + "</b>", "HTML", True),
        ("&amp;" * 4096, "HTML", True),
        ("&amp;" * 4097, "HTML", False),
    ],
)
def test_length_counts_in_utf16_units_after_the_markup(
    caller: Caller, text: str, mode: str | None, taken: bool
) -> None:
    answer = caller.say(42, text, parse_mode=mode)
    assert (answer["ok"], answer.get("description")) == (taken, None if taken else "Bad Request: message is too long")


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("🏟<x>y</x>", 'Unsupported start tag "x" at byte offset 4'),
        ("2 < 3", 'Unsupported start tag "" at byte offset 2'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<i>a</b>", 'Unmatched end tag at byte offset 4, expected "</i>", found "</b>"'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("a&nbsp;b", 'Unsupported character reference "&nbsp;" at byte offset 1'),
    ],
)
def test_bad_markup_is_refused_with_its_place(standin: Standin, caller: Caller, markup: str, reason: str) -> None:
    answer = caller.say(42, markup, parse_mode="HTML")
    assert (answer["http"], answer["description"]) == (400, PARSE + reason)
    assert standin.messages() == []


def test_good_markup_becomes_text_and_entities(caller: Caller) -> None:
    markup = ' 🏟 <b>bold <i>both</i></b> <a href="https://a.example/?x=1&amp;y=2">link</a> 1 &lt; 2 & 3'
    message = caller.say(42, markup, parse_mode="HTML")["result"]
    assert message["text"] == "🏟 bold both link 1 < 2 & 3"
    assert message["entities"] == [
        {"type": "bold", "offset": 3, "length": 9},
        {"type": "italic", "offset": 8, "length": 4},
        {"type": "text_link", "offset": 13, "length": 4, "url": "https://a.example/?x=1&y=2"},
    ]


@pytest.mark.parametrize(
    ("state", "code", "description"),
    [
        ("not_found", 400, "Bad Request: chat not found"),
        ("blocked", 403, "Forbidden: bot was blocked by the user"),
        ("deactivated", 403, "Forbidden: user is deactivated"),
        ("kicked", 403, "Forbidden: bot was kicked from the group chat"),
    ],
)
def test_a_chat_that_cannot_be_reached_says_why(
    standin: Standin, caller: Caller, state: str, code: int, description: str
) -> None:
    standin.chat_state(42, state)
    answer = caller.say(42, "hello")
    assert (answer["http"], answer["description"]) == (code, description)
    assert caller.say(43, "hello")["ok"]


def test_a_migrated_group_names_its_new_id(standin: Standin, caller: Caller) -> None:
    standin.chat_state(-42, "migrated", migrate_to_chat_id=-1000000000042)
    answer = caller.say(-42, "hello")
    assert answer["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    assert answer["parameters"] == {"migrate_to_chat_id": -1000000000042}
    assert caller.say(answer["parameters"]["migrate_to_chat_id"], "hello")["result"]["chat"]["type"] == "supergroup"


def test_an_edit_changes_a_message_once(standin: Standin, caller: Caller) -> None:
    message_id = caller.say(42, "befor")["result"]["message_id"]
    answers = [
        caller.telegram("editMessageText", chat_id=42, message_id=number, text="before")
        for number in (message_id, message_id, message_id + 1)
    ]
    assert answers[0]["result"]["text"] == "before"
    assert answers[1]["description"].startswith("Bad Request: message is not modified")
    assert answers[2]["description"] == "Bad Request: message to edit not found"


def test_courtesies_are_recorded_apart_from_messages(standin: Standin, caller: Caller) -> None:
    assert caller.telegram("sendChatAction", chat_id=42, action="typing")["result"] is True
    assert caller.telegram("answerCallbackQuery", callback_query_id="7")["result"] is True
    refused = caller.telegram("sendChatAction", chat_id=42, action="dancing")
    assert refused["description"] == "Bad Request: wrong parameter action in request"
    assert [effect["kind"] for effect in standin.effects()] == ["chat_action", "callback_answer"]
    assert standin.messages() == []


def test_a_webhook_is_kept_until_it_is_deleted(caller: Caller) -> None:
    plain = caller.telegram("setWebhook", url="http://shop.example/hook")
    assert plain["description"] == "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
    odd = caller.telegram("setWebhook", url="https://shop.example/hook", secret_token="a+b")
    assert odd["description"] == "Bad Request: secret token contains unallowed characters"
    caller.telegram("setWebhook", url="https://shop.example/hook", secret_token="a-b")
    assert caller.telegram("getWebhookInfo")["result"]["url"] == "https://shop.example/hook"
    caller.telegram("deleteWebhook")
    assert caller.telegram("getWebhookInfo")["result"]["url"] == ""


# Limits


def test_a_chat_takes_a_small_burst_and_then_says_when_to_come_back(standin: Standin, caller: Caller) -> None:
    standin.limits(chat_per_s=0.01)
    answers = [caller.say(42, f"message {number}") for number in range(4)]
    assert [answer["http"] for answer in answers] == [200, 200, 200, 429]
    after = answers[-1]["parameters"]["retry_after"]
    assert 0 < after <= 100
    assert answers[-1]["description"] == f"Too Many Requests: retry after {after}"
    assert caller.say(43, "another chat")["ok"]


def test_a_group_takes_so_many_a_minute(standin: Standin, caller: Caller) -> None:
    standin.limits(group_per_min=2, chat_burst=100, bot_per_s=100)
    assert [caller.say(-42, f"message {number}")["http"] for number in range(3)] == [200, 200, 429]


def test_without_limits_everything_passes(standin: Standin, caller: Caller) -> None:
    standin.limits(enforced=False)
    assert {caller.say(-42, f"message {number}")["http"] for number in range(40)} == {200}


def test_flood_limits_are_telegrams() -> None:
    now_s = 0.0
    limits = FloodLimits(clock=lambda: now_s)
    assert [limits.take(TOKEN, str(chat_id)) for chat_id in range(31)] == [None] * 30 + [1]
    now_s = 1000.0
    assert [limits.take(TOKEN, "42") for _ in range(4)] == [None] * 3 + [1]
    now_s += 1.0
    assert [limits.take(TOKEN, "42") for _ in range(2)] == [None, 1]
    limits.change(chat_burst=100)
    assert [limits.take(TOKEN, "-42") for _ in range(21)] == [None] * 20 + [3]


# Waiting and the process


def test_a_wait_ends_with_the_message_it_waits_for(standin: Standin, caller: Caller) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(standin.wait_messages, 2, 42, timeout_s=30)
        for chat_id in (42, 43, 42):
            caller.say(chat_id, f"to {chat_id}")
        assert [message["text"] for message in waiting.result(timeout=30)] == ["to 42", "to 42"]


def test_a_wait_that_is_not_met_says_how_far_it_came(standin: Standin, caller: Caller) -> None:
    caller.say(42, "hello")
    with pytest.raises(NotReached, match="1 of 2 effects"):
        standin.wait_messages(2, chat_id=42, timeout_s=0.01)


def test_a_reset_cuts_requests_in_flight_without_effect(standin: Standin) -> None:
    standin.fault("telegram", "latency", latency_s=60)
    with unread_message(standin, 42) as connection:
        standin.wait_attempts(1, chat_id=42)
        standin.reset()
        assert connection.recv(1) == b""
    assert (standin.effects(), standin.attempts()) == ([], [])


def test_three_hundred_hang_while_others_are_served(standin: Standin, caller: Caller) -> None:
    standin.fault("telegram", "timeout_before_effect", chat_id=42, count=None)
    with ExitStack() as connections:
        for _ in range(300):
            connections.enter_context(unread_message(standin, 42))
        assert len(standin.wait_attempts(300, chat_id=42, outcome="open")) == 300
        assert caller.say(43, "hello")["ok"]
    standin.wait_attempts(300, chat_id=42, outcome="client_gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_though_requests_hang(number: signal.Signals, tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    with StandinProcess(port_file=port_file) as process:
        assert process.base_url == f"http://127.0.0.1:{port_file.read_text().strip()}"
        process.client.register_bot(TOKEN, "shop_bot")
        process.client.fault("telegram", "timeout_after_effect", count=None)
        with unread_message(process.client, 42) as connection:
            process.client.wait_messages(1, chat_id=42)
            process.process.send_signal(number)
            assert process.process.wait(timeout=10) == 0
            assert connection.recv(1) == b""
