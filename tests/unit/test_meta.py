"""What Messenger, Instagram and WhatsApp share: who may post, how we subscribe, what the Graph API's answers mean."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.channels.meta import graph as meta
from shared.channels.meta.errors import meaning
from shared.model import SendOutcome

RAW = b'{"object":"page","entry":[]}'
SIGNED = "sha256=" + hmac.new(b"app-secret", RAW, hashlib.sha256).hexdigest()
VECTOR = Path(__file__).resolve().parents[3] / "shared/fixtures/webhooks/messenger/signature-vector-sha1-legacy.json"
TOKEN = "EAAplantedtokenplantedtoken"
URL = meta.node_url("http://graph.invalid/", "v23.0", "123", "messages")


def test_the_body_is_signed_with_any_secret_in_force() -> None:
    assert meta.verify({"x-hub-signature-256": SIGNED}, RAW, ["newer", "app-secret"])
    assert not meta.verify({"x-hub-signature-256": SIGNED}, RAW + b" ", ["app-secret"])
    assert not meta.verify({"x-hub-signature-256": SIGNED}, RAW, ["another", ""])


@pytest.mark.parametrize(
    "given", ["", "sha256=", SIGNED[7:], SIGNED.upper(), SIGNED + "0", "sha1=" + SIGNED[7:], "sha256=é\ud800", " "]
)
def test_a_malformed_signature_is_a_refusal(given: str) -> None:
    assert not meta.verify({"x-hub-signature-256": given}, RAW, ["app-secret"])


def test_the_older_signature_alone_counts_for_nothing() -> None:
    older = "sha1=" + hmac.new(b"app-secret", RAW, hashlib.sha1).hexdigest()
    assert not meta.verify({"x-hub-signature": older}, RAW, ["app-secret"])
    assert not meta.verify({"x-hub-signature-256": older}, RAW, ["app-secret"])


def test_an_empty_secret_signs_nothing() -> None:
    assert not meta.verify({"x-hub-signature-256": meta.signature(RAW, "")}, RAW, [""])


@pytest.mark.skipif(not VECTOR.exists(), reason="the collection of recorded webhooks is not at hand")
def test_a_recorded_signature_fits_its_body() -> None:
    vector = json.loads(VECTOR.read_text())["body"]
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    raw = vector["raw_body"].encode()
    assert meta.verify(headers, raw, [vector["app_secret"]])
    del headers["x-hub-signature-256"]
    assert not meta.verify(headers, raw, [vector["app_secret"]])


ASKED = {"hub.mode": "subscribe", "hub.verify_token": "our-token", "hub.challenge": "1158201444"}


def test_a_subscription_under_our_token_gets_its_challenge_back() -> None:
    assert meta.handshake(ASKED, "our-token") == "1158201444"


@pytest.mark.parametrize(
    "wrong",
    [{"hub.mode": "unsubscribe"}, {"hub.verify_token": "other"}, {"hub.verify_token": ""}, {"hub.challenge": ""}],
)
def test_any_other_subscription_gets_nothing(wrong: dict[str, str]) -> None:
    assert meta.handshake({**ASKED, **wrong}, "our-token") is None
    assert meta.handshake({}, "our-token") is None
    assert meta.handshake({**ASKED, "hub.verify_token": ""}, "") is None


class Wire:
    """A network that answers as told and keeps the requests."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def message_id(body: Mapping[str, Any]) -> str | None:
    return body.get("message_id")


def send(answer: httpx.Response | Exception, token: str = TOKEN, attempt: int = 1, **secret: str) -> SendOutcome:
    return send_over(Wire(answer), token, attempt, **secret)


def send_over(wire: Wire, token: str = TOKEN, attempt: int = 1, **secret: str) -> SendOutcome:
    async def run() -> SendOutcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(wire)) as http:
            credentials = {"token": token, **secret}
            return await meta.send(http, URL, credentials, {"text": "hello"}, message_id, attempt=attempt)

    return asyncio.run(run())


def error(status: int = 400, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": "no", "fbtrace_id": "Ax", **fields}}, headers=headers)


def test_the_token_is_in_the_header_and_the_proof_in_the_body() -> None:
    wire = Wire(httpx.Response(200, json={"message_id": "m_1"}))
    assert send_over(wire, app_secret="s") == SendOutcome("sent", "sent", platform_message_id="m_1", http_status=200)
    [request] = wire.requests
    assert str(request.url) == "http://graph.invalid/v23.0/123/messages"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    proof = hmac.new(b"s", TOKEN.encode(), hashlib.sha256).hexdigest()
    assert json.loads(request.content) == {"text": "hello", "appsecret_proof": proof}


def test_without_a_secret_nothing_is_proved() -> None:
    wire = Wire(httpx.Response(200, json={"message_id": "m_1"}))
    send_over(wire)
    assert json.loads(wire.requests[0].content) == {"text": "hello"}


def test_an_id_cannot_change_the_address() -> None:
    assert meta.node_url("http://graph.invalid", "v23.0", "1/../2?x#y", "messages").endswith(
        "/v23.0/1%2F..%2F2%3Fx%23y/messages"
    )


@pytest.mark.parametrize("token", ["", "a b", "line\nbreak", "snow\u2603"])
def test_a_token_that_is_none_is_not_sent(token: str) -> None:
    wire = Wire(httpx.Response(200, json={"message_id": "m_1"}))
    assert send_over(wire, token) == SendOutcome("reauth", "bad_token")
    assert wire.requests == []


@pytest.mark.parametrize(
    ("answer", "status", "word"),
    [
        (error(code=190, error_subcode=460), "reauth", "bad_token"),
        (error(401, code=190), "reauth", "bad_token"),
        (error(code=102, error_subcode=463), "reauth", "bad_token"),
        (error(401, code=0), "reauth", "bad_token"),
        (error(code=100, message="Invalid appsecret_proof provided in the API argument"), "reauth", "bad_proof"),
        (error(code=10, error_subcode=2018278), "failed", "window_closed"),
        (error(code=10, error_subcode=2534022), "failed", "window_closed"),
        (error(code=10, message="(#10) This message is sent outside of allowed window."), "failed", "window_closed"),
        (error(code=131047), "failed", "window_closed"),
        (error(code=10, error_subcode=2018108), "failed", "unreachable"),
        (error(code=551), "failed", "unreachable"),
        (error(code=200, error_subcode=1545041), "failed", "unreachable"),
        (error(code=131026), "failed", "unreachable"),
        (error(code=10), "failed", "no_rights"),
        (error(403, code=200), "failed", "no_rights"),
        (error(code=299), "failed", "no_rights"),
        (error(code=10, error_subcode=2018300), "failed", "other_app_in_control"),
        (error(code=100, error_subcode=2018001), "failed", "chat_not_found"),
        (error(code=100), "failed", "bad_request"),
        (error(code="100"), "failed", "bad_request"),
        (error(code=100, message="(#100) Length of param message[text] must be less than or equal to 2000"),
         "failed", "message_too_long"),
        (error(code=368), "failed", "policy"),
        (error(code=132001), "failed", "bad_template"),
        (error(code=4), "retry", "rate_limited"),
        (error(code=613), "retry", "rate_limited"),
        (error(429, code=130429), "retry", "rate_limited"),
        (error(code=80006), "retry", "rate_limited"),
        (error(429), "retry", "rate_limited"),
        (httpx.Response(429, text="slow down"), "retry", "rate_limited"),
        (error(500, code=2), "retry", "platform_error"),
        (error(500, code=1), "retry", "platform_error"),
        (error(code=1200), "retry", "platform_error"),
        (error(503, code=987654), "retry", "platform_error"),
        (error(502, code=987654), "retry", "platform_error"),
        (error(500, code=551), "failed", "unreachable"),
        (error(500), "retry", "platform_error"),
        (error(code=987654, is_transient=True), "retry", "platform_error"),
        (error(code=100, is_transient=True), "retry", "platform_error"),
        (error(code=190, is_transient=True), "reauth", "bad_token"),
        (error(code=987654), "failed", "bad_request"),
        (error(200, code=987654), "failed", "bad_request"),
        (httpx.Response(400, text="<html>"), "failed", "bad_request"),
        (httpx.Response(401, text="<html>"), "reauth", "bad_token"),
        (httpx.Response(403, text="<html>"), "failed", "forbidden"),
        (httpx.Response(413, text="<html>"), "failed", "message_too_long"),
        (httpx.Response(302), "retry", "redirected"),
        (httpx.Response(500, text="<html>"), "retry", "platform_error"),
        (httpx.Response(502, text="<html>"), "unknown_outcome", "gateway_error"),
        (httpx.Response(504), "unknown_outcome", "gateway_error"),
        (httpx.Response(200, json={}), "unknown_outcome", "unreadable_answer"),
        (httpx.Response(200, text="<html>"), "unknown_outcome", "unreadable_answer"),
        (httpx.ConnectError("no"), "retry", "no_connection"),
        (httpx.ReadTimeout("late"), "unknown_outcome", "connection_lost"),
    ],
)  # fmt: skip
def test_an_answer_means(answer: httpx.Response | Exception, status: str, word: str) -> None:
    found = send(answer)
    assert (found.status, found.meaning) == (status, word)


@pytest.mark.parametrize(("attempt", "wait_s"), [(1, 1.0), (2, 4.0), (4, 64.0), (99, 65_536.0)])
def test_a_pair_that_talks_too_much_waits_four_times_as_long_each_time(attempt: int, wait_s: float) -> None:
    found = send(error(code=131056), attempt=attempt)
    assert (found.status, found.meaning, found.retry_after_s) == ("retry", "pair_rate_limited", wait_s)


def test_a_wait_that_is_asked_for_counts() -> None:
    assert send(error(429, {"retry-after": "7"}, code=4)).retry_after_s == 7.0
    assert send(error(400, {"retry-after": "7"}, code=131056), attempt=3).retry_after_s == 7.0
    assert send(error(429, {"retry-after": "soon"}, code=4)).retry_after_s is None
    assert send(error(400, {"retry-after": "7"}, code=100)).retry_after_s is None


def test_an_error_of_a_late_failure_means_the_same_without_an_answer() -> None:
    found = meaning(131026)
    assert found is not None
    assert (found.status, found.word) == ("failed", "unreachable")
    assert meaning(987654) is None


@pytest.mark.parametrize("answer", [error(401, code=190, message=TOKEN), httpx.ReadTimeout("late")])
def test_the_token_is_in_no_log_and_no_outcome(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        found = send(answer, app_secret="planted-secret")
    assert TOKEN not in caplog.text + repr(found)
    assert "planted-secret" not in caplog.text + repr(found)
