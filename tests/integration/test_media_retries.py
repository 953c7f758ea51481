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
from tests.integration.media_files import FOUND, Files, Said, fetch, picture, rows
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


def _fail_to_locate(station: Station, files: Files, bot: Bot, said: Said | None) -> None:
    """So often that the account's breaker opens."""
    files.get_file = said
    while not any(state == "open" for state in station.r.outside.media.states().values()):
        assert files.located < 10
        station.receive(bot, None)
        assert fetch(station) is Result.RETRY
        station.execute("UPDATE media SET due_at = now() + interval '1 hour'")
    files.get_file = FOUND


@pytest.mark.parametrize("said", [(503, {"ok": False}), None], ids=["503", "silence"])
def test_an_account_that_does_not_say_where_files_are_is_left_alone_and_no_attempt_is_used(
    database: Database, redis_url: str, bot: Bot, said: Said | None
) -> None:
    station = Station(database, redis_url, MEDIA_DEADLINE_S=5.0, SEND_DEADLINE_S=0.3)
    try:
        files = Files(station)
        _fail_to_locate(station, files, bot, said)
        asked = files.located
        station.execute("DELETE FROM media")
        station.receive(bot, None)

        assert fetch(station) is Result.RETRY

        assert (files.located, files.asked) == (asked, [])
        assert rows(station)[0][:3] == ("waiting", "breaker_open", 0)
        [(due_s,)] = station.rows("SELECT extract(epoch FROM due_at - now())::float8 FROM media")
        assert 50 < due_s <= 60
        station.let_breakers_try()
        station.execute("UPDATE media SET due_at = now()")
        assert fetch(station) is Result.STORED
    finally:
        station.close()


def test_a_platform_that_fails_once_is_asked_where_a_file_is_within_the_same_attempt(
    station: Station, files: Files, bot: Bot
) -> None:
    files.get_file = (502, {})
    files.after_next(FOUND)
    station.receive(bot, None)

    assert fetch(station) is Result.STORED
    assert (files.located, rows(station)[0][:3]) == (2, ("stored", None, 1))


@pytest.mark.parametrize("refusal", [(429, {"ok": False}), (401, {"ok": False}), (400, {"ok": False})], ids=str)
def test_what_a_platform_says_of_a_file_opens_no_breaker(
    station: Station, files: Files, bot: Bot, refusal: Said
) -> None:
    files.get_file = refusal
    for _ in range(6):
        station.receive(bot, None)
        fetch(station)

    assert files.located == 6
    assert set(station.r.outside.media.states().values()) == {"closed"}
