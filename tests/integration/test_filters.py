"""Where a search looks: only what the filter names, and only what is the company's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest

from shared.embedded import Database
from shared.knowledge.search import Meaning, search
from shared.model import NewChunk
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import documents as knowledge
from shared.store.knowledge import embeddings, passages
from shared.store.knowledge.filters import Filter
from tests.factories import make_bot
from tests.integration.test_knowledge_store import company

MEANING = Meaning("small", [1.0, 0.0], 1.0, 0.2)
EVERY_WAY = pytest.mark.parametrize("meaning", [None, MEANING], ids=["words", "both"])


@dataclass(frozen=True)
class Library:
    """document ids by source."""

    company_id: int
    documents: dict[str, int]
    collections: dict[str, int]


@pytest.fixture
def conn(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.url) as connection:
        yield connection


@pytest.fixture
def library(database: Database, conn: Conn) -> Library:
    company_id = company(database, "Acme")
    set_companies(conn, [company_id])
    with psycopg.connect(database.url) as making:  # in a transaction of its own: until it ends nobody adds documents
        model_id = embeddings.ensure_model(making, "small", 2)
    documents = {}
    for source, collection, category, month, speakers in (
        ("faq", "help", "billing", 1, ()),
        ("guide", "help", "devices", 3, ()),
        ("call", "calls", "billing", 5, ("Ann Lee", "Bob")),
    ):
        documents[source] = knowledge.add_document(
            conn, company_id, source=source, title=source, text="", content_hash=b"", collection=collection,
            category=category, dated_at=datetime(2026, month, 1, tzinfo=UTC),
            kind="transcript" if speakers else "text",
            chunks=[NewChunk(source, "the invoice is paid", 0, speakers[:1]), NewChunk(source, "invoice", 9, speakers)],
        ).document_id  # fmt: skip
    chunks = conn.execute("SELECT id FROM chunks ORDER BY id").fetchall()
    embeddings.add(conn, company_id, model_id, [(int(str(chunk)), [0.6, 0.8]) for (chunk,) in chunks])
    rows = conn.execute("SELECT name, id FROM collections").fetchall()
    return Library(company_id, documents, {str(name): int(str(id_)) for name, id_ in rows})


def found(conn: Conn, library: Library, where: Filter | None, meaning: Meaning | None) -> list[str]:
    """Sources of what is found, each as often as it has passages."""
    named = {number: source for source, number in library.documents.items()}
    passages_found = search(conn, library.company_id, "invoice", 50, meaning, where=where)
    return sorted(named[passage.document_id] for passage in passages_found)


@EVERY_WAY
def test_without_a_filter_everything_is_searched(conn: Conn, library: Library, meaning: Meaning | None) -> None:
    assert found(conn, library, None, meaning) == ["call"] * 2 + ["faq"] * 2 + ["guide"] * 2


@EVERY_WAY
def test_each_field_narrows_and_all_must_hold(conn: Conn, library: Library, meaning: Meaning | None) -> None:
    documents, collections = library.documents, library.collections
    cases: list[tuple[Filter, list[str]]] = [
        (Filter(documents=(documents["faq"],)), ["faq", "faq"]),
        (Filter(collections=(collections["calls"],)), ["call", "call"]),
        (Filter(categories=("devices",)), ["guide", "guide"]),
        (Filter(since=datetime(2026, 3, 1, tzinfo=UTC)), ["call", "call", "guide", "guide"]),
        (Filter(until=datetime(2026, 3, 1, tzinfo=UTC)), ["faq", "faq"]),
        (Filter(speakers=("ann lee",)), ["call", "call"]),
        (Filter(speakers=("BOB",)), ["call"]),
        (Filter(categories=("billing",), collections=(collections["help"],)), ["faq", "faq"]),
        (Filter(categories=("devices",), speakers=("Bob",)), []),
        (Filter(documents=()), []),
        (Filter(categories=("x' OR true --",)), []),
    ]
    assert [found(conn, library, where, meaning) for where, _ in cases] == [wanted for _, wanted in cases]


@EVERY_WAY
def test_a_filter_that_names_another_company_s_is_refused(
    database: Database, conn: Conn, library: Library, meaning: Meaning | None
) -> None:
    rival = company(database, "Rival")
    with psycopg.connect(database.admin_url) as owner:
        set_companies(owner, [rival])
        foreign = knowledge.add_document(
            owner, rival, source="x", title="x", text="", content_hash=b"", chunks=[NewChunk("x", "invoice", 0)]
        ).document_id
        row = owner.execute("SELECT id FROM collections WHERE company_id = %s", (rival,)).fetchone()
        assert row is not None
    for where in (Filter(documents=(library.documents["faq"], foreign)), Filter(collections=(int(row[0]),))):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
            search(conn, library.company_id, "invoice", 8, meaning, where=where)


def test_beyond_the_bound_a_filtered_search_still_finds_all_that_there_is(conn: Conn, library: Library) -> None:
    conn.execute("UPDATE knowledge_stats SET chunks = 50000")
    conn.execute("UPDATE documents SET chunk_count = 30000")

    for where in (Filter(speakers=("Bob",)), Filter(documents=(library.documents["faq"],), speakers=("Bob",))):
        assert found(conn, library, where, MEANING) == found(conn, library, where, None)


# ------------------------------------------------------------------ saved for a conversation


@pytest.fixture
def conversation(database: Database, conn: Conn, library: Library) -> int:
    bot = make_bot(database.admin_url, "Acme")
    row = conn.execute(
        "INSERT INTO conversations (company_id, channel_id, chat) VALUES (%s, %s, '7') RETURNING id",
        (library.company_id, bot.channel_id),
    ).fetchone()
    assert row is not None
    return int(str(row[0]))


def test_a_saved_filter_comes_back_as_it_was(conn: Conn, library: Library, conversation: int) -> None:
    where = Filter(
        documents=(library.documents["faq"],), categories=("billing",), speakers=("Ann",),
        since=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    passages.save_chat_filter(conn, library.company_id, conversation, where)
    assert passages.chat_filter(conn, library.company_id, conversation) == where

    passages.save_chat_filter(conn, library.company_id, conversation, None)
    assert passages.chat_filter(conn, library.company_id, conversation) is None


def test_a_saved_filter_cannot_name_foreign_documents(conn: Conn, library: Library, conversation: int) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        passages.save_chat_filter(conn, library.company_id, conversation, Filter(documents=(10_000,)))


def test_a_deleted_document_leaves_saved_filters_and_opens_none(
    conn: Conn, library: Library, conversation: int
) -> None:
    only = Filter(documents=(library.documents["faq"],))
    passages.save_chat_filter(conn, library.company_id, conversation, only)

    knowledge.delete_document(conn, library.company_id, library.documents["faq"])

    left = passages.chat_filter(conn, library.company_id, conversation)
    assert left == Filter(documents=())
    assert found(conn, library, left, MEANING) == []
