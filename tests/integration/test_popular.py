"""What is asked often is answered from memory after the jobs ran, and never with what is not there any more."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared.cache.two_level import TwoLevel
from shared.embedded import Database
from shared.knowledge.remembered import Results
from shared.store.knowledge import documents
from tasks.knowledge import popular, refresh
from tasks.knowledge.index import Result
from tasks.operations import jobs
from tasks.operations.jobs import Job, Work
from tests.factories import Bot, make_bot
from tests.integration.station import Station

QUESTION = "When may I visit?"


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=0.3)
    yield station
    station.close()


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot, "Doors are open from nine.")
    while station.index() is not Result.NOTHING_DUE:
        pass
    return bot


def _run(station: Station, *wanted: Job) -> list[int]:
    """As an index worker does, which holds the application role alone. Returns how many rows each did."""
    with station.r.db.connection() as conn:
        work = Work(conn, station.r.settings, station.r.clock, station.r)
        ran = [jobs.run(job, work, slot=None, by="hand") for job in wanted]
    return [one.rows for one in ran if one is not None]


def _forgotten(station: Station, redis_too: bool = False) -> None:
    """Another process: what it has not seen itself it has from Redis."""
    if redis_too:
        for key in station.r.cache.scan_iter("sb:cache:*"):
            station.r.cache.delete(key)
    station.r.vectors = TwoLevel(station.r.cache, station.r.clock, ttl_s=60, entries=10)
    station.r.results = Results(TwoLevel(station.r.cache, station.r.clock, ttl_s=60, entries=10))


def _ask(station: Station, bot: Bot, text: str, chat: int) -> tuple[object, ...]:
    station.receive(bot, text, chat=chat)
    station.answer()
    return station.rows("SELECT step, passages->0->'cosine' IS NOT NULL FROM receipts ORDER BY turn_id DESC LIMIT 1")[0]


def _popular(station: Station) -> list[tuple[object, ...]]:
    return station.rows("SELECT p.company_id, m.text, p.asked FROM popular_questions p JOIN messages m"
                        " ON m.company_id = p.company_id AND m.id = p.message_id ORDER BY 1, 2")  # fmt: skip


def test_what_several_people_asked_is_found_in_its_commonest_form_and_each_company_s_own(
    station: Station, bot: Bot
) -> None:
    other = make_bot(station.inbox.server.admin_url)
    for chat, text in enumerate((QUESTION, QUESTION, "when may I  visit ?", "Something else"), 10):
        station.receive(bot, text, chat=chat)
        station.answer()
    for _ in range(4):  # one person alone
        station.receive(other, "Are you there?", chat=20)
        station.answer()

    assert _run(station, popular.FIND) == [1]
    assert _popular(station) == [(bot.company_id, QUESTION, 3)]
    assert _run(station, popular.FIND) == [1], "noted anew, not once more"


def test_a_popular_question_is_answered_from_memory_and_not_after_its_document_is_gone(
    station: Station, bot: Bot
) -> None:
    for chat in (1, 2, 3):
        _ask(station, bot, QUESTION, chat)
    _forgotten(station, redis_too=True)
    assert _run(station, popular.FIND, popular.WARM) == [1, 1]
    _forgotten(station)
    station.embedder.asked.clear()
    station.execute("DELETE FROM embeddings")  # no search could find it by its meaning, and its words are others

    assert _ask(station, bot, QUESTION, 4) == ("full", True)
    assert station.embedder.asked == []

    with station.r.db.transaction(bot.company_id) as conn:
        [document] = documents.list_documents(conn, bot.company_id)
        documents.delete_document(conn, bot.company_id, document.id)
    assert _ask(station, bot, QUESTION, 5) == ("unknown", False)
    _run(station, popular.WARM)
    assert _ask(station, bot, QUESTION, 6)[0] == "unknown"


def test_a_dry_run_says_how_many_and_no_word(station: Station, bot: Bot) -> None:
    for chat in (1, 2, 3):
        _ask(station, bot, QUESTION, chat)
    _run(station, popular.FIND)

    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        shown = jobs.preview(popular.WARM, Work(conn, station.r.settings, station.r.clock))

    assert (shown.rows, shown.lines) == (1, (f"company {bot.company_id}: would renew 1 questions",))


# ------------------------------------------------------------------ once a week


def test_the_week_s_refresh_finds_what_lost_its_vectors_or_never_had_a_row(station: Station, bot: Bot) -> None:
    station.learn(bot, "Broken things are repaired.")
    while station.index() is not Result.NOTHING_DUE:
        pass
    station.execute("DELETE FROM embeddings WHERE chunk_id = (SELECT min(chunk_id) FROM embeddings)")
    station.execute("DELETE FROM indexing WHERE document_id = (SELECT max(id) FROM documents)")
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        shown = jobs.preview(refresh.REFRESH, Work(conn, station.r.settings, station.r.clock))
    assert shown.rows == 2

    assert _run(station, refresh.REFRESH) == [2]
    while station.index() is not Result.NOTHING_DUE:
        pass

    assert station.rows("SELECT count(*) FROM embeddings") == [(2,)]
    assert _run(station, refresh.REFRESH) == [0]
