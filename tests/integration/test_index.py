"""Embedding documents: every chunk once, a batch at a time, whatever fails meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from shared.embedded import Database
from shared.errors import DatabaseUnavailable, ModelUnavailable
from shared.model import NewChunk
from shared.store.knowledge import documents as store
from shared.store.knowledge import embeddings
from tasks.answers.reply import Result as Replied
from tasks.knowledge.index import BATCH, Result
from tests.embedder import FakeEmbedder
from tests.factories import Bot, make_bot
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=0.3)
    yield station
    station.close()


def _long(station: Station, bot: Bot, chunks: int, source: str = "long") -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        store.add_document(
            conn, bot.company_id, source=source, title="Long", text="-", content_hash=source.encode(),
            chunks=[NewChunk("Long", f"part {number}", 0) for number in range(chunks)],
        )  # fmt: skip


def _vectors(station: Station) -> int:
    return int(station.rows("SELECT count(*) FROM embeddings")[0][0])


def test_an_added_document_gets_its_vectors_with_its_title(station: Station, bot: Bot) -> None:
    station.learn(bot)

    assert station.index() is Result.INDEXED

    assert station.embedder.asked == [["Opening hours\nThe shop opens at nine in the morning."]]
    assert _vectors(station) == 1
    assert station.rows("SELECT done, attempts, error FROM indexing") == [(True, 0, None)]
    assert station.index() is Result.NOTHING_DUE


def test_a_long_document_is_embedded_in_batches_and_each_chunk_once(station: Station, bot: Bot) -> None:
    _long(station, bot, BATCH * 2 + 1)

    results = [station.index() for _ in range(4)]

    assert results == [Result.MORE, Result.MORE, Result.INDEXED, Result.NOTHING_DUE]
    texts = [text for call in station.embedder.asked for text in call]
    assert len(texts) == len(set(texts)) == _vectors(station) == BATCH * 2 + 1


def test_a_document_without_text_is_done_without_asking(station: Station, bot: Bot) -> None:
    _long(station, bot, 0)

    assert station.index() is Result.INDEXED
    assert station.embedder.asked == []
    assert station.index() is Result.NOTHING_DUE


def test_what_a_killed_worker_left_is_taken_up_when_its_lease_is_over(station: Station, bot: Bot) -> None:
    _long(station, bot, BATCH + 5)
    station.index()
    with station.r.db.transaction() as conn:
        assert (
            embeddings.claim(conn, [space.id for space in station.r.embedding_models.every()], 0, lease_s=60)
            is not None
        )  # and then nothing more is heard of it
    assert station.index() is Result.NOTHING_DUE

    station.execute("UPDATE indexing SET due_at = now()")

    assert station.index() is Result.INDEXED
    assert [len(call) for call in station.embedder.asked] == [BATCH, 5]
    assert _vectors(station) == BATCH + 5


def test_a_failure_is_written_down_and_tried_again_later_each_time(station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.embedder.error = ModelUnavailable("away", retry_after_s=40)

    assert station.index() is Result.RETRY
    assert station.index() is Result.NOTHING_DUE

    assert station.rows("SELECT done, attempts, error, due_at > now() + interval '30 s' FROM indexing") == [
        (False, 1, "ModelUnavailable", True)
    ]
    station.embedder.error = None
    station.execute("UPDATE indexing SET due_at = now()")
    assert station.index() is Result.INDEXED
    assert station.rows("SELECT done, attempts, error FROM indexing") == [(True, 0, None)]


def test_a_document_that_fails_keeps_no_other_from_its_turn(station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.embedder.error = ModelUnavailable("away", retry_after_s=600)
    station.index()
    station.embedder.error = None
    other = make_bot(station.inbox.server.admin_url)
    station.learn(other)

    assert station.index() is Result.INDEXED
    assert station.rows("SELECT company_id FROM embeddings") == [(other.company_id,)]


def test_another_model_embeds_everything_again_in_a_space_of_its_own(station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.index()

    station.r.embedder = FakeEmbedder(model="larger")

    assert station.index() is Result.INDEXED
    assert station.index() is Result.NOTHING_DUE
    assert station.rows("SELECT m.name FROM embeddings e JOIN embedding_models m ON m.id = e.model_id ORDER BY 1") == [
        ("fake",), ("larger",)
    ]  # fmt: skip


def test_a_document_changed_while_it_is_embedded_is_embedded_again(station: Station, bot: Bot) -> None:
    _long(station, bot, 2)

    class Meddling(FakeEmbedder):
        def embed(self, texts, *, deadline_s, passages=False):  # type: ignore[no-untyped-def]
            if not self.asked:
                station.execute("UPDATE documents SET content_hash = 'x'")
                station.execute("DELETE FROM chunks WHERE ordinal = 1")
            return super().embed(texts, deadline_s=deadline_s, passages=passages)

    station.r.embedder = Meddling()
    station.index()
    assert station.rows("SELECT done FROM indexing") == [(False,)]

    assert station.index() is Result.INDEXED
    assert _vectors(station) == 1


def test_chunks_are_embedded_as_passages_and_a_question_as_one(station: Station, bot: Bot) -> None:
    class Telling(FakeEmbedder):
        def embed(self, texts, *, deadline_s, passages=False):  # type: ignore[no-untyped-def]
            kinds.append(passages)
            return super().embed(texts, deadline_s=deadline_s, passages=passages)

    kinds: list[bool] = []
    station.learn(bot, "Doors are open from nine.")
    station.r.embedder = Telling()
    station.index()
    station.receive(bot, "When may I visit?")
    station.answer()

    assert kinds == [True, False]


def test_workers_at_the_same_time_embed_every_chunk_once(station: Station, bot: Bot) -> None:
    for number in range(12):
        _long(station, bot, 3, source=f"document {number}")

    def work() -> None:
        while station.index() is not Result.NOTHING_DUE:
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert _vectors(station) == 36
    assert sum(len(call) for call in station.embedder.asked) == 36


def test_with_the_database_down_the_caller_hears_it(station: Station, bot: Bot) -> None:
    station.r.db.close()

    with pytest.raises(DatabaseUnavailable):
        station.index()


# ------------------------------------------------------------------ and then it answers


def test_a_question_without_a_word_of_the_document_is_answered_from_it(station: Station, bot: Bot) -> None:
    station.learn(bot, "Doors are open from nine.")
    station.index()
    station.receive(bot, "When may I visit?")

    assert station.answer() is Replied.ANSWERED

    [(step, passage, ms)] = station.rows("SELECT step, passages->0, ms FROM receipts")
    assert step == "full"
    assert (passage["bm25"], passage["cosine"] > 0.9) == (None, True)
    assert {"gather", "embed", "search"} <= set(ms)


def test_no_connection_is_held_while_a_question_is_embedded(station: Station, bot: Bot) -> None:
    station.learn(bot)
    held: list[int] = []

    class Watching(FakeEmbedder):
        def embed(self, texts, *, deadline_s, passages=False):  # type: ignore[no-untyped-def]
            stats = station.r.db.stats()
            held.append(stats["pool_size"] - stats["pool_available"])
            return super().embed(texts, deadline_s=deadline_s, passages=passages)

    station.r.embedder = Watching()
    station.index()
    station.receive(bot, "When does the shop open?")
    station.answer()

    assert held == [0, 0]


def test_an_embedder_that_is_away_leaves_the_words(station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.index()
    station.embedder.error = ModelUnavailable("away")
    station.receive(bot, "When does the shop open?")

    assert station.answer() is Replied.ANSWERED

    assert station.rows("SELECT step, passages->0->>'cosine', passages->0->>'bm25' IS NOT NULL FROM receipts") == [
        ("full", None, True)
    ]


def test_a_question_about_something_else_still_goes_to_a_person(station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.index()
    station.receive(bot, "My parcel was broken in the morning")

    station.answer()

    assert station.rows("SELECT step, reason FROM receipts") == [("unknown", "nothing_relevant")]
