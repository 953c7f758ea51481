"""What was found a moment ago is answered without asking what the question means, and never when it holds no more."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.cache import metrics
from shared.cache.two_level import TwoLevel
from shared.errors import ModelUnavailable
from shared.knowledge.asking import Question
from shared.knowledge.conversation import Said
from shared.knowledge.embedding_models import Understood
from shared.knowledge.remembered import RESULTS_TTL_S, Results
from shared.store.knowledge.embedding_models import EmbeddingModel
from tasks.knowledge import index
from tests.factories import Bot, make_bot
from tests.integration.station import Station

ASKED = "When do you open?"


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    _index(station)
    return bot


def _index(station: Station) -> None:
    while station.index() is not index.Result.NOTHING_DUE:
        pass


def _another_process(station: Station) -> None:
    """It has this process' Redis and nothing of its memory, but has searched for the company before."""
    r = station.r
    seen = r.results
    r.results = Results(TwoLevel(r.cache, r.clock, ttl_s=RESULTS_TTL_S, entries=10))
    for company_id, version in seen._versions.items():
        r.results.saw(company_id, version)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["from memory", "from Redis"])
def test_what_is_remembered_is_answered_without_an_embedder(station: Station, bot: Bot, elsewhere: bool) -> None:
    question = Question(bot.company_id, [ASKED], 5)
    understood, first = station.r.ask(question)
    assert [passage.title for passage in first] == ["Opening hours"]
    station.embedder.asked.clear()
    station.embedder.error = ModelUnavailable("away", retry_after_s=1.0)
    if elsewhere:
        _another_process(station)

    again, found = station.r.ask(question, lambda known: pytest.fail("nobody needs to know what it means"))

    assert found == first
    assert (again.embedding_model, again.how) == (understood.embedding_model, "active")
    assert station.embedder.asked == []


def test_a_question_that_differs_in_anything_is_asked_anew(station: Station, bot: Bot) -> None:
    station.r.ask(Question(bot.company_id, [ASKED], 5))
    others = [
        Question(bot.company_id, ["When do you close?"], 5),
        Question(bot.company_id, [ASKED], 4),
        Question(bot.company_id, [ASKED], 5, asker="guest"),
        Question(bot.company_id, [ASKED], 5, before=[Said("the shop", 0.5, 0.5)]),
        Question(make_bot(station.inbox.server.admin_url).company_id, [ASKED], 5),
    ]
    for other in others:
        asked: list[str] = []

        def understand(
            known: Sequence[EmbeddingModel], asked: list[str] = asked, other: Question = other
        ) -> Understood:
            asked.append(ASKED)
            return station.r.understand(other.lines, known=known)

        station.r.ask(other, understand)
        assert asked == [ASKED], other


def test_what_has_changed_meanwhile_is_understood_and_found_anew(station: Station, bot: Bot) -> None:
    question = Question(bot.company_id, [ASKED], 5)
    station.r.ask(question)
    here = station.r.results
    station.r.results = Results(TwoLevel(station.r.cache, station.r.clock, ttl_s=300, entries=10))
    station.learn(bot, "On Sundays the doors open at ten.")  # with what another process sees of it
    _index(station)
    station.r.results = here

    understood, found = station.r.ask(question)

    assert sorted(passage.text for passage in found) == [
        "On Sundays the doors open at ten.", "The shop opens at nine in the morning.",
    ]  # fmt: skip
    assert understood.meanings
    assert all(passage.cosine is not None for passage in found)
    assert station.r.ask(question, lambda known: pytest.fail("the new one is remembered"))[1] == found


def test_of_a_burst_what_is_missing_is_looked_up_once(station: Station, bot: Bot) -> None:
    station.r.ask(Question(bot.company_id, [ASKED], 5))  # one of its lines is known
    counted: list[tuple[str, str]] = []

    def count(kind: str, where: str, by: float = 1) -> None:
        counted.append((kind, where))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(metrics.CACHE, "inc", count)
        _, found = station.r.ask(Question(bot.company_id, ["Can I get a refund?", ASKED], 5))

    assert found
    lookups = [where for kind, where in counted if kind == "found"]
    assert lookups.count("nowhere") == 2  # the burst and its first line
    assert len(station.embedder.asked[-1]) == 2  # of three questions the known one's vector is known, too


def test_without_the_active_models_embedder_nothing_is_recalled_as_its(station: Station, bot: Bot) -> None:
    station.r.ask(Question(bot.company_id, [ASKED], 5))
    station.embedder.model = "another"  # which is not in the database yet

    understood, found = station.r.ask(Question(bot.company_id, [ASKED], 5))

    assert (understood.embedding_model, understood.how) == (None, "words")
    assert [passage.cosine for passage in found] == [None]
