"""What goes wrong with the stand-in on request, before and after the effect."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from standin.client import ControlError, Standin
from standin.process import StandinProcess
from tests.contract.standin_client import TOKEN, Caller


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
def hasty(standin: Standin) -> Caller:
    """Leaves soon, as a caller does whose deadline has passed."""
    return Caller(standin, deadline_s=0.3)


@pytest.mark.parametrize("status", [400, 401, 403, 500, 502, 503])
def test_a_status_fault_refuses_once(standin: Standin, caller: Caller, status: int) -> None:
    standin.fault("telegram", "status", status=status, description="Bad Request: no luck")
    refused = caller.say(42, "first")
    assert refused == {"ok": False, "error_code": status, "description": "Bad Request: no luck", "http": status}
    assert caller.say(42, "second")["ok"]
    assert [message["text"] for message in standin.messages()] == ["second"]


def test_a_429_fault_says_when_to_come_back(standin: Standin, caller: Caller) -> None:
    standin.fault("telegram", "status", status=429, retry_after=7)
    answer = caller.say(42, "hello")
    assert (answer["http"], answer["parameters"]) == (429, {"retry_after": 7})
    assert answer["description"] == "Too Many Requests: retry after 7"


def test_faults_come_first_in_first_out_and_as_often_as_asked(standin: Standin, caller: Caller) -> None:
    standin.limits(enforced=False)
    standin.fault("telegram", "status", status=502, count=2)
    standin.fault("telegram", "status", status=503, count=None)
    assert [caller.say(42, "hello")["http"] for _ in range(5)] == [502, 502, 503, 503, 503]
    standin.clear()
    assert caller.say(42, "hello")["http"] == 200


def test_a_fault_meets_only_what_it_names(standin: Standin, caller: Caller) -> None:
    standin.fault("telegram", "status", status=500, chat_id=42)
    standin.fault("openai", "status", status=500)
    caller.telegram("sendChatAction", chat_id=42, action="typing")
    assert caller.say(43, "hello")["http"] == 200
    assert caller.say(42, "hello")["http"] == 500


def test_a_misspelt_fault_is_refused(standin: Standin) -> None:
    with pytest.raises(ControlError, match="unknown fields: chatid"):
        standin.fault("telegram", "status", chatid=42)


@pytest.mark.parametrize(("kind", "texts"), [("timeout_before_effect", []), ("timeout_after_effect", ["hello"])])
def test_a_caller_that_gives_up_meets_silence(standin: Standin, hasty: Caller, kind: str, texts: list[str]) -> None:
    standin.fault("telegram", kind)
    with pytest.raises(httpx.ReadTimeout):
        hasty.say(42, "hello")
    standin.wait_attempts(1, chat_id=42, outcome="client_gone")
    assert [message["text"] for message in standin.messages(chat_id=42)] == texts


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("drop_before_effect", []),
        ("drop_after_effect", ["hello"]),
        ("drop_midway", ["hello"]),
        ("timeout_before_effect", []),
        ("timeout_after_effect", ["hello"]),
    ],
)
def test_a_dropped_connection_hides_whether_it_was_done(
    standin: Standin, caller: Caller, kind: str, texts: list[str]
) -> None:
    standin.fault("telegram", kind, seconds=0.01)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        caller.say(42, "hello")
    assert [message["text"] for message in standin.messages(chat_id=42)] == texts
    assert [attempt["outcome"] for attempt in standin.attempts(chat_id=42)] == ["dropped"]


def test_a_slow_caller_that_left_before_the_effect_leaves_none(standin: Standin, hasty: Caller) -> None:
    standin.fault("telegram", "latency", latency_s=60)
    with pytest.raises(httpx.ReadTimeout):
        hasty.say(42, "hello")
    standin.wait_attempts(1, chat_id=42, outcome="client_gone")
    assert standin.messages() == []


def test_a_drip_gives_a_byte_at_a_time(standin: Standin, caller: Caller) -> None:
    standin.fault("telegram", "drip", bytes_each=3, interval_s=60)
    url = f"{standin.telegram_url}/bot{TOKEN}/sendMessage"
    with caller.http.stream("POST", url, json={"chat_id": 42, "text": "hello"}) as response:
        assert next(response.iter_raw()) == b'{"o'
    standin.wait_attempts(1, chat_id=42, outcome="client_gone")


def test_a_malformed_answer_hides_a_message_that_was_sent(standin: Standin, caller: Caller) -> None:
    standin.fault("telegram", "malformed", variant="wrong_shape")
    standin.fault("telegram", "malformed")
    assert "result" not in caller.say(42, "first")
    with pytest.raises(ValueError):
        caller.say(42, "second")
    assert [message["text"] for message in standin.messages()] == ["first", "second"]
