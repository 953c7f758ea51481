"""An embedding model is filled beside the active one: in turns, from where it was, and with what comes meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from shared.embedded import Database
from shared.knowledge.search import add
from shared.model import NewChunk
from shared.resilience.breaker import BreakerOpen
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import documents, embedding_models, embeddings
from tasks.knowledge import embedding_models as flow
from tasks.knowledge.index import BATCH, Result
from tests.embedder import FakeEmbedder
from tests.factories import Bot
from tests.integration.embedding_model_steps import OPENING, index_all
from tests.integration.station import Station
from tests.integration.test_knowledge_store import company
from workers.sandbox.waiting import wait_until


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=0.3)
    yield station
    station.close()


def test_what_comes_while_a_model_is_filled_goes_to_the_active_one_first_and_is_in_both_in_the_end(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    for number in range(3):
        station.learn(bot, f"Part {number} of the handbook.")
    index_all(station)
    flow.create(owner, larger)
    station.r.embedding_models.forget()
    assert station.index() is Result.INDEXED
    station.learn(bot, "A new page.")

    station.embedder.asked.clear()
    assert station.index() is Result.INDEXED
    assert station.embedder.asked == [["Opening hours\nA new page."]]
    index_all(station)

    assert station.rows("SELECT model_id, count(*) FROM embeddings GROUP BY 1 ORDER BY 1") == [(1, 4), (2, 4)]


def test_filling_ended_half_way_goes_on_where_it_was(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        documents.add_document(
            conn, bot.company_id, source="long", title="Long", text="-", content_hash=b"1",
            chunks=[NewChunk("Long", f"part {number}", 0) for number in range(BATCH + 3)],
        )  # fmt: skip
    index_all(station)
    flow.create(owner, larger)
    larger.asked.clear()
    station.r.embedding_models.forget()

    assert station.index() is Result.MORE
    station.r.embedding_models.forget()  # as another process, which knows nothing of the first
    index_all(station)

    assert [len(call) for call in larger.asked] == [BATCH, 3]
    assert flow.create(owner, larger).state == "ready", "made once"


def test_an_open_breaker_leaves_what_is_due_where_it_is(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    flow.create(owner, larger)
    for number in range(5):
        station.learn(bot, f"Part {number} of the handbook.")
    flow.switch(owner, "larger", anyway=True)
    station.r.embedding_models.forget()
    larger.error = BreakerOpen("open", retry_after_s=60)

    index_all(station)

    assert station.rows("SELECT sum(attempts) FROM indexing i JOIN embedding_models s ON s.id = model_id"
                        " WHERE s.name = 'larger'") == [(1,)]  # fmt: skip
    assert station.rows("SELECT count(*) FROM indexing WHERE done") == [(5,)], "the other model is filled meanwhile"


def test_vectors_that_rank_nothing_yet_leave_what_was_found_remembered(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    index_all(station)
    with station.r.db.transaction(bot.company_id) as conn:
        before = documents.version(conn, bot.company_id)
    flow.create(owner, larger)
    index_all(station)

    with station.r.db.transaction(bot.company_id) as conn:
        assert documents.version(conn, bot.company_id) == before


def test_a_document_added_while_a_model_is_made_is_seen_by_one_of_them(database: Database) -> None:
    """Whichever commits first: the writer sees the model, or whoever queues for the model sees the document."""
    acme = company(database, "Acme")
    with psycopg.connect(database.admin_url) as maker, psycopg.connect(database.url) as writer:
        set_companies(writer, [acme])
        maker.execute("SELECT 1")  # its transaction is open from here on
        embeddings.ensure_model(maker, "small", 8)
        done = threading.Event()

        def write() -> None:
            documents.add_document(
                writer, acme, source="a", title="A", text="-", content_hash=b"1",
                chunks=[NewChunk("A", "a", 0)],
            )  # fmt: skip
            writer.commit()
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        assert not done.wait(0.2), "it waits for the model"
        maker.commit()
        thread.join(10)
        assert maker.execute("SELECT count(*) FROM indexing").fetchone() == (1,)


def test_who_finds_a_model_being_queued_waits_and_gets_the_next_document(database: Database) -> None:
    """Documents that were there before their model are queued by whoever claims first; the next one has work, too."""
    acme = company(database, "Acme")
    with psycopg.connect(database.url) as writing:
        set_companies(writing, (acme,))
        added = [
            add(writing, acme, source=name, title=name, text="Doors are open from nine.").document_id
            for name in ("one", "two")
        ]
    got: list[embeddings.Claim | None] = []

    def claim() -> None:
        with psycopg.connect(database.url) as conn:
            got.append(embeddings.claim(conn, [int(str(model_id))], 0, lease_s=60))

    with psycopg.connect(database.url) as first, psycopg.connect(database.admin_url, autocommit=True) as owner:
        embedding_models.add(owner, "small")
        [(model_id,)] = owner.execute("SELECT id FROM embedding_models").fetchall()
        mine = embeddings.claim(first, [int(str(model_id))], 0, lease_s=60)
        other = threading.Thread(target=claim)
        other.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        wait_until(lambda: owner.execute(waits).fetchone() == (1,), "the other one waits", 10)
        first.commit()
        other.join(10)

    assert mine is not None
    assert got[0] is not None
    assert sorted((mine.document_id, got[0].document_id)) == sorted(added)
