"""The watch over channels: what platforms and our own answers say, and that a person is told once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.http.answer_counts import AnswerCounts
from shared.model import ChannelHealth
from shared.store.tenants.channel_health import Answers
from tasks.tenants import watch
from tests.factories import Bot, update
from tests.integration.station import Station


def _webhook_info(station: Station, status: int = 200, **info: Any) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/getWebhookInfo")
        known = {"url": "https://shop.example/webhooks/telegram/bot", "pending_update_count": 0, **info}
        return httpx.Response(status, json={"ok": status == 200, "result": known})

    station.r.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))


def _found(station: Station) -> list[tuple[str, str | None, int | None]]:
    return station.rows("SELECT state, problem, pending FROM channel_health")


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({}, ("ok", None, 0)),
        ({"url": ""}, ("failing", "not_registered", 0)),
        ({"last_error_date": 4_000_000_000, "pending_update_count": 3}, ("failing", "delivery_errors", 3)),
        ({"last_error_date": 1_700_000_000}, ("ok", None, 0)),
        ({"pending_update_count": 500}, ("failing", "backlog", 500)),
        ({"status": 401}, ("failing", "bad_token", None)),
        ({"status": 502}, ("unknown", None, None)),
    ],
)
def test_the_platform_s_own_word_of_a_webhook(
    station: Station, bot: Bot, info: dict[str, Any], found: tuple[str, str | None, int | None]
) -> None:
    _webhook_info(station, **info)

    assert watch.watch_channels(station.r) == (1, int(found[0] == "failing"))

    assert _found(station) == [found]
    shut = found[1] == "bad_token"
    assert station.rows("SELECT state FROM channels") == [("needs_reauth" if shut else "active",)]


def test_a_person_is_told_once_when_a_channel_begins_to_fail(station: Station, bot: Bot) -> None:
    _webhook_info(station, url="")
    with capture_logs() as logged:
        for _ in range(3):
            watch.watch_channels(station.r)
        _webhook_info(station)
        watch.watch_channels(station.r)

    told = [line["event"] for line in logged if line["event"].startswith("channel_")]
    assert told == ["channel_failing", "channel_recovered"]


@pytest.mark.parametrize(
    ("answered", "state", "problem"),
    [
        (Answers(0, 0, 0), "unknown", None),
        (Answers(5, 0, 0), "ok", None),
        (Answers(100, 900, 3), "ok", None),  # strangers who guess
        (Answers(10, 0, 30), "failing", "webhooks_failing"),
        (Answers(0, 25, 0), "failing", "webhooks_refused"),
        (Answers(1, 0, 3), "ok", None),  # too few to say
    ],
)
def test_how_we_answered_counts_where_the_platform_does_not_say(
    answered: Answers, state: str, problem: str | None
) -> None:
    found = watch.judge(ChannelHealth("unknown"), answered)

    assert (found.state, found.problem) == (state, problem)


def test_a_gateway_tells_its_answers_and_keeps_what_the_database_does_not_take(station: Station, bot: Bot) -> None:
    tally = AnswerCounts(station.r.db)
    now_ms = int(time.time() * 1000)
    for status in (200, 200, 401, 503):
        tally.count(bot.app_id, status, now_ms)
    station.r.db.close()
    asyncio.run(tally.tell())
    again = AnswerCounts(station.inbox.db)
    again._counts = tally._counts

    asyncio.run(again.tell())
    asyncio.run(again.tell())

    assert station.rows("SELECT app_id, accepted, refused, failed FROM app_answers") == [(bot.app_id, 2, 1, 1)]


def test_when_something_last_came_is_written_once_a_minute(station: Station, bot: Bot) -> None:
    station.inbox.journal(bot, update("hello"))
    station.inbox.drain_all()
    [(first,)] = station.rows("SELECT received_at FROM channel_health")

    station.inbox.journal(bot, update("again"))
    station.inbox.drain_all()
    assert station.rows("SELECT received_at FROM channel_health") == [(first,)]

    station.execute("UPDATE channel_health SET received_at = received_at - interval '2 minutes'")
    station.inbox.journal(bot, update("later"))
    station.inbox.drain_all()
    [(later,)] = station.rows("SELECT received_at FROM channel_health")
    assert later > first


def test_what_was_kept_for_messages_that_never_came_is_forgotten(station: Station, bot: Bot) -> None:
    station.queue(bot, "hello")
    station.execute(
        "INSERT INTO early_changes (company_id, conversation_id, external_id, created_at)"
        " SELECT company_id, id, age::text, now() - make_interval(days => age)"
        " FROM conversations, unnest('{1,9}'::int[]) age"
    )

    assert watch.forget_early(station.r) == 1
    assert station.rows("SELECT external_id FROM early_changes") == [("1",)]
