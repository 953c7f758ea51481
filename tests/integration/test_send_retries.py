"""A send is tried a second time within its attempt only if the platform has certainly not taken the first request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared.embedded import Database
from shared.model import SendOutcome
from shared.resilience import retries
from tasks.delivery import sending
from tasks.delivery.deliver import Result
from tests.factories import Bot
from tests.integration.delivered_parts import refused
from tests.integration.station import DROPS, LEAVES_OPEN, NOT_REACHED, Station

DOWN = refused(503, "Service Unavailable")
WAIT_A_SECOND = refused(429, "Too Many Requests: retry after 1", retry_after=1)


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, SEND_DEADLINE_S=4.0, RECORD_DEADLINE_S=30.0)
    yield station
    station.close()


@pytest.mark.parametrize("first", [NOT_REACHED, WAIT_A_SECOND], ids=["no connection", "429"])
def test_what_the_platform_has_not_taken_is_sent_within_the_same_attempt(
    station: Station, bot: Bot, first: Any
) -> None:
    station.telegram.script.append(first)
    station.queue(bot, "Hello")

    assert station.deliver().result is Result.SENT

    assert (station.telegram.texts, station.telegram.asked) == (["Hello"], 2)
    assert station.rows("SELECT state, attempts FROM outbound") == [("sent", 1)]
    assert station.rows("SELECT attempt, status FROM delivery_attempts") == [(1, "sent")]


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (DROPS, "unknown_outcome:connection_lost"),
        (LEAVES_OPEN, "unknown_outcome:timeout"),
        ((502, {}), "unknown_outcome:gateway_error"),
        (DOWN, "retry:platform_error"),
        (refused(429, "Too Many Requests"), "retry:rate_limited"),
        (refused(429, "Too Many Requests: retry after 17", retry_after=17), "retry:rate_limited"),
        (refused(403, "Forbidden: bot was blocked by the user"), "failed:blocked"),
    ],
    ids=["cut off", "no answer", "a proxy's 502", "503", "429 without a time", "429 with a long time", "refused"],
)
def test_whatever_else_comes_of_it_is_left_to_the_row(station: Station, bot: Bot, first: Any, code: str) -> None:
    station.telegram.script.append(first)
    station.queue(bot, "Hello")

    assert (station.deliver().code, station.telegram.asked) == (code, 1)


def test_the_second_request_is_the_last_of_the_attempt(station: Station, bot: Bot) -> None:
    station.telegram.script.extend([NOT_REACHED] * 5)
    station.queue(bot, "Hello")

    assert (station.deliver().code, station.telegram.asked) == ("retry:no_connection", 2)
    assert station.rows("SELECT state, attempts FROM outbound") == [("queued", 1)]


def test_an_unknown_outcome_of_the_second_request_is_what_the_attempt_ends_with(station: Station, bot: Bot) -> None:
    station.telegram.script.extend([NOT_REACHED, DROPS])
    station.queue(bot, "Hello")

    station.deliver_all()

    assert (station.telegram.texts, station.telegram.asked) == (["Hello"], 2)
    assert station.rows("SELECT state FROM outbound") == [("unknown_outcome",)]


def test_a_second_request_after_429_is_taken_from_the_platform_s_rates(station: Station, bot: Bot) -> None:
    station.telegram.script.append(refused(429, "Too Many Requests", retry_after=0))
    station.queue(bot, "Hello")

    assert station.deliver().code == "retry:rate_limited"  # one a second to a chat, and the second is not over
    assert station.telegram.asked == 1


def test_a_breaker_that_opened_meanwhile_lets_no_second_request_through(station: Station, bot: Bot) -> None:
    station.telegram.script.extend([DOWN] * 4 + [NOT_REACHED] * 2)
    for chat in range(5):
        station.queue(bot, "Hello", chat=100 + chat)
    codes = [station.deliver().code for _ in range(5)]

    assert codes == ["retry:platform_error"] * 4 + ["retry:no_connection"]
    assert station.telegram.asked == 5


def test_a_process_that_stops_makes_no_second_request(station: Station, bot: Bot) -> None:
    station.telegram.script.append(NOT_REACHED)
    station.queue(bot, "Hello")
    station.r.stopping.set()

    assert (station.deliver().code, station.telegram.asked) == ("retry:no_connection", 1)


class _Suspended(threading.Event):
    """Its process was stopped for longer than there was time while it waited."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(3.1)


def test_what_was_held_up_while_it_waited_is_not_sent_late(station: Station, bot: Bot) -> None:
    station.telegram.script.append(NOT_REACHED)
    station.queue(bot, "Hello")
    station.r.stopping = _Suspended()

    assert (station.deliver().code, station.telegram.asked) == ("retry:no_connection", 1)


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        (SendOutcome("retry", "no_connection"), True),
        (SendOutcome("retry", "rate_limited", retry_after_s=1.0, http_status=429), True),
        (SendOutcome("retry", "rate_limited", http_status=429), False),
        (SendOutcome("retry", "connection_lost"), False),  # of a program, which takes a repetition by the row
        (SendOutcome("retry", "timeout"), False),
        (SendOutcome("retry", "platform_error", retry_after_s=1.0, http_status=503), False),
        (SendOutcome("retry", "chat_migrated", retry_after_s=0.0, http_status=400), False),
        (SendOutcome("unknown_outcome", "no_connection"), False),
        (SendOutcome("sent", "sent", http_status=200), False),
    ],
)
def test_what_is_certainly_not_taken(outcome: SendOutcome, again: bool) -> None:
    assert sending.is_not_taken(outcome) is again


def test_two_requests_and_the_wait_between_fit_into_the_deadline_of_a_send(station: Station) -> None:
    assert retries.SEND.patience_s + retries.SEND.worthwhile_s < station.r.settings.delivery.send_deadline_s
