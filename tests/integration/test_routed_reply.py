"""A turn is answered by the models that its company's route names, and its receipt says by which."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared.store.db.vault import Vault
from shared.store.models import providers, routes
from shared.store.models.providers import Kind, Model, NewProvider, changed_topics
from shared.store.models.routes import NewStep
from standin.client import Standin
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, Bot, make_bot
from tests.integration.answered import replies
from tests.integration.station import Station

KEY = "sk-of-the-installation"
SAID = "It opens at nine in the morning [1]."


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_key(KEY)
    return process.client


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def provider(station: Station, standin: Standin, name: str, *models: str, kind: Kind = "chat") -> int:
    sealed = Vault([ENCRYPTION_KEY]).seal({"api_key": KEY})
    listed = tuple(Model(one, kind) for one in models)
    new = NewProvider(None, name, standin.openai_url, sealed, "", listed, paid=False)
    with psycopg.connect(station.inbox.server.admin_url) as conn:
        return providers.add(conn, new)


def route(station: Station, purpose: str, *steps: tuple[int, str]) -> None:
    with psycopg.connect(station.inbox.server.admin_url) as conn:
        routes.replace_steps(conn, None, purpose, [NewStep(*step) for step in steps])
    for topic in changed_topics(None):
        station.r.invalidations.tell(topic)


def ask(station: Station, bot: Bot) -> list[tuple[str, str, str]]:
    """Have a question answered; (provider, model, outcome) of each call."""
    before = len(station.rows("SELECT 1 FROM llm_calls"))
    station.receive(bot, "When does the shop open in the morning?")
    station.answer()
    calls = station.rows("SELECT provider, model, outcome FROM llm_calls ORDER BY turn_id, attempt")
    return [(str(provider), str(model), str(outcome)) for provider, model, outcome in calls[before:]]


def test_the_route_is_asked_from_the_next_turn_on(station: Station, bot: Bot, standin: Standin) -> None:
    assert ask(station, bot) == [("model", "small", "ok")]
    house = provider(station, standin, "house", "large", "spare")
    route(station, "answer", (house, "large"), (house, "spare"))
    standin.script(SAID, model="large")
    assert ask(station, bot) == [("house", "large", "ok")]
    assert replies(station)[-1] == SAID
    standin.fault("openai", "form", variant="refusal", model="large")
    standin.script(SAID, model="spare")
    assert ask(station, bot) == [("house", "large", "refused"), ("house", "spare", "ok")]
    assert station.rows("SELECT step FROM receipts ORDER BY turn_id") == [("full",), ("full",), ("cheaper",)]
    route(station, "answer")
    assert ask(station, bot) == [("model", "small", "ok")]


def test_a_stream_that_breaks_off_each_time_is_answered_by_the_next_step(
    station: Station, bot: Bot, standin: Standin
) -> None:
    house = provider(station, standin, "house", "large", "spare")
    route(station, "answer", (house, "large"), (house, "spare"))
    standin.script(SAID, SAID, SAID, model="large")
    standin.script(SAID, model="spare")
    standin.fault("openai", "drop_midway", cut_after_bytes=500, model="large", count=None)
    calls = ask(station, bot)
    assert {call[2] for call in calls[:-1]} == {"transport"}
    assert calls[-1] == ("house", "spare", "ok")
    assert replies(station) == [SAID]


def test_passages_are_reordered_by_the_route_s_reranker(station: Station, bot: Bot, standin: Standin) -> None:
    station.learn(bot, "In winter the shop opens at ten in the morning.")
    judge = provider(station, standin, "judge", "orders", kind="rerank")
    route(station, "rerank", (judge, "orders"))
    station.receive(bot, "When does the shop open in the morning?")
    station.answer()
    assert [one["model"] for one in standin.attempts() if one["method"] == "rerank"] == ["orders"]
    standin.fault("openai", "status", status=500, method="rerank", count=None)
    station.receive(bot, "When does the shop open in the morning now?")
    station.answer()  # its order is the search's
    assert len(replies(station)) == 2
