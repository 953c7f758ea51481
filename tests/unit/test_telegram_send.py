"""What becomes of a message that we send, whatever Telegram or the network answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared import faults
from shared.channels.telegram.platform import Telegram
from shared.model import Destination, Outgoing, SendOutcome

TOKEN = "700100:AAF-not_a_real_token"
API = "http://api.invalid"
Answer = Callable[[httpx.Request], httpx.Response]


def ok(message_id: Any = 99) -> httpx.Response:
    return httpx.Response(200, json={"ok": True, "result": {"message_id": message_id}})


def refusal(
    status: int, description: str = "", headers: dict[str, str] | None = None, **parameters: Any
) -> httpx.Response:
    body = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return httpx.Response(status, json=body, headers=headers)


TOO_LARGE = httpx.Response(200, json={"ok": True, "result": {"message_id": 1, "x": "y" * 70_000}})
REFUSED_WITH_200 = httpx.Response(
    200, json={"ok": False, "error_code": 403, "description": "bot was blocked by the user"}
)


class Wire:
    """A network that answers as told and keeps what was posted."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.posted: list[dict[str, Any]] = []
        self.urls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posted.append(json.loads(request.content))
        self.urls.append(str(request.url))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def outgoing(token: str, chat: str, text: str) -> Outgoing:
    return Outgoing(Destination("700100", {"token": token}, chat), text, "sb.1.2")


def send(answer: Answer, text: str = "Berth 4 is free.", chat: str = "4401", token: str = TOKEN) -> SendOutcome:
    async def run() -> SendOutcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await Telegram(API).send(http, outgoing(token, chat, text))

    return asyncio.run(run())


def outcome_of(answer: httpx.Response | Exception) -> SendOutcome:
    return send(Wire(answer))


def test_a_sent_message_has_the_platforms_id() -> None:
    wire = Wire(ok())
    assert send(wire) == SendOutcome("sent", "sent", platform_message_id="99", http_status=200)
    assert wire.urls == [f"{API}/bot{TOKEN}/sendMessage"]
    assert wire.posted == [{"chat_id": 4401, "text": "Berth 4 is free.", "link_preview_options": {"is_disabled": True}}]


def test_markup_goes_as_escaped_html() -> None:
    wire = Wire(ok())
    send(wire, "**Berth 4** costs `< 50` & [more](https://h.example/?a=1&b=2)")
    assert wire.posted[0]["parse_mode"] == "HTML"
    assert wire.posted[0]["text"] == (
        '<b>Berth 4</b> costs <code>&lt; 50</code> &amp; <a href="https://h.example/?a=1&amp;b=2">more</a>'
    )


@pytest.mark.parametrize(
    "refused", ["Bad Request: can't parse entities: unmatched tag", "Bad Request: message is too long"]
)
def test_a_text_whose_markup_is_refused_goes_again_as_it_was_written(refused: str) -> None:
    wire = Wire(refusal(400, refused), ok(5))
    assert send(wire, "**Berth 4** is free").platform_message_id == "5"
    assert wire.posted[1]["text"] == "**Berth 4** is free"
    assert "parse_mode" not in wire.posted[1]


def test_a_formatted_text_of_unknown_fate_is_not_sent_again() -> None:
    wire = Wire(httpx.ReadTimeout("late"))
    assert send(wire, "**Berth 4**").status == "unknown_outcome"
    assert len(wire.posted) == 1


def test_a_business_chat_is_answered_through_its_connection() -> None:
    wire = Wire(ok())
    send(wire, chat="business:bc-1:4401")
    assert (wire.posted[0]["business_connection_id"], wire.posted[0]["chat_id"]) == ("bc-1", 4401)


def test_text_that_is_no_utf8_can_be_sent() -> None:
    wire = Wire(ok())
    assert send(wire, "a\x00b\ud800c").status == "sent"
    assert wire.posted[0]["text"] == "a\ufffdb\ufffdc"


@pytest.mark.parametrize(
    ("answer", "status", "meaning"),
    [
        (refusal(401, "Unauthorized"), "reauth", "bad_token"),
        (refusal(404, "Not Found"), "reauth", "bad_token"),
        (refusal(403, "Forbidden: bot was blocked by the user"), "failed", "blocked"),
        (refusal(403, "Forbidden: user is deactivated"), "failed", "deactivated"),
        (refusal(403, "Forbidden: bot was kicked from the supergroup chat"), "failed", "kicked"),
        (refusal(403, "Forbidden: bot can't initiate conversation with a user"), "failed", "not_started"),
        (refusal(403, "Forbidden: something new"), "failed", "forbidden"),
        (refusal(400, "Bad Request: chat not found"), "failed", "chat_not_found"),
        (refusal(400, "Bad Request: message is too long"), "failed", "message_too_long"),
        (refusal(400, "Bad Request: message text is empty"), "failed", "message_empty"),
        (refusal(400, "Bad Request: something new"), "failed", "bad_request"),
        (refusal(409, "Conflict"), "failed", "bad_request"),
        (refusal(500, "Internal Server Error"), "retry", "platform_error"),
        (refusal(503), "retry", "platform_error"),
        (refusal(502, "Bad Gateway"), "unknown_outcome", "gateway_error"),
        (httpx.Response(504, text="<html>"), "unknown_outcome", "gateway_error"),
        (httpx.Response(200, text="<html>"), "unknown_outcome", "unreadable_answer"),
        (httpx.Response(200, content=b""), "unknown_outcome", "unreadable_answer"),
        (httpx.Response(200, json=[1]), "unknown_outcome", "unreadable_answer"),
        (httpx.Response(200, json={"ok": True, "result": True}), "unknown_outcome", "unreadable_answer"),
        (httpx.Response(200, json={"ok": True, "result": {}}), "unknown_outcome", "unreadable_answer"),
        (TOO_LARGE, "unknown_outcome", "unreadable_answer"),
        (REFUSED_WITH_200, "failed", "blocked"),
        (httpx.Response(302, headers={"location": "http://elsewhere.invalid"}), "retry", "redirected"),
        (httpx.Response(403, text="a proxy's page"), "failed", "forbidden"),
    ],
)  # fmt: skip
def test_an_answer_means(answer: httpx.Response, status: str, meaning: str) -> None:
    found = outcome_of(answer)
    assert (found.status, found.meaning) == (status, meaning)


@pytest.mark.parametrize("left", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_a_request_that_never_left_is_tried_again(left: type[httpx.TransportError]) -> None:
    assert outcome_of(left("no way")) == SendOutcome("retry", "no_connection")


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ReadTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.WriteTimeout,
        httpx.RemoteProtocolError,
        httpx.CloseError,
        httpx.DecodingError,
    ],
)
def test_a_connection_lost_on_the_way_leaves_the_outcome_unknown(broken: type[httpx.RequestError]) -> None:
    assert outcome_of(broken("gone")) == SendOutcome("unknown_outcome", "connection_lost")


def test_a_body_that_breaks_off_leaves_the_outcome_unknown() -> None:
    class BreaksOff(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield b'{"ok": tr'
            raise httpx.ReadError("gone")

    assert outcome_of(httpx.Response(200, stream=BreaksOff())).status == "unknown_outcome"


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                yield b"x" * 4096

    assert outcome_of(httpx.Response(200, stream=Endless())).meaning == "unreadable_answer"


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (refusal(429, retry_after=14), 14.0),
        (refusal(429, headers={"retry-after": "7"}), 7.0),
        (refusal(429, retry_after=3, headers={"retry-after": "7"}), 3.0),
        (refusal(429, retry_after=-2), 0.0),
        (refusal(429, retry_after=10**400), 86_400.0),
        (refusal(429, retry_after=10**9), 86_400.0),
        (refusal(429, retry_after=[1]), None),
        (refusal(429, headers={"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}), None),
        (httpx.Response(429, text="slow down", headers={"retry-after": "2"}), 2.0),
    ],
)
def test_too_many_requests_wait_as_long_as_asked(answer: httpx.Response, wait_s: float | None) -> None:
    found = outcome_of(answer)
    assert (found.status, found.meaning, found.retry_after_s) == ("retry", "rate_limited", wait_s)


def test_a_migrated_chat_is_tried_again_at_once_under_its_new_id() -> None:
    found = outcome_of(refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1009))
    assert (found.status, found.retry_after_s, found.migrated_to) == ("retry", 0.0, "-1009")


@pytest.mark.parametrize("token", ["", "a/b?c#d", "new\nline", "snow\u2603"])
def test_a_malformed_token_is_telegrams_to_refuse(token: str) -> None:
    assert send(Wire(refusal(404, "Not Found")), token=token).status == "reauth"


@pytest.mark.parametrize("answer", [ok(), refusal(401), httpx.ReadTimeout("late"), httpx.ConnectError("no")])
def test_the_token_is_in_no_log_and_no_outcome(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        found = outcome_of(answer)
    assert TOKEN not in caplog.text + repr(found) + repr(vars(Telegram(API)))


def test_the_requests_are_still_logged_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="httpx"):
        outcome_of(ok())
    assert "/bot***/sendMessage" in caplog.text


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    faults.configure("", None)


def test_the_fault_points_stand_on_both_sides_of_the_request(marks: Path) -> None:
    faults.configure("deliver.before_write=pass,deliver.after_write=pass", marks)

    def answer(request: httpx.Request) -> httpx.Response:
        assert (marks / "deliver.before_write.reached").exists()
        assert not (marks / "deliver.after_write.reached").exists()
        return ok()

    assert send(answer).status == "sent"
    assert (marks / "deliver.after_write.reached").exists()


def test_a_fault_before_the_request_sends_nothing(marks: Path) -> None:
    faults.configure("deliver.before_write=raise", marks)
    wire = Wire(ok())
    with pytest.raises(faults.InjectedFault):
        send(wire)
    assert wire.posted == []


@pytest.mark.parametrize("answer", [ok(), refusal(403), httpx.ConnectError("no"), httpx.ReadTimeout("late")])
def test_showing_that_we_type_swallows_every_failure(answer: Any) -> None:
    wire = Wire(answer)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(wire)) as http:
            await Telegram(API).typing(http, outgoing(TOKEN, "4401", "").place)

    asyncio.run(run())
    assert wire.urls == [f"{API}/bot{TOKEN}/sendChatAction"]
    assert wire.posted == [{"chat_id": 4401, "action": "typing"}]
