"""Attachments are fetched once, within bounds, and kept under their hash."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.embedded import Database
from shared.errors import DatabaseUnavailable
from shared.model import Location
from shared.store.db.objects import MediaStoreUnavailable
from shared.store.inbox import media
from tasks.inbox import media as flow
from tasks.inbox.media import Result
from tests.factories import Bot, make_bot, update
from tests.integration.media_files import PICTURE, SHA, Files, fetch, rows
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, MEDIA_MAX_BYTES=1000, MEDIA_DEADLINE_S=2.0)
    yield station
    station.close()


@pytest.fixture
def files(station: Station) -> Files:
    return Files(station)


def test_a_photo_is_fetched_and_kept_under_its_hash(station: Station, files: Files, bot: Bot) -> None:
    station.receive(bot, None)

    assert fetch(station) is Result.STORED

    assert files.asked == [f"/file/bot{bot.token}/photos/file_1.png"]
    assert rows(station) == [("stored", None, 1, SHA, len(PICTURE), "image/png")]
    assert station.r.objects.get(bot.company_id, SHA) == PICTURE
    assert fetch(station) is Result.NOTHING_DUE


def test_beyond_a_customer_s_day_pictures_wait_for_the_next_one_and_none_is_lost(
    station: Station, files: Files, bot: Bot
) -> None:
    station.execute("UPDATE daily_limits SET per_contact = 1 WHERE kind = 'media_fetches'")
    for chat in (1, 1, 2):
        station.receive(bot, None, chat=chat)

    assert [fetch(station) for _ in range(4)] == [Result.STORED, Result.RETRY, Result.STORED, Result.NOTHING_DUE]

    assert [row[:3] for row in rows(station)] == [
        ("stored", None, 1), ("stored", None, 1), ("waiting", "daily_limit", 0),
    ]  # fmt: skip
    assert len(files.asked) == 2
    station.execute("UPDATE media SET due_at = now() WHERE state = 'waiting'")
    station.execute("UPDATE daily_uses SET day = day - 1")
    assert fetch(station) is Result.STORED


def test_words_and_places_are_nothing_to_fetch(station: Station, files: Files, bot: Bot) -> None:
    station.receive(bot, "hello")
    station.inbox.journal(bot, update(None, chat=5, location={"latitude": 1.5, "longitude": 2.5}))
    station.inbox.drain_all()
    assert fetch(station) is Result.NOTHING_DUE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(200, content=b"x" * 1001, headers={"content-type": "image/png"}), "too_large"),
        (httpx.Response(200, content=b"x", headers={"content-type": "text/html"}), "type"),
        (httpx.Response(200, content=b"x", headers={"content-type": "application/x-msdownload"}), "type"),
        (httpx.Response(200, content=b"", headers={"content-type": "image/png"}), "empty"),
    ],
)
def test_what_nobody_wants_is_refused_once(
    station: Station, files: Files, bot: Bot, answer: httpx.Response, reason: str
) -> None:
    files.answer = lambda _: answer
    station.receive(bot, None)

    assert fetch(station) is Result.ENDED
    assert [row[:2] for row in rows(station)] == [("refused", reason)]
    assert fetch(station) is Result.NOTHING_DUE


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_the_platform_has_no_more_is_not_asked_for_again(
    station: Station, files: Files, bot: Bot, status: int
) -> None:
    files.answer = lambda _: httpx.Response(status)
    station.receive(bot, None)
    assert fetch(station) is Result.ENDED
    assert rows(station)[0][0] == "failed"


def test_the_same_bytes_of_two_customers_are_one_object_of_their_company(
    station: Station, files: Files, bot: Bot
) -> None:
    other = make_bot(station.inbox.server.admin_url)
    for one, chat in ((bot, 5), (bot, 6), (other, 5)):
        station.receive(one, None, chat=chat)
    assert [fetch(station) for _ in range(3)] == [Result.STORED] * 3

    ids = {
        company: [row[0] for row in station.rows("SELECT message_id FROM media WHERE company_id = %s", company)]
        for company in (bot.company_id, other.company_id)
    }
    with station.r.db.transaction(bot.company_id) as conn:
        assert media.forget(conn, bot.company_id, ids[bot.company_id][:1]) == []  # another message has them
        assert media.forget(conn, bot.company_id, ids[bot.company_id][1:]) == [SHA]
    station.r.objects.delete(bot.company_id, SHA)
    station.r.objects.delete(bot.company_id, SHA)  # twice is once
    assert station.r.objects.get(bot.company_id, SHA) is None
    assert station.r.objects.get(other.company_id, SHA) == PICTURE


def test_an_address_that_a_customer_gave_does_not_lead_into_our_network(
    station: Station, files: Files, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Platforms hand on links; of Telegram's own only the id counts, so the link stands in for another platform."""

    async def locate(*_: Any) -> Location:
        return Location("https://inner.example/secrets")

    monkeypatch.setattr(station.r.platforms["telegram"], "locate", locate)
    station.r.egress = files.judged()
    station.receive(bot, None)

    assert fetch(station) is Result.ENDED
    assert rows(station)[0][:2] == ("refused", "address_refused")
    assert files.asked == []


@pytest.mark.parametrize(
    ("code", "state", "reason"), [(0, "stored", None), (1, "refused", "infected"), (2, "waiting", "unreachable")]
)
def test_the_scanner_has_the_last_word(
    database: Database, redis_url: str, code: int, state: str, reason: str | None
) -> None:
    script = f"import sys; sys.exit({code} if sys.stdin.buffer.read().startswith(b'\\x89PNG') else 3)"
    station = Station(database, redis_url, MEDIA_SCAN_COMMAND=f'{sys.executable} -c "{script}"')
    try:
        Files(station)
        station.receive(make_bot(database.admin_url), None)
        fetch(station)
        assert rows(station)[0][:2] == (state, reason)
    finally:
        station.close()


def test_a_fetch_that_was_killed_is_done_by_somebody_else_and_the_first_ones_word_counts_no_more(
    station: Station, files: Files, bot: Bot
) -> None:
    station.receive(bot, None)
    with station.r.db.transaction() as conn:
        dead = media.claim(conn, 0, lease_s=0.0)
    assert dead is not None

    assert fetch(station) is Result.STORED
    with station.r.db.transaction(bot.company_id) as conn:
        assert not media.fail(conn, dead, "late")
    assert rows(station)[0][0] == "stored"


def test_one_companys_heap_does_not_keep_anothers_picture_waiting(station: Station, files: Files, bot: Bot) -> None:
    other = make_bot(station.inbox.server.admin_url)
    station.receive(bot, *[None] * 5)
    station.receive(other, None)

    served, cursor = [], 0
    for _ in range(2):
        _, cursor = flow.fetch_next(station.r, cursor)
        served.append(cursor)

    assert served == [bot.company_id, other.company_id]


def test_a_media_store_that_is_away_loses_nothing(
    station: Station, files: Files, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise MediaStoreUnavailable("planted", retry_after_s=3)

    station.receive(bot, None)
    with monkeypatch.context() as patch:
        patch.setattr(station.r.objects, "put", full)
        assert fetch(station) is Result.RETRY
    station.execute("UPDATE media SET due_at = now()")
    assert fetch(station) is Result.STORED


def test_a_database_that_goes_away_meanwhile_leaves_the_row_to_the_next(
    station: Station, files: Files, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise DatabaseUnavailable("planted")

    station.receive(bot, None)
    with monkeypatch.context() as patch:
        patch.setattr(media, "stored", away)
        assert fetch(station) is Result.RETRY
    station.execute("UPDATE media SET due_at = now()")
    assert fetch(station) is Result.STORED
