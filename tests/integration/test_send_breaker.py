"""An account whose sends fail again and again is left alone until a trial call succeeds; attempts are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from shared.embedded import Database
from shared.model import SendOutcome
from shared.resilience import metrics as breaker_metrics
from shared.resilience.outside import Outside
from shared.store.db.redis import connect_async
from tasks.delivery import metrics, sending
from tasks.delivery.deliver import Result
from tests.counted import counted
from tests.factories import Bot, make_bot
from tests.integration.station import DROPS, LEAVES_OPEN, Station

DOWN = (503, {"ok": False, "error_code": 503, "description": "Service Unavailable", "parameters": {}})
BLOCKED = (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"})


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, SEND_DEADLINE_S=0.3, RECORD_DEADLINE_S=30.0)
    yield station
    station.close()


def _fail(station: Station, bot: Bot, times: int = 5) -> None:
    station.telegram.script.extend([DOWN] * times)
    for chat in range(times):
        station.queue(bot, "Hello", chat=100 + chat)
        assert station.deliver().result is Result.POSTPONED
        station.execute("UPDATE outbound SET due_at = now() + interval '1 hour' WHERE state = 'queued'")
    assert station.telegram.asked == times


def test_after_five_failures_parts_are_postponed_to_the_next_trial_and_no_attempt_is_used(
    station: Station, bot: Bot
) -> None:
    with counted() as book:
        _fail(station, bot)
        station.queue(bot, "Waits", chat=7)

        delivered = station.deliver()

        assert (delivered.result, delivered.code, delivered.again_in_s) == (Result.POSTPONED, "breaker_open", None)
        assert book.of(metrics.POSTPONED, "telegram", "breaker_open") == 1
        assert book.of(breaker_metrics.BREAKERS_OPEN, "send") == 1  # by kind: a company's channel is no label
    assert station.telegram.asked == 5
    assert station.rows(
        """
        SELECT attempts, meaning, due_at BETWEEN now() + interval '50 seconds' AND now() + interval '63 seconds'
        FROM outbound
        WHERE text = 'Waits'
        """
    ) == [(0, "breaker_open", True)]


def test_another_account_of_the_same_platform_is_not_held_back(station: Station, bot: Bot) -> None:
    _fail(station, bot)
    other = make_bot(station.inbox.server.admin_url)
    station.queue(other, "Goes", chat=7)

    assert station.deliver().result is Result.SENT
    assert station.telegram.texts == ["Goes"]


def test_one_part_makes_the_trial_call_and_its_success_lets_the_others_go(station: Station, bot: Bot) -> None:
    _fail(station, bot)
    station.time_passes()

    first, second = station.deliver(), station.deliver()

    assert (first.result, second.code) == (Result.SENT, "sent")
    station.deliver_all()
    assert len(station.telegram.texts) == 5


def test_while_another_process_makes_the_trial_call_the_attempt_is_taken_back(station: Station, bot: Bot) -> None:
    _fail(station, bot)
    station.time_passes()
    station.execute("DELETE FROM delivery_attempts")
    station.execute("UPDATE outbound SET attempts = 0")
    other = Outside(
        connect_async(station.inbox.settings.need("CACHE_URL")), station.r.clock, send_deadline_s=10.0,
        fetch_deadline_s=10.0,
    )  # fmt: skip

    async def hold() -> tuple[str, int]:
        async with other.sends.of("telegram", str(bot.channel_id)).guarding():
            delivered = await asyncio.to_thread(station.deliver)
            return delivered.code, station.telegram.asked

    async def talk() -> tuple[str, int]:
        try:
            return await hold()
        finally:
            await other.aclose()

    assert asyncio.run(talk()) == ("breaker_open", 5)
    assert station.rows("SELECT count(*) FROM delivery_attempts") == [(0,)]
    assert station.rows("SELECT attempts, count(*) FROM outbound GROUP BY 1") == [(0, 5)]
    assert station.rows("SELECT state FROM outbound WHERE meaning = 'breaker_open'") == [("queued",)]
    station.time_passes()
    station.deliver_all()
    assert len(station.telegram.texts) == 5


@pytest.mark.parametrize("says_nothing", [LEAVES_OPEN, DROPS])
def test_a_platform_that_says_nothing_counts_as_one_that_fails(station: Station, bot: Bot, says_nothing: str) -> None:
    station.telegram.script.extend([says_nothing] * 5)
    for chat in range(5):
        station.queue(bot, "Hello", chat=100 + chat)
        station.deliver()
    station.queue(bot, "Waits", chat=7)

    assert station.deliver().code == "breaker_open"


def test_refusals_of_recipients_close_no_door(station: Station, bot: Bot) -> None:
    _fail(station, bot, 4)
    station.telegram.script.extend([BLOCKED] * 10)
    for chat in range(10):
        station.queue(bot, "Hello", chat=200 + chat)
        station.deliver()

    assert station.telegram.asked > 5
    assert set(station.r.outside.sends.states().values()) == {"closed"}


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (SendOutcome("retry", "no_connection"), True),
        (SendOutcome("unknown_outcome", "connection_lost"), True),
        (SendOutcome("unknown_outcome", "gateway_error", http_status=502), True),
        (SendOutcome("retry", "platform_error", http_status=500), True),
        (SendOutcome("unknown_outcome", "platform_error", http_status=200), True),
        (SendOutcome("retry", "receiver_error", http_status=500), True),
        (SendOutcome("retry", "rate_limited", retry_after_s=3, http_status=429), False),
        (SendOutcome("retry", "receiver_refused", http_status=404), False),
        (SendOutcome("failed", "blocked", http_status=403), False),
        (SendOutcome("failed", "address_refused"), False),
        (SendOutcome("reauth", "bad_token", http_status=401), False),
        (SendOutcome("unknown_outcome", "unreadable_answer", http_status=200), False),
    ],
)
def test_what_is_the_platform_s_fault(outcome: SendOutcome, fault: bool) -> None:
    assert sending.is_fault(outcome) is fault
