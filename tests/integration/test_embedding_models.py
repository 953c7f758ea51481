"""From one embedding model to another: the new one is filled beside the old one, and one is searched at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from shared import faults
from shared.embedded import Database
from shared.errors import ModelUnavailable, Permanent
from shared.faults import InjectedFault
from shared.knowledge.embedding_models import EmbeddingModels
from shared.knowledge.search import add
from shared.model import NewChunk
from shared.resilience.breaker import BreakerOpen
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import documents, embedding_models, embeddings, vector_indexes
from tasks.knowledge import embedding_models as flow
from tasks.knowledge.index import BATCH, Result
from tests.embedder import FakeEmbedder
from tests.factories import Bot
from tests.integration.command_line import Run
from tests.integration.station import Station
from tests.integration.test_knowledge_store import company
from workers.sandbox.waiting import wait_until

OPENING = "Doors are open from nine."


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=0.3)
    yield station
    station.close()


@pytest.fixture
def larger(station: Station) -> FakeEmbedder:
    """A second model that the settings name."""
    larger = FakeEmbedder(model="larger", wider=True)
    station.r.other_embedders = [larger]
    return larger


@pytest.fixture
def owner(station: Station) -> Iterator[Conn]:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        yield conn


def _index_all(station: Station) -> None:
    station.r.embedding_models.forget()
    for _ in range(100):
        if station.index() is Result.NOTHING_DUE:
            station.r.embedding_models.forget()
            return
    raise AssertionError("it has no end")


def _state(station: Station) -> dict[str, str]:
    return {str(model): str(state) for model, state in station.rows("SELECT name, state FROM embedding_models")}


def _receipt(station: Station) -> tuple[object, ...]:
    """Which model ranked the passages of the newest answer, and what it says of the first passage."""
    return station.rows("SELECT embedding_model, passages->0->'cosine' FROM receipts ORDER BY turn_id DESC LIMIT 1")[0]


def _asked(station: Station, bot: Bot, chat: int) -> tuple[object, ...]:
    station.receive(bot, "When may I visit?", chat=chat)
    station.answer()
    return _receipt(station)


def _drop(conn: Conn, model: str) -> int:
    return flow.drop(conn, model, now=lambda: datetime.now(UTC), told=lambda gone: None, sleep=lambda seconds: None)


def test_a_new_model_is_filled_while_the_old_one_serves_then_switched_and_the_old_one_dropped(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    _index_all(station)
    assert _asked(station, bot, 1)[0] == "fake"

    made = flow.create(owner, larger)
    station.r.embedding_models.forget()
    assert (made.state, made.dimension) == ("filling", 6)
    assert _asked(station, bot, 2)[0] == "fake", "nothing is in the new one yet"
    with pytest.raises(Permanent, match="still filling"):
        flow.switch(owner, "larger")

    _index_all(station)
    assert _state(station) == {"fake": "active", "larger": "ready"}
    assert _asked(station, bot, 3)[0] == "fake"

    flow.switch(owner, "larger")
    station.r.embedding_models.forget()
    model, cosine = _asked(station, bot, 4)
    assert (model, float(str(cosine)) > 0.9) == ("larger", True)
    assert _state(station) == {"fake": "ready", "larger": "active"}

    for model, dimension, partition in station.rows(
        "SELECT s.id, s.dimension, e.tableoid::regclass::text FROM embeddings e"
        " JOIN embedding_models s ON s.id = e.model_id"
    ):
        index = vector_indexes.VectorIndex(
            bot.company_id, int(str(model)), int(str(dimension)), 1, str(partition), "absent"
        )
        vector_indexes.build(owner, index)
    assert _drop(owner, "fake") == 1
    assert _state(station) == {"larger": "active"}
    assert station.rows("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'embeddings_hnsw_%%'") == [(1,)]
    assert station.rows("SELECT count(*) FROM indexing") == [(1,)]
    station.r.embedder, station.r.other_embedders = larger, []
    station.r.embedding_models.forget()
    assert _asked(station, bot, 5)[0] == "larger"


def test_another_first_model_is_filled_by_itself_and_the_model_that_was_there_serves_on(
    station: Station, bot: Bot, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    _index_all(station)

    station.r.embedder, station.r.other_embedders = larger, [station.embedder]  # EMBEDDINGS_MODEL is another one
    station.r.embedding_models.forget()
    assert _asked(station, bot, 1)[0] == "fake"
    _index_all(station)

    assert _state(station) == {"fake": "active", "larger": "ready"}
    assert _asked(station, bot, 2)[0] == "fake", "only a person switches"


def test_an_embedder_that_is_away_has_another_filled_model_rank_and_then_the_words(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    _index_all(station)
    flow.create(owner, larger)
    _index_all(station)

    station.embedder.error = BreakerOpen("open", retry_after_s=60)
    model, cosine = _asked(station, bot, 1)
    assert (model, float(str(cosine)) > 0.9) == ("larger", True)

    larger.error = ModelUnavailable("away")
    station.receive(bot, "When are the doors open?", chat=2)  # its vector is not remembered
    station.answer()
    assert _receipt(station) == (None, None)

    station.embedder.error = None
    station.receive(bot, "At what hour may I visit?", chat=3)
    station.answer()
    assert _receipt(station)[0] == "fake"


def test_a_model_that_is_not_usable_yet_is_looked_for_again_at_once(station: Station, owner: Conn) -> None:
    other = EmbeddingModels(station.r.db, station.r.clock)  # another process': nobody tells it what happens here
    embedding_models.add(owner, station.embedder.model)
    assert [model.dimension for model in other.every()] == [None]  # nothing is embedded yet

    owner.execute("UPDATE embedding_models SET dimension = 8, state = 'filling'")
    assert [model.state for model in other.every()] == ["filling"]
    owner.execute("UPDATE embedding_models SET state = 'active'")
    assert [model.state for model in other.every()] == ["active"]

    owner.execute("UPDATE embedding_models SET state = 'ready'")
    assert [model.state for model in other.every()] == ["active"]  # what is usable is remembered for a while


def test_a_model_that_is_not_full_yet_never_ranks(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    _index_all(station)
    flow.create(owner, larger)
    station.r.embedding_models.forget()
    station.embedder.error = ModelUnavailable("away")

    assert _asked(station, bot, 1) == (None, None)
    assert larger.asked == [[flow.PROBE]]


def test_a_model_that_answers_with_another_dimension_ranks_nothing_and_stores_nothing(
    station: Station, bot: Bot, owner: Conn
) -> None:
    station.learn(bot, OPENING)
    _index_all(station)

    station.r.embedder = FakeEmbedder(wider=True)  # another model under the same name
    assert _asked(station, bot, 1) == (None, None)
    station.learn(bot, "Broken things are repaired.")
    assert station.index() is Result.RETRY
    assert station.rows("SELECT count(*) FROM embeddings") == [(1,)]
    with pytest.raises(Permanent, match="another dimension"):
        flow.create(owner, station.r.embedder)
    with pytest.raises(Permanent, match="6 dimensions, not 5"):
        flow.create(owner, station.r.embedder, 5)


def test_what_comes_while_a_model_is_filled_goes_to_the_active_one_first_and_is_in_both_in_the_end(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    for number in range(3):
        station.learn(bot, f"Part {number} of the handbook.")
    _index_all(station)
    flow.create(owner, larger)
    station.r.embedding_models.forget()
    assert station.index() is Result.INDEXED
    station.learn(bot, "A new page.")

    station.embedder.asked.clear()
    assert station.index() is Result.INDEXED
    assert station.embedder.asked == [["Opening hours\nA new page."]]
    _index_all(station)

    assert station.rows("SELECT model_id, count(*) FROM embeddings GROUP BY 1 ORDER BY 1") == [(1, 4), (2, 4)]


def test_filling_ended_half_way_goes_on_where_it_was(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        documents.add_document(
            conn, bot.company_id, source="long", title="Long", text="-", content_hash=b"1",
            chunks=[NewChunk("Long", f"part {number}", 0) for number in range(BATCH + 3)],
        )  # fmt: skip
    _index_all(station)
    flow.create(owner, larger)
    larger.asked.clear()
    station.r.embedding_models.forget()

    assert station.index() is Result.MORE
    station.r.embedding_models.forget()  # as another process, which knows nothing of the first
    _index_all(station)

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

    _index_all(station)

    assert station.rows("SELECT sum(attempts) FROM indexing i JOIN embedding_models s ON s.id = model_id"
                        " WHERE s.name = 'larger'") == [(1,)]  # fmt: skip
    assert station.rows("SELECT count(*) FROM indexing WHERE done") == [(5,)], "the other model is filled meanwhile"


def test_vectors_that_rank_nothing_yet_leave_what_was_found_remembered(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    _index_all(station)
    with station.r.db.transaction(bot.company_id) as conn:
        before = documents.version(conn, bot.company_id)
    flow.create(owner, larger)
    _index_all(station)

    with station.r.db.transaction(bot.company_id) as conn:
        assert documents.version(conn, bot.company_id) == before


def test_a_switch_ended_before_its_commit_changes_nothing(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder, tmp_path: object
) -> None:
    station.learn(bot, OPENING)
    _index_all(station)
    flow.create(owner, larger)
    _index_all(station)

    faults.configure("embedding_models.before_switch=raise", tmp_path)  # type: ignore[arg-type]
    try:
        with pytest.raises(InjectedFault):
            flow.switch(owner, "larger")
    finally:
        faults.configure("", None)

    assert _state(station) == {"fake": "active", "larger": "ready"}


def test_a_drop_ended_half_way_is_called_again_and_nobody_writes_to_it_meanwhile(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        station.learn(bot, f"Part {number} of the handbook.")
    _index_all(station)
    flow.create(owner, larger)
    _index_all(station)
    monkeypatch.setattr(flow, "BATCH", 2)
    with pytest.raises(Permanent, match="active"):
        _drop(owner, "fake")

    faults.configure("embedding_models.cleared_some=raise", tmp_path)  # type: ignore[arg-type]
    try:
        with pytest.raises(InjectedFault):
            _drop(owner, "larger")
    finally:
        faults.configure("", None)
    assert _state(station) == {"fake": "active", "larger": "dropping"}
    station.learn(bot, "A page that comes just now.")
    _index_all(station)
    with pytest.raises(Permanent, match="being dropped"):
        flow.create(owner, larger)

    assert _drop(owner, "larger") == 3
    assert station.rows("SELECT count(*), count(DISTINCT model_id) FROM embeddings") == [(6, 1)]


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


# ------------------------------------------------------------------ by hand


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


def test_the_commands_tell_and_do_it(station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder, run: Run) -> None:
    assert "no embedding model yet" in run("embedding-models", "list").out
    station.learn(bot, OPENING)
    _index_all(station)
    flow.create(owner, larger)

    [active, filling] = json.loads(run("embedding-models", "list", "--json").out)
    assert (active["name"], active["state"], active["done"], active["waiting"]) == ("fake", "active", 1, 0)
    assert (filling["name"], filling["state"], filling["done"], filling["waiting"]) == ("larger", "filling", 0, 1)
    assert filling["embedder"] is False, "this command's settings name only the local model"
    shown = run("embedding-models", "progress", "larger")
    told = "larger  filling  6 dimensions  0 of 1 documents  the settings name no embedder for it\n"
    assert (shown.code, shown.out) == (1, told)
    assert "the settings name no embedder 'nobody'" in run("embedding-models", "create", "nobody").err
    assert "there are fake, larger" in run("embedding-models", "switch", "nobody").err
    _index_all(station)

    assert (
        run("embedding-models", "switch", "larger").out
        == "larger is active; fake stays until `embedding-models drop`\n"
    )
    assert "add --yes" in run("embedding-models", "drop", "fake").err
    assert [(model.name, model.state) for model in embedding_models.every(owner)] == [
        ("larger", "active"),
        ("fake", "ready"),
    ]


def test_from_one_local_model_to_the_other_and_back_while_questions_are_answered(
    station: Station, bot: Bot, owner: Conn, tmp_path: Path
) -> None:
    """As after an update whose local model is another one. Killed twice: while filling, and at the switch."""
    old, new = FakeEmbedder(model="all-MiniLM-L6-v2"), FakeEmbedder(model="multilingual-e5-small", baseline=0.75)
    station.r.embedder, chat = old, 0

    def ranked_by(model: str) -> None:
        nonlocal chat
        chat += 1
        assert _asked(station, bot, chat)[0] == model, f"question {chat}"

    station.learn(bot, OPENING)
    for number in range(3):
        station.learn(bot, f"Part {number} of the handbook.")
    _index_all(station)
    ranked_by("all-MiniLM-L6-v2")

    station.r.embedder, station.r.other_embedders = new, [old]
    station.r.embedding_models.forget()
    station.index()  # adds the new first model
    ranked_by("all-MiniLM-L6-v2")
    faults.configure("index.claimed=raise", tmp_path)
    try:
        with pytest.raises(InjectedFault):
            station.index()
    finally:
        faults.configure("", None)
    ranked_by("all-MiniLM-L6-v2")
    assert _state(station)["multilingual-e5-small"] == "filling"
    owner.execute("UPDATE indexing SET due_at = now() WHERE NOT done")  # the dead one's lease ends
    _index_all(station)
    assert _state(station) == {"all-MiniLM-L6-v2": "active", "multilingual-e5-small": "ready"}

    faults.configure("embedding_models.before_switch=raise", tmp_path)
    try:
        with pytest.raises(InjectedFault):
            flow.switch(owner, "multilingual-e5-small")
    finally:
        faults.configure("", None)
    ranked_by("all-MiniLM-L6-v2")
    flow.switch(owner, "multilingual-e5-small")
    station.r.embedding_models.forget()
    ranked_by("multilingual-e5-small")

    station.learn(bot, "A page that comes after the switch.")
    _index_all(station)
    flow.switch(owner, "all-MiniLM-L6-v2")
    station.r.embedding_models.forget()
    ranked_by("all-MiniLM-L6-v2")
    counts = station.rows("SELECT model_id, count(*) FROM embeddings GROUP BY 1 ORDER BY 1")
    assert [count for _, count in counts] == [5, 5], "both have every document, so either may be dropped"
