"""From one embedding model to another: the new one is filled beside the old one, and one is searched at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import faults
from shared.embedded import Database
from shared.errors import Permanent
from shared.faults import InjectedFault
from shared.store.db.pool import Conn
from shared.store.knowledge import embedding_models, vector_indexes
from tasks.knowledge import embedding_models as flow
from tests.embedder import FakeEmbedder
from tests.factories import Bot
from tests.integration.command_line import Run
from tests.integration.embedding_model_steps import OPENING, asked, drop, index_all, states
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=0.3)
    yield station
    station.close()


def test_a_new_model_is_filled_while_the_old_one_serves_then_switched_and_the_old_one_dropped(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    index_all(station)
    assert asked(station, bot, 1)[0] == "fake"

    made = flow.create(owner, larger)
    station.r.embedding_models.forget()
    assert (made.state, made.dimension) == ("filling", 6)
    assert asked(station, bot, 2)[0] == "fake", "nothing is in the new one yet"
    with pytest.raises(Permanent, match="still filling"):
        flow.switch(owner, "larger")

    index_all(station)
    assert states(station) == {"fake": "active", "larger": "ready"}
    assert asked(station, bot, 3)[0] == "fake"

    flow.switch(owner, "larger")
    station.r.embedding_models.forget()
    model, cosine = asked(station, bot, 4)
    assert (model, float(str(cosine)) > 0.9) == ("larger", True)
    assert states(station) == {"fake": "ready", "larger": "active"}

    for model, dimension, partition in station.rows(
        "SELECT s.id, s.dimension, e.tableoid::regclass::text FROM embeddings e"
        " JOIN embedding_models s ON s.id = e.model_id"
    ):
        index = vector_indexes.VectorIndex(
            bot.company_id, int(str(model)), int(str(dimension)), 1, str(partition), "absent"
        )
        vector_indexes.build(owner, index)
    assert drop(owner, "fake") == 1
    assert states(station) == {"larger": "active"}
    assert station.rows("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'embeddings_hnsw_%%'") == [(1,)]
    assert station.rows("SELECT count(*) FROM indexing") == [(1,)]
    station.r.embedder, station.r.other_embedders = larger, []
    station.r.embedding_models.forget()
    assert asked(station, bot, 5)[0] == "larger"


def test_another_first_model_is_filled_by_itself_and_the_model_that_was_there_serves_on(
    station: Station, bot: Bot, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    index_all(station)

    station.r.embedder, station.r.other_embedders = larger, [station.embedder]  # EMBEDDINGS_MODEL is another one
    station.r.embedding_models.forget()
    assert asked(station, bot, 1)[0] == "fake"
    index_all(station)

    assert states(station) == {"fake": "active", "larger": "ready"}
    assert asked(station, bot, 2)[0] == "fake", "only a person switches"


def test_a_switch_ended_before_its_commit_changes_nothing(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder, tmp_path: object
) -> None:
    station.learn(bot, OPENING)
    index_all(station)
    flow.create(owner, larger)
    index_all(station)

    faults.configure("embedding_models.before_switch=raise", tmp_path)  # type: ignore[arg-type]
    try:
        with pytest.raises(InjectedFault):
            flow.switch(owner, "larger")
    finally:
        faults.configure("", None)

    assert states(station) == {"fake": "active", "larger": "ready"}


def test_a_drop_ended_half_way_is_called_again_and_nobody_writes_to_it_meanwhile(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        station.learn(bot, f"Part {number} of the handbook.")
    index_all(station)
    flow.create(owner, larger)
    index_all(station)
    monkeypatch.setattr(flow, "BATCH", 2)
    with pytest.raises(Permanent, match="active"):
        drop(owner, "fake")

    faults.configure("embedding_models.cleared_some=raise", tmp_path)  # type: ignore[arg-type]
    try:
        with pytest.raises(InjectedFault):
            drop(owner, "larger")
    finally:
        faults.configure("", None)
    assert states(station) == {"fake": "active", "larger": "dropping"}
    station.learn(bot, "A page that comes just now.")
    index_all(station)
    with pytest.raises(Permanent, match="being dropped"):
        flow.create(owner, larger)

    assert drop(owner, "larger") == 3
    assert station.rows("SELECT count(*), count(DISTINCT model_id) FROM embeddings") == [(6, 1)]


def test_the_commands_tell_and_do_it(station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder, run: Run) -> None:
    assert "no embedding model yet" in run("embedding-models", "list").out
    station.learn(bot, OPENING)
    index_all(station)
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
    index_all(station)

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
        assert asked(station, bot, chat)[0] == model, f"question {chat}"

    station.learn(bot, OPENING)
    for number in range(3):
        station.learn(bot, f"Part {number} of the handbook.")
    index_all(station)
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
    assert states(station)["multilingual-e5-small"] == "filling"
    owner.execute("UPDATE indexing SET due_at = now() WHERE NOT done")  # the dead one's lease ends
    index_all(station)
    assert states(station) == {"all-MiniLM-L6-v2": "active", "multilingual-e5-small": "ready"}

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
    index_all(station)
    flow.switch(owner, "all-MiniLM-L6-v2")
    station.r.embedding_models.forget()
    ranked_by("all-MiniLM-L6-v2")
    counts = station.rows("SELECT model_id, count(*) FROM embeddings GROUP BY 1 ORDER BY 1")
    assert [count for _, count in counts] == [5, 5], "both have every document, so either may be dropped"
