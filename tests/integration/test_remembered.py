"""Questions asked again: answered from what was found a moment ago, and never with what is not there any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from shared.cache.two_level import TwoLevel
from shared.clock import FixedClock
from shared.embedded import Database
from shared.knowledge.remembered import RememberingEmbedder, Results
from shared.knowledge.search import add, search
from shared.store.db.pool import Conn, set_companies
from shared.store.db.redis import connect
from shared.store.knowledge import documents, embeddings
from tests.embedder import FakeEmbedder
from tests.integration.explain import read_by
from tests.integration.test_knowledge_store import company


@pytest.fixture
def cache(redis_url: str) -> Iterator[TwoLevel]:
    client = connect(redis_url)
    yield TwoLevel(client, FixedClock(datetime(2026, 1, 1, tzinfo=UTC)), ttl_s=300, entries=100)
    client.close()


@pytest.fixture
def acme(database: Database) -> int:
    return company(database, "Acme")


@pytest.fixture
def conn(database: Database, acme: int) -> Iterator[Conn]:
    with psycopg.connect(database.url) as connection:
        set_companies(connection, (acme,))
        yield connection


def test_the_same_question_is_searched_once(conn: Conn, acme: int, cache: TwoLevel) -> None:
    add(conn, acme, source="a", title="Returns", text="Within thirty days.")
    results = Results(cache)

    first = search(conn, acme, "thirty days", results=results)
    found = []
    read = read_by(conn, lambda c: found.extend(search(c, acme, "thirty days", results=results)))

    assert found == first != []
    assert "chunks_words" not in read.indexes
    assert "lexemes" not in read.whole
    assert read.entries < 10, read


def test_another_question_filter_or_asker_is_another_search(conn: Conn, acme: int, cache: TwoLevel) -> None:
    add(conn, acme, source="a", title="Returns", text="Within thirty days.")
    results = Results(cache)
    search(conn, acme, "thirty days", 5, results=results)

    assert search(conn, acme, "thirty months", 5, results=results)[0].relevance < 1
    for other in ({"asker": "guest"}, {"limit": 4}):
        read = read_by(conn, lambda c, o=other: search(c, acme, "thirty days", **{"limit": 5, **o}, results=results))  # type: ignore[misc]
        assert "knowledge_stats" in {**read.whole, **read.indexes} or "knowledge_stats_pkey" in read.indexes


def test_what_was_deleted_changed_or_added_is_seen_at_once(conn: Conn, acme: int, cache: TwoLevel) -> None:
    results = Results(cache)

    def found() -> list[str]:
        return [passage.text for passage in search(conn, acme, "thirty days", results=results)]

    assert found() == []
    document = add(conn, acme, source="a", title="Returns", text="Within thirty days.").document_id
    assert found() == ["Within thirty days."]
    add(conn, acme, source="a", title="Returns", text="Within forty days.")
    assert found() == ["Within forty days."]
    documents.delete_document(conn, acme, document)
    assert found() == []


def test_what_another_process_changed_is_seen_by_who_supposes_the_old_version(
    conn: Conn, acme: int, cache: TwoLevel, redis_url: str
) -> None:
    """A process looks under the version that it saw last, and its texts tell whether that is the newest."""
    client = connect(redis_url)
    there = TwoLevel(client, FixedClock(datetime(2026, 1, 1, tzinfo=UTC)), ttl_s=300, entries=100)
    here, other, late = Results(cache), Results(there), Results(cache)
    add(conn, acme, source="a", title="Returns", text="Within thirty days.")

    def found(results: Results) -> list[str]:
        return [passage.text for passage in search(conn, acme, "thirty days", results=results)]

    for results in (here, other, late):
        assert found(results) == ["Within thirty days."]
    supposed = here.version_of(acme)
    asked: list[str] = []
    read = read_by(conn, lambda c: asked.extend(found(other)))
    assert asked == ["Within thirty days."]
    assert "chunks_words" not in read.indexes

    add(conn, acme, source="a", title="Returns", text="Not within forty or thirty days.")
    assert found(here) == ["Not within forty or thirty days."]
    assert here.version_of(acme) != supposed == other.version_of(acme)
    assert found(other) == ["Not within forty or thirty days."]
    documents.delete_document(conn, acme, documents.list_documents(conn, acme, limit=1)[0].id)
    for results in (here, other, late):
        assert found(results) == []
        assert results.version_of(acme) == documents.version(conn, acme)
    client.close()


def test_new_vectors_are_new_knowledge(conn: Conn, acme: int) -> None:
    add(conn, acme, source="a", title="Returns", text="Within thirty days.")
    before = documents.version(conn, acme)
    [(chunk,)] = conn.execute("SELECT id FROM chunks").fetchall()
    embeddings.add(conn, acme, embeddings.ensure_model(conn, "small", 2), [(int(str(chunk)), [0.6, 0.8])])

    assert documents.version(conn, acme) > before


def test_one_company_s_change_leaves_another_s_results(database: Database, conn: Conn, acme: int) -> None:
    add(conn, acme, source="a", title="Returns", text="Within thirty days.")
    before = documents.version(conn, acme)
    rival = company(database, "Rival")
    with psycopg.connect(database.url) as other:
        set_companies(other, [rival])
        add(other, rival, source="a", title="Returns", text="Within ten days.")

    assert documents.version(conn, acme) == before


def test_a_question_is_embedded_once_whatever_its_white_space(cache: TwoLevel) -> None:
    embedder = FakeEmbedder()
    remembering = RememberingEmbedder(embedder, cache)

    first = remembering.embed(["refund  please", "open"], deadline_s=1)
    again = remembering.embed(["open", "refund please\n"], deadline_s=1)

    assert again == [first[1], first[0]]
    assert embedder.asked == [["refund  please", "open"]]
    assert first[0] == pytest.approx(embedder.embed(["refund  please"], deadline_s=1)[0])


def test_models_do_not_share_vectors(cache: TwoLevel) -> None:
    one, other = FakeEmbedder("one"), FakeEmbedder("other")
    RememberingEmbedder(one, cache).embed(["refund"], deadline_s=1)
    RememberingEmbedder(other, cache).embed(["refund"], deadline_s=1)

    assert other.asked == [["refund"]]
