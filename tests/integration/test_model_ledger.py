"""The ledger of models' calls: a row for each, whatever it was for, and sums that are always the rows'."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest

from shared.embedded import Database
from shared.llm.embeddings import RemoteEmbedder
from shared.llm.rerank import Reranker
from shared.model import ModelAttempt
from shared.money import Price
from shared.store.db.pool import Conn, set_companies
from shared.store.models import prices, usage
from tasks.answers.reply import Result
from tasks.knowledge import index
from tests.embedder import FakeEmbedder
from tests.factories import Bot, make_bot, new_key, settings_for
from tests.integration.gateway_client import running_gateway
from tests.integration.station import Station
from tests.services import Services

QUESTION = "When does the shop open?"
CALL = ModelAttempt("one", "m", "ok", 5, 20, 5)


@pytest.fixture
def owner(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def bot(database: Database, owner: Conn) -> Bot:
    """With customers from 1 to 8."""
    bot = make_bot(database.admin_url, "Shoe shop")
    owner.execute(
        "INSERT INTO contacts (company_id, id, channel_id, external_id) OVERRIDING SYSTEM VALUE"
        " SELECT %s, n, %s, 'customer ' || n FROM generate_series(1, 8) n",
        (bot.company_id, bot.channel_id),
    )
    return bot


def _price(conn: Conn, model: str, in_micros: int, out_micros: int) -> None:
    prices.set_prices(conn, [prices.Named(model, "", Price(in_micros, out_micros))])


def _rows(conn: Conn, query: str) -> list[tuple[Any, ...]]:
    return conn.execute(query.encode()).fetchall()


def _add(database: Database, company: int, *calls: ModelAttempt, **whose: int) -> int | None:
    with psycopg.connect(database.url) as conn:
        set_companies(conn, [company])
        return usage.add(conn, company, calls, **whose)


# ------------------------------------------------------------------ rows and sums


def test_calls_of_every_purpose_are_rows_and_sums(database: Database, owner: Conn, bot: Bot) -> None:
    _price(owner, "m", 1_000_000, 2_000_000)
    company = bot.company_id

    cost = _add(database, company, CALL, replace(CALL, purpose="triage", cached_in=8, reasoning_out=2), contact_id=7)
    also = _add(database, company, replace(CALL, purpose="embedding", tokens_out=0), turn_id=3, epoch=2)

    assert (cost, also) == (60, 20)
    assert _rows(
        owner,
        "SELECT purpose, contact_id, turn_id, epoch, attempt, cached_in, reasoning_out, cost_micros FROM llm_calls"
        " ORDER BY turn_id NULLS FIRST, attempt",
    ) == [
        ("answer", 7, None, 0, 1, 0, 0, 30),
        ("triage", 7, None, 0, 2, 8, 2, 30),
        ("embedding", None, 3, 2, 1, 0, 0, 20),
    ]  # fmt: skip
    assert _rows(
        owner,
        "SELECT purpose, provider, model, calls, tokens_in, cached_in, tokens_out, reasoning_out, cost_micros"
        " FROM usage_models ORDER BY purpose",
    ) == [
        ("answer", "one", "m", 1, 20, 0, 5, 0, 30),
        ("embedding", "one", "m", 1, 20, 0, 0, 0, 20),
        ("triage", "one", "m", 1, 20, 8, 5, 2, 30),
    ]
    assert _rows(owner, "SELECT contact_id, cost_micros FROM contact_days") == [(7, 60)]
    # a budget of tokens is one of what is written
    assert _rows(owner, "SELECT calls, tokens_in, tokens_out, cost_micros FROM usage_daily") == [(2, 40, 10, 80)]


def test_what_has_no_price_is_unknown_and_what_is_ours_costs_nothing(database: Database, owner: Conn, bot: Bot) -> None:
    _price(owner, "m", 1_000_000, 1_000_000)
    company, failed = bot.company_id, replace(CALL, outcome="timeout", tokens_in=0, tokens_out=0, model="other")

    assert _add(database, company, replace(CALL, model="other", paid=False)) == 0
    assert _add(database, company, failed) == 0
    assert _add(database, company, CALL, replace(CALL, model="other")) is None

    assert _rows(owner, "SELECT model, calls, failed, unpriced, cost_micros FROM usage_models ORDER BY 1") == [
        ("m", 1, 0, 0, 25), ("other", 3, 1, 1, 0),
    ]  # fmt: skip
    assert _rows(owner, "SELECT cost_micros FROM usage_daily") == [(25,)]


def test_what_was_never_sent_is_told_and_not_counted(database: Database, owner: Conn, bot: Bot) -> None:
    for outcome in ("breaker_open", "saturated", "price_unknown"):
        assert _add(database, bot.company_id, replace(CALL, outcome=outcome, tokens_in=0, tokens_out=0)) == 0

    assert len(_rows(owner, "SELECT 1 FROM llm_calls")) == 3
    for sums in ("usage_models", "usage_daily", "contact_days"):
        assert _rows(owner, f"SELECT 1 FROM {sums}") == []


def test_many_at_once_add_up_to_the_ledger_without_a_deadlock(database: Database, owner: Conn, bot: Bot) -> None:
    _price(owner, "a", 1_000_000, 1_000_000)
    _price(owner, "b", 3_000_000, 3_000_000)
    errors: list[BaseException] = []
    barrier = threading.Barrier(8, timeout=30)

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            with psycopg.connect(database.url, autocommit=True) as conn:
                barrier.wait()
                for _ in range(25):
                    calls = [
                        replace(CALL, model=rng.choice("ab"), purpose=rng.choice(("answer", "triage", "rerank")))
                        for _ in range(rng.randint(1, 4))
                    ]
                    with conn.transaction():
                        set_companies(conn, [bot.company_id])
                        usage.add(conn, bot.company_id, calls, contact_id=rng.randint(1, 3))
        except BaseException as e:  # noqa: BLE001  told by the test's own thread
            errors.append(e)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    ledger = _rows(owner, "SELECT sum(cost_micros), sum(tokens_in), count(*) FROM llm_calls")
    assert ledger[0][2] >= 200
    assert _rows(owner, "SELECT sum(cost_micros), sum(tokens_in), sum(calls) FROM usage_models") == ledger
    assert _rows(owner, "SELECT cost_micros FROM usage_daily") == [(ledger[0][0],)]
    assert _rows(owner, "SELECT contact_id, cost_micros::numeric FROM contact_days ORDER BY 1") == _rows(
        owner, "SELECT contact_id, sum(cost_micros) FROM llm_calls GROUP BY 1 ORDER BY 1"
    )


def test_nothing_is_added_for_another_company(database: Database, bot: Bot) -> None:
    other = make_bot(database.admin_url)
    with psycopg.connect(database.url) as conn:
        set_companies(conn, [bot.company_id])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            usage.add(conn, other.company_id, [CALL])


# ------------------------------------------------------------------ over HTTP


def test_a_company_sees_what_its_models_were_used_for_and_nobody_else_s(
    services: Services, database: Database, owner: Conn, bot: Bot
) -> None:
    other = make_bot(database.admin_url)
    _price(owner, "m", 1_000_000, 2_000_000)
    _add(database, bot.company_id, CALL, replace(CALL, purpose="triage", outcome="timeout"), contact_id=7)
    _add(database, bot.company_id, replace(CALL, model="new"), contact_id=8)
    _add(database, other.company_id, CALL)
    key = {"authorization": f"Bearer {new_key(owner, bot.company_id)}"}

    with services.redis_database() as url, running_gateway(settings_for(database, url)) as gateway:

        def asked(**query: Any) -> list[tuple[str, int, int, int, int]]:
            found: list[tuple[str, int, int, int, int]] = []
            while True:
                page = gateway.get("/api/v1/usage", params=query, headers=key).json()
                found += [(u["key"], u["calls"], u["failed"], u["unpriced"], u["cost_micros"]) for u in page["usage"]]
                if page["next_cursor"] is None:
                    return found
                query["cursor"] = page["next_cursor"]

        assert asked() == [("answer", 2, 0, 1, 30), ("triage", 1, 1, 0, 30)]
        assert asked(by="model", limit=1) == [("one/m", 2, 1, 0, 60), ("one/new", 1, 0, 1, 0)]
        assert asked(by="contact", limit=1) == [("7", 2, 1, 0, 60), ("8", 1, 0, 1, 0)]
        assert [line[1:] for line in asked(by="day", days=1)] == [(3, 1, 1, 60)]
        for query in ({"by": "company"}, {"days": 0}, {"days": 801}, {"cursor": "x"}, {"nothing": 1}):
            assert gateway.get("/api/v1/usage", params=query, headers=key).status_code == 422
        assert gateway.get("/api/v1/usage").status_code == 401


# ------------------------------------------------------------------ whoever calls


class FakeEmbeddings:
    """An embeddings API. status: what it answers with; usage: what it says that a call used."""

    def __init__(self, station: Station) -> None:
        self.status, self.usage = 200, {"prompt_tokens": 9, "total_tokens": 9}
        self._like = FakeEmbedder()
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        station.r.embedder = RemoteEmbedder(
            http, station.r.loop, base_url="https://api.openai.com/v1", api_key="k", model=self._like.model
        )

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.status != 200:
            return httpx.Response(self.status, json={"error": {"message": "no"}})
        vectors = self._like.embed(json.loads(request.content)["input"], deadline_s=1)
        data = [{"index": place, "embedding": list(vector)} for place, vector in enumerate(vectors)]
        return httpx.Response(200, json={"data": data, "usage": self.usage})


LEDGER = (
    "SELECT purpose, provider, outcome, tokens_in, estimated, turn_id IS NULL, contact_id IS NULL FROM llm_calls"
    " ORDER BY at, attempt"
)


def test_documents_and_questions_that_are_embedded_stand_in_the_ledger(station: Station) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    FakeEmbeddings(station)
    station.learn(bot)
    while station.index() is not index.Result.NOTHING_DUE:
        pass
    assert station.rows(LEDGER) == [("embedding", "api.openai.com", "ok", 9, False, True, True)]
    station.receive(bot, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert station.rows(LEDGER)[1:] == [
        ("answer", "model", "ok", 20, False, False, False),
        ("embedding", "api.openai.com", "ok", 9, False, False, False),
    ]
    assert station.rows("SELECT jsonb_array_length(attempts) FROM receipts") == [(1,)]
    station.receive(bot, QUESTION, chat=6)  # known by now
    station.answer()
    assert len(station.rows(LEDGER)) == 4


def test_passages_that_are_ranked_stand_in_the_ledger(station: Station) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    station.learn(bot, "The shop opens at ten on Sundays.")

    async def rank(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["documents"]
        rows = [{"index": place, "relevance_score": 1.0 - place / 10} for place in range(len(texts))]
        return httpx.Response(200, json={"results": rows, "usage": {"total_tokens": 77}})

    station.r.reranker = Reranker(
        httpx.AsyncClient(transport=httpx.MockTransport(rank)), station.r.loop, base_url="https://api.jina.ai/v1",
        api_key="k", model="jina-reranker",
    )  # fmt: skip
    station.receive(bot, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert ("rerank", "api.jina.ai", "ok", 77, False, False, False) in station.rows(LEDGER)
    assert station.rows("SELECT calls, tokens_in FROM usage_daily") == [(1, 20)]


def test_an_embedder_that_fails_stands_in_the_ledger_too(station: Station) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    api = FakeEmbeddings(station)
    station.learn(bot)
    station.index()
    api.status = 401
    station.receive(bot, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert ("embedding", "api.openai.com", "llm_credentials", 0, True, False, False) in station.rows(LEDGER)
    station.learn(bot, "The shop closes at six.")
    assert station.index() is index.Result.RETRY
    assert station.rows(LEDGER)[-1] == ("embedding", "api.openai.com", "llm_credentials", 0, True, True, True)
    assert station.rows("SELECT failed FROM usage_models WHERE purpose = 'embedding'") == [(2,)]


def test_an_answer_that_cannot_be_stored_leaves_the_calls_on_its_way(station: Station) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    FakeEmbeddings(station)
    station.learn(bot)
    station.index()
    station.receive(bot, QUESTION)
    station.execute("ALTER TABLE receipts ADD CONSTRAINT broken CHECK (false)")

    assert station.answer() is Result.RETRY

    assert [row[0] for row in station.rows(LEDGER)] == ["embedding", "answer", "embedding"]


def test_a_provider_that_counts_nothing_is_counted_by_us(station: Station) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    FakeEmbeddings(station).usage = {}
    station.learn(bot)

    station.index()

    [(purpose, _, outcome, tokens, estimated, *_)] = station.rows(LEDGER)
    assert (purpose, outcome, estimated) == ("embedding", "ok", True)
    assert 10 < tokens < 30
