"""How often an attachment that cannot be fetched yet is tried, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import httpx
import pytest

from shared.clock import FixedClock
from shared.embedded import Database
from tasks.inbox import media as flow
from tasks.inbox.media import Result
from tests.factories import Bot
from tests.integration.media_files import Files, fetch, picture, rows
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, MEDIA_MAX_BYTES=1000, MEDIA_DEADLINE_S=2.0)
    yield station
    station.close()


@pytest.fixture
def files(station: Station) -> Files:
    return Files(station)


def test_an_id_that_is_too_big_for_bots_fails_and_a_busy_platform_is_asked_again(
    station: Station, files: Files, bot: Bot
) -> None:
    good, files.get_file = files.get_file, (429, {"ok": False, "parameters": {"retry_after": 7}})
    station.receive(bot, None)
    assert fetch(station) is Result.RETRY
    assert fetch(station) is Result.NOTHING_DUE  # not before its time
    [(due_s,)] = station.rows("SELECT extract(epoch FROM due_at - now())::float8 FROM media")
    assert 5 < due_s <= 7

    station.execute("UPDATE media SET due_at = now()")
    files.get_file = good
    assert fetch(station) is Result.STORED

    files.get_file = (400, {"ok": False, "description": "Bad Request: file is too big"})
    station.receive(bot, None)
    assert fetch(station) is Result.ENDED
    assert ("failed", "gone") in [row[:2] for row in rows(station)]


def tried_until_it_ends(station: Station, *, until_s: float = float("inf")) -> float:
    """Fetch whenever it is due, on a clock that jumps there. Returns how many seconds after the message the last
    attempt was."""
    clock = FixedClock(datetime.now(UTC))
    station.r.clock = clock
    passed_s = 0.0
    for _ in range(flow.ATTEMPTS_MAX + 1):
        if passed_s >= until_s or fetch(station) is not Result.RETRY:
            return passed_s
        [(wait_s,)] = station.rows("SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM media")
        passed_s += max(0.0, wait_s)
        clock.advance(max(0.0, wait_s))
        station.execute("UPDATE media SET due_at = now()")
        station.let_breakers_try()
    raise AssertionError("it is tried without end")


@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_fails_is_tried_for_a_day_and_a_bounded_number_of_times(
    station: Station, files: Files, bot: Bot, seed: int
) -> None:
    station.r.rng = Random(seed)
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)

    ended_s = tried_until_it_ends(station)

    assert flow.TRIED_FOR_S <= ended_s <= flow.TRIED_FOR_S + flow.RETRY_CAP_S
    [(state, reason, attempts, *_)] = rows(station)
    assert (state, reason) == ("failed", "unreachable")
    assert attempts < flow.ATTEMPTS_MAX


def test_an_outage_of_the_platform_of_an_hour_loses_no_picture(station: Station, files: Files, bot: Bot) -> None:
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)
    assert tried_until_it_ends(station, until_s=3600) < 3600 + flow.RETRY_CAP_S

    files.answer = picture
    assert fetch(station) is Result.STORED


def test_a_platform_that_asks_for_short_pauses_is_not_asked_more_often_than_others(
    station: Station, files: Files, bot: Bot
) -> None:
    files.get_file = (429, {"ok": False, "parameters": {"retry_after": 1}})
    station.receive(bot, None)

    tried_until_it_ends(station)

    assert rows(station)[0][2] < flow.ATTEMPTS_MAX


def test_what_our_own_workers_came_to_late_is_tried_several_times_all_the_same(
    station: Station, files: Files, bot: Bot
) -> None:
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)
    station.execute("UPDATE media SET created_at = now() - interval '3 days'")

    tried_until_it_ends(station)

    assert rows(station)[0][:3] == ("failed", "unreachable", flow.ATTEMPTS_MIN)
