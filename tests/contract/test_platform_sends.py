"""What every platform's adapter promises of a send: its limits, and the meaning of each outcome."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar, get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels.base import Platform
from shared.model import SendOutcome, SendStatus
from shared.resilience.limiter import Limiter
from tests.contract.samples import BUILT, OUTGOING, SAMPLES, TEXT, TOKEN, anything

F = TypeVar("F", bound=Callable[..., Any])


def over_http(test: F) -> F:
    """For platforms that are sent to. Of those whose customers read our own tables nothing is asked here."""
    test.over_http = True  # type: ignore[attr-defined]
    return test


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sent_to = getattr(metafunc.function, "over_http", False)
    metafunc.parametrize("name", [name for name in sorted(BUILT) if not (sent_to and BUILT[name].local_delivery)])


@over_http
def test_limits_are_real_rates_of_the_channel_and_of_the_chat(name: str) -> None:
    platform, limiter = BUILT[name], Limiter(None)
    ours, same, neighbour = (platform.rates(*place) for place in (("1", "5"), ("1", "5"), ("2", "5")))

    assert ours == same
    assert limiter.take(ours) == 0.0  # no ValueError: every one is a rate
    assert not {rate.key for rate in ours} & {rate.key for rate in neighbour}
    assert {rate.key for rate in ours} & {rate.key for rate in platform.rates("1", "6")}


def _send(name: str, answer: Callable[[httpx.Request], httpx.Response]) -> SendOutcome:
    async def run() -> SendOutcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await BUILT[name].send(http, OUTGOING)

    return asyncio.run(run())


def _raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@over_http
def test_a_message_that_was_taken_has_the_platforms_id(name: str) -> None:
    outcome = _send(name, lambda _: SAMPLES[name].accepted())
    assert (outcome.status, outcome.platform_message_id) == ("sent", SAMPLES[name].accepted_id)


NOT_LEFT = [httpx.ConnectError("planted"), httpx.ConnectTimeout("planted"), httpx.PoolTimeout("planted")]
LEFT = [httpx.ReadTimeout("planted"), httpx.ReadError("planted"), httpx.RemoteProtocolError("planted")]


@over_http
@pytest.mark.parametrize("error", NOT_LEFT, ids=repr)
def test_a_request_that_never_left_is_sent_again(name: str, error: Exception) -> None:
    assert _send(name, _raising(error)).status == "retry"


@over_http
@pytest.mark.parametrize("error", LEFT, ids=repr)
def test_a_request_that_left_and_has_no_answer_has_an_unknown_outcome(name: str, error: Exception) -> None:
    assert _send(name, _raising(error)).status == "unknown_outcome"


@over_http
@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b"{}", b'{"ok":true}', b"\xff", b'"' + b"x" * 99_999])
def test_a_200_that_cannot_be_read_has_an_unknown_outcome(name: str, body: bytes) -> None:
    expected = "sent" if SAMPLES[name].any_2xx else "unknown_outcome"
    assert _send(name, lambda _: httpx.Response(200, content=body)).status == expected


@over_http
@given(status=st.integers(200, 599), body=st.one_of(anything.map(lambda v: json.dumps(v).encode()), st.binary()))
@settings(max_examples=150, deadline=None)
def test_whatever_is_answered_has_a_meaning_that_tells_nothing(name: str, status: int, body: bytes) -> None:
    outcome = _send(name, lambda _: httpx.Response(status, content=body))

    assert outcome.status in get_args(SendStatus)
    assert outcome.meaning
    assert outcome.retry_after_s is None or outcome.retry_after_s >= 0
    assert status != 429 or outcome.status != "sent"
    shown = json.dumps(asdict(outcome))
    assert TEXT not in shown
    assert TOKEN not in shown


@over_http
def test_a_send_that_is_cancelled_ends(name: str) -> None:
    """The caller's deadline: it takes the outcome for unknown then."""

    async def run() -> None:
        async def hanging(_: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        async with httpx.AsyncClient(transport=httpx.MockTransport(hanging)) as http:
            sending = asyncio.create_task(BUILT[name].send(http, OUTGOING))
            await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(sending, 10)

    asyncio.run(run())


FAILING = [
    _raising(httpx.ConnectError("planted")),
    _raising(httpx.ReadTimeout("planted")),
    lambda _: httpx.Response(500),
    lambda _: httpx.Response(200, content=b"<"),
]


@pytest.mark.parametrize("answer", FAILING)
def test_showing_that_we_type_never_fails(name: str, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    async def run(platform: Platform) -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await platform.typing(http, OUTGOING.place)

    asyncio.run(run(BUILT[name]))


@pytest.mark.parametrize("text", ["a short one", "word " * 5000])
def test_what_needs_no_sending_is_delivered_as_it_is_written(name: str, text: str) -> None:
    """local_delivery: one part, no rate to wait for, no request."""
    if not BUILT[name].local_delivery:
        assert BUILT[name].rates("1", "5")
        return
    assert BUILT[name].split(text) == [text.strip()]
    assert BUILT[name].rates("1", "5") == ()
    assert _send(name, _raising(AssertionError("nothing is sent"))).status == "sent"
