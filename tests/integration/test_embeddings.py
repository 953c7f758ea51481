"""Vectors beside the words: whose they are, how many are found, and what goes with its chunk."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.errors import Permanent
from shared.knowledge import search as knowledge
from shared.knowledge.search import Meaning
from shared.model import NewChunk, Passage
from shared.store.db.pool import Conn, set_companies
from shared.store.db.pool import Database as Pool
from shared.store.knowledge import documents as store
from shared.store.knowledge import embedding_models, embeddings, vector_indexes
from tests.integration.explain import read_by
from tests.integration.test_knowledge_store import company

FEW, MANY = 12, 400
RANDOM = random.Random(7)


def vector(dimension: int = 8) -> list[float]:
    found = [RANDOM.gauss(0, 1) for _ in range(dimension)]
    length = sum(value * value for value in found) ** 0.5
    return [value / length for value in found]


def add_chunks(conn: Conn, company_id: int, count: int) -> list[int]:
    """A document of so many chunks."""
    chunks = [NewChunk("Part", f"part number {number}", 0) for number in range(count)]
    document = store.add_document(
        conn, company_id, source="parts", title="Parts", text="-", content_hash=b"1", chunks=chunks
    ).document_id
    rows = conn.execute("SELECT id FROM chunks WHERE company_id = %s AND document_id = %s", (company_id, document))
    return [int(str(chunk_id)) for (chunk_id,) in rows.fetchall()]


def fill(conn: Conn, company_id: int, count: int, model: str = "small") -> int:
    """So many chunks with vectors; returns the embedding model."""
    model_id = embeddings.ensure_model(conn, model, 8)
    embeddings.add(conn, company_id, model_id, [(chunk, vector()) for chunk in add_chunks(conn, company_id, count)])
    return model_id


@pytest.fixture
def acme(database: Database) -> int:
    return company(database, "Acme")


@pytest.fixture
def conn(database: Database, acme: int) -> Iterator[Conn]:
    with psycopg.connect(database.url) as connection:
        set_companies(connection, (acme,))
        yield connection


@pytest.fixture(scope="module")
def crowded(module_database: Database) -> tuple[Database, int, int, int]:
    """A small and a large company whose vectors share a partition."""
    with psycopg.connect(module_database.admin_url) as owner:
        ids = [company(module_database, f"company {number}") for number in range(40)]
        partition = {
            each: owner.execute(
                "SELECT i FROM generate_series(0, 15) i WHERE satisfies_hash_partition("
                "'embeddings'::regclass, 16, i, %s::bigint)", (each,),
            ).fetchone()
            for each in ids
        }  # fmt: skip
        small = next(one for one in ids if any(partition[one] == partition[other] for other in ids if other != one))
        large = next(other for other in ids if other != small and partition[other] == partition[small])
        set_companies(owner, (small, large))
        fill(owner, small, FEW)
        model_id = fill(owner, large, MANY)
        owner.execute("ANALYZE chunks")
        owner.commit()
    return module_database, small, large, model_id


@contextmanager
def an_index(database: Database, company_id: int, model_id: int) -> Iterator[str]:
    """Give the company a vector index, however small it is; yields its name."""
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        row = owner.execute(
            "SELECT tableoid::regclass::text FROM embeddings WHERE company_id = %s LIMIT 1", (company_id,)
        ).fetchone()
        assert row is not None
        index = vector_indexes.VectorIndex(company_id, model_id, 8, 1, str(row[0]), "absent")
        vector_indexes.build(owner, index)
        try:
            yield index.name
        finally:
            vector_indexes.drop(owner, index.name)


@pytest.mark.parametrize("by_index", [False, True], ids=["exact", "index"])
def test_every_company_gets_as_many_as_it_asks_for_and_only_its_own(
    crowded: tuple[Database, int, int, int], by_index: bool
) -> None:
    database, small, large, model_id = crowded
    with (
        an_index(database, large, model_id) if by_index else nullcontext(),
        psycopg.connect(database.admin_url) as owner,
    ):
        for company_id, there in ((small, FEW), (large, MANY)):
            set_companies(owner, (company_id,))
            for _ in range(10):
                found = embeddings.nearest(owner, company_id, model_id, vector(), 10)
                assert len({passage.chunk_id for passage in found}) == min(10, there)
                assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
            every = embeddings.nearest(owner, company_id, model_id, vector(), there + 50)
            assert len(every) == there
            own = owner.execute("SELECT count(*) FROM chunks WHERE company_id = %s AND id = ANY (%s)",
                                (company_id, [p.chunk_id for p in every])).fetchone()  # fmt: skip
            assert own == (there,)


def test_a_company_s_index_finds_what_the_exact_scan_finds(crowded: tuple[Database, int, int, int]) -> None:
    database, _, large, model_id = crowded
    questions = [vector() for _ in range(20)]
    with an_index(database, large, model_id) as name, psycopg.connect(database.url, autocommit=True) as app:
        with app.transaction():
            set_companies(app, (large,))
            exact = [embeddings.nearest(app, large, model_id, q, 10, exact=True) for q in questions]
        with app.transaction():
            set_companies(app, (large,))
            found: list[list[Passage]] = []
            read = read_by(
                app, lambda c: found.extend(embeddings.nearest(c, large, model_id, q, 10) for q in questions)
            )

    assert name in read.indexes
    assert not [table for table in read.whole if table.startswith("embeddings_")]
    assert read.entries < 20 * 60, "each question met its neighbours and their texts"
    near = [{p.chunk_id for p in one} & {p.chunk_id for p in other} for one, other in zip(exact, found, strict=True)]
    assert sum(map(len, near)) >= 0.95 * 200


def test_a_deleted_document_takes_its_vectors_along(conn: Conn, acme: int) -> None:
    fill(conn, acme, 3)
    [document] = store.list_documents(conn, acme)

    store.delete_document(conn, acme, document.id)

    assert conn.execute("SELECT count(*) FROM embeddings").fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM indexing").fetchone() == (0,)


def test_a_replaced_document_loses_its_vectors_and_is_to_be_embedded_again(conn: Conn, acme: int) -> None:
    model_id = embeddings.ensure_model(conn, "small", 8)
    knowledge.add(conn, acme, source="a", title="A", text="We open at nine.")
    claim = embeddings.claim(conn, [model_id], 0, lease_s=10)
    assert claim is not None
    [missing] = embeddings.without_vector(conn, claim, 10)
    embeddings.add(conn, acme, model_id, [(missing.chunk_id, vector())])
    knowledge.add(conn, acme, source="a", title="A", text="We open at ten.")

    assert not embeddings.finish(conn, claim), "who embedded the old text ends nothing"

    assert conn.execute("SELECT count(*) FROM embeddings").fetchone() == (0,)
    assert conn.execute("SELECT done, attempts FROM indexing").fetchone() == (False, 0)


def test_a_model_keeps_its_dimension(conn: Conn, acme: int) -> None:
    first = embeddings.ensure_model(conn, "small", 8)

    assert embeddings.ensure_model(conn, "small", 8) == first
    with pytest.raises(Permanent, match="another dimension"):
        embeddings.ensure_model(conn, "small", 9)


def test_a_vector_of_another_dimension_cannot_be_stored_for_a_model(conn: Conn, acme: int) -> None:
    [chunk] = add_chunks(conn, acme, 1)
    model_id = embeddings.ensure_model(conn, "small", 8)

    with pytest.raises(psycopg.errors.DataException):
        embeddings.add(conn, acme, model_id, [(chunk, vector(9))])


def test_vectors_of_two_models_are_never_ranked_together(conn: Conn, acme: int) -> None:
    [chunk, other] = add_chunks(conn, acme, 2)
    one, two = embeddings.ensure_model(conn, "one", 8), embeddings.ensure_model(conn, "two", 8)
    embeddings.add(conn, acme, one, [(chunk, vector())])
    embeddings.add(conn, acme, two, [(other, vector())])

    assert [p.chunk_id for p in embeddings.nearest(conn, acme, one, vector(), 10)] == [chunk]
    assert [p.chunk_id for p in embeddings.nearest(conn, acme, two, vector(), 10)] == [other]


# ------------------------------------------------------------------ both sides together


def test_a_passage_that_only_its_meaning_finds_is_found_and_relevant(conn: Conn, acme: int) -> None:
    chunks = add_chunks(conn, acme, 3)
    wanted = vector()
    model_id = embeddings.ensure_model(conn, "small", 8)
    embeddings.add(conn, acme, model_id, [(chunks[1], wanted), (chunks[2], [-value for value in wanted])])

    found = knowledge.search(conn, acme, "quite other words", meaning=Meaning("small", wanted, 1.0, 0.2))

    assert found[0].chunk_id == chunks[1]
    assert found[0].bm25 is None
    assert found[0].cosine == pytest.approx(1, abs=0.01)
    assert found[0].relevance > 0.95
    assert found[1].relevance < 0.05


def test_a_passage_that_shares_words_and_means_something_else_is_hardly_relevant(conn: Conn, acme: int) -> None:
    [chunk] = add_chunks(conn, acme, 1)
    about = vector()
    embeddings.add(conn, acme, embeddings.ensure_model(conn, "small", 8), [(chunk, about)])
    [by_words] = knowledge.search(conn, acme, "the number of my bus")

    elsewhere = Meaning("small", [-value for value in about], 1.0, 0.2)
    [by_both] = knowledge.search(conn, acme, "the number of my bus", meaning=elsewhere)

    assert by_words.bm25 == by_both.bm25
    assert by_words.relevance > 10 * by_both.relevance


@pytest.mark.parametrize("meaning", [None, Meaning("another", [1.0] * 8, 1.0, 0.2), Meaning("small", [1.0], 1.0, 0.2)],
                         ids=["none", "another model", "another dimension"])  # fmt: skip
def test_without_a_usable_meaning_the_words_are_searched_alone(conn: Conn, acme: int, meaning: Meaning | None) -> None:
    fill(conn, acme, 3)

    assert knowledge.search(conn, acme, "number 2", meaning=meaning) == knowledge.search(conn, acme, "number 2")
    assert knowledge.search(conn, acme, "quite other words", meaning=meaning) == []


def test_a_chunk_without_a_vector_is_judged_by_its_words(conn: Conn, acme: int) -> None:
    embeddings.ensure_model(conn, "small", 8)
    add_chunks(conn, acme, 3)
    words = {p.chunk_id: p.relevance for p in knowledge.search(conn, acme, "part number 2")}

    both = knowledge.search(conn, acme, "part number 2", meaning=Meaning("small", vector(), 1.0, 0.2))

    assert {p.chunk_id: p.relevance for p in both} == words


# ------------------------------------------------------------------ what the statements read


@pytest.fixture(scope="module")
def many_documents(crowded: tuple[Database, int, int, int]) -> tuple[Database, int, int, int]:
    """Five thousand documents that are embedded, and one that is not."""
    database, small, large, model_id = crowded
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)"
            r" SELECT company_id, collection_id, 'copy ' || n, 'Copy', '', '\x00', 0 FROM documents,"
            " generate_series(1, 5000) n WHERE company_id = %s",
            (large,),
        )
        while owner.execute("SELECT indexing_queued(%s)", (model_id,)).fetchone() != (0,):
            pass
        owner.execute("UPDATE indexing SET done = company_id <> %s", (small,))
        owner.execute("VACUUM ANALYZE")
    return database, small, large, model_id


def test_a_claim_reads_what_is_due_and_not_what_is_done(many_documents: tuple[Database, int, int, int]) -> None:
    database, small, _, model_id = many_documents
    with psycopg.connect(database.url, autocommit=True, prepare_threshold=None) as app, app.transaction():
        set_companies(app, [])
        claimed: list[embeddings.Claim | None] = []
        read = read_by(app, lambda c: claimed.append(embeddings.claim(c, [model_id], 0, lease_s=10)))
        assert claimed[0] is not None
        assert claimed[0].company_id == small
        nothing = read_by(app, lambda c: claimed.append(embeddings.claim(c, [model_id], 0, lease_s=10)))
        assert claimed[1] is None

    for each in (read, nothing):
        assert each.whole.get("indexing", 0) == 0, each
        assert each.entries < 40, each


def test_a_search_by_meaning_reads_its_company_s_vectors_only(many_documents: tuple[Database, int, int, int]) -> None:
    database, small, large, model_id = many_documents
    with psycopg.connect(database.url, autocommit=True, prepare_threshold=None) as app, app.transaction():
        set_companies(app, [small, large])
        few = read_by(app, lambda c: embeddings.nearest(c, small, model_id, vector(), 10))
        many = read_by(app, lambda c: embeddings.nearest(c, large, model_id, vector(), 10))

    assert few.entries < 20 * FEW, few
    assert many.entries < 10 * MANY, many


def test_documents_from_before_there_were_vectors_are_embedded_too(database: Database) -> None:
    with psycopg.connect(database.admin_url) as owner:
        acme = company(database, "Acme")
        set_companies(owner, (acme,))
        owner.execute("INSERT INTO collections (company_id, name) VALUES (%s, 'default')", (acme,))
        owner.execute(
            "WITH made AS (INSERT INTO documents (company_id, collection_id, source, title, text, content_hash,"
            r" chunk_count) SELECT company_id, id, 'a', 'A', '', '\x00', 1 FROM collections RETURNING company_id, id)"
            " INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)"
            " SELECT company_id, id, 0, 'english', 'A', 'We open at nine.', 0, 'open', 1 FROM made"
        )
        owner.commit()

        embedding_models.add(owner, "small")
        [model] = embedding_models.every(owner)
        claim = embeddings.claim(owner, [model.id], 0, lease_s=10)
        assert claim is not None
        assert [part.text for part in embeddings.without_vector(owner, claim, 5)] == ["We open at nine."]


def test_vectors_arrive_as_they_were_sent_over_the_pool_and_over_a_connection_that_knows_no_types(
    database: Database, acme: int
) -> None:
    """Each number as the nearest of half precision; neither way sends them as text."""
    sent = [vector(384), vector(384)]
    kept = "SELECT embedding::real[] FROM embeddings WHERE model_id = %s ORDER BY chunk_id"
    with psycopg.connect(database.admin_url) as owner:
        model_id = embeddings.ensure_model(owner, "large", 384)
        chunks = add_chunks(owner, acme, 2)
        assert embeddings.add(owner, acme, model_id, [(chunks[0], sent[0])]) == 1
    db = Pool(database.url, max_size=1, timeout_s=5)
    db.open()
    try:
        with db.transaction(acme) as conn:
            assert conn.adapters.types.get("halfvec") is not None
            assert embeddings.add(conn, acme, model_id, [(chunks[1], sent[1])]) == 1
            arrived: list[Any] = [row[0] for row in conn.execute(kept, (model_id,)).fetchall()]
            assert embeddings.nearest(conn, acme, model_id, sent[1], 1)[0].chunk_id == chunks[1]
    finally:
        db.close()
    assert [struct.pack("384e", *one) for one in arrived] == [struct.pack("384e", *one) for one in sent]
