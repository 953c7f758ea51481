"""Which embedding model ranks: the active one, another full one where its embedder is away, and never one half full."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.embedded import Database
from shared.errors import ModelUnavailable, Permanent
from shared.knowledge.embedding_models import EmbeddingModels
from shared.resilience.breaker import BreakerOpen
from shared.store.db.pool import Conn
from shared.store.knowledge import embedding_models
from tasks.knowledge import embedding_models as flow
from tasks.knowledge.index import Result
from tests.embedder import FakeEmbedder
from tests.factories import Bot
from tests.integration.embedding_model_steps import OPENING, asked, index_all, receipt
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=0.3)
    yield station
    station.close()


def test_an_embedder_that_is_away_has_another_filled_model_rank_and_then_the_words(
    station: Station, bot: Bot, owner: Conn, larger: FakeEmbedder
) -> None:
    station.learn(bot, OPENING)
    index_all(station)
    flow.create(owner, larger)
    index_all(station)

    station.embedder.error = BreakerOpen("open", retry_after_s=60)
    model, cosine = asked(station, bot, 1)
    assert (model, float(str(cosine)) > 0.9) == ("larger", True)

    larger.error = ModelUnavailable("away")
    station.receive(bot, "When are the doors open?", chat=2)  # its vector is not remembered
    station.answer()
    assert receipt(station) == (None, None)

    station.embedder.error = None
    station.receive(bot, "At what hour may I visit?", chat=3)
    station.answer()
    assert receipt(station)[0] == "fake"


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
    index_all(station)
    flow.create(owner, larger)
    station.r.embedding_models.forget()
    station.embedder.error = ModelUnavailable("away")

    assert asked(station, bot, 1) == (None, None)
    assert larger.asked == [[flow.PROBE]]


def test_a_model_that_answers_with_another_dimension_ranks_nothing_and_stores_nothing(
    station: Station, bot: Bot, owner: Conn
) -> None:
    station.learn(bot, OPENING)
    index_all(station)

    station.r.embedder = FakeEmbedder(wider=True)  # another model under the same name
    assert asked(station, bot, 1) == (None, None)
    station.learn(bot, "Broken things are repaired.")
    assert station.index() is Result.RETRY
    assert station.rows("SELECT count(*) FROM embeddings") == [(1,)]
    with pytest.raises(Permanent, match="another dimension"):
        flow.create(owner, station.r.embedder)
    with pytest.raises(Permanent, match="6 dimensions, not 5"):
        flow.create(owner, station.r.embedder, 5)
