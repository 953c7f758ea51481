"""Fallback steps with several models, what answers cost, and a company's budget."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.llm.router import Router
from shared.money import Price
from shared.resources import open_resources
from shared.store.answers import usage
from shared.store.models import prices
from standin.process import StandinProcess
from tasks.answers import reply
from tasks.answers.leases import Leases
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot, settings_for
from tests.integration.station import FakeModel, Station

QUESTION = "When does the shop open?"


@pytest.fixture
def second(station: Station) -> FakeModel:
    """A cheaper model behind the station's own."""
    return station.add_cheaper_model()


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url, "Shoe shop")
    station.learn(bot)
    return bot


def _price(station: Station, model: str, in_micros: int, out_micros: int) -> None:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        prices.set_prices(conn, [prices.Named(model, "", Price(in_micros, out_micros))])


def _budget(station: Station, bot: Bot, tokens: int | None) -> None:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        usage.set_budget(conn, bot.company_id, tokens)


def _fallback_steps(station: Station) -> list[list[tuple[str, str | None]]]:
    found = station.rows("SELECT fallback_steps FROM receipts ORDER BY turn_id")
    return [[(tried["step"], tried["left"]) for tried in steps] for (steps,) in found]


def _steps(station: Station) -> list[tuple[str, str]]:
    return [(step, reason) for step, reason in station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")]


def _usage(station: Station) -> list[tuple[Any, ...]]:
    return station.rows("SELECT company_id, calls, tokens_in, tokens_out, cost_micros FROM usage_daily")


# ------------------------------------------------------------------ fallback steps


def test_a_second_model_s_answer_is_a_step_of_its_own_and_every_attempt_is_told(
    station: Station, bot: Bot, second: FakeModel
) -> None:
    station.model.status = 401
    station.receive(bot, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert _steps(station) == [("cheaper", "model")]
    assert _fallback_steps(station) == [[("full", "llm_credentials"), ("cheaper", None)]]
    assert station.rows(
        "SELECT attempt, provider, model, step, outcome, tokens_in, tokens_out FROM llm_calls ORDER BY attempt"
    ) == [
        (1, "first", "large", "full", "llm_credentials", 0, 0),
        (2, "second", "small", "cheaper", "ok", 20, 5),
    ]


def test_when_every_model_fails_the_way_down_to_the_passages_is_told(
    station: Station, bot: Bot, second: FakeModel
) -> None:
    station.model.status, second.status = 401, 404
    station.receive(bot, QUESTION)

    station.answer()

    assert _steps(station) == [("passages", "model_unavailable")]
    assert _fallback_steps(station) == [[("full", "llm_credentials"), ("cheaper", "llm_not_found"), ("passages", None)]]


def test_an_answer_of_the_cheaper_model_that_cites_nothing_goes_to_a_person(
    station: Station, bot: Bot, second: FakeModel
) -> None:
    station.model.status, second.text = 401, "I am sure that it is nine."
    station.receive(bot, QUESTION)

    station.answer()

    assert _fallback_steps(station) == [[("full", "llm_credentials"), ("cheaper", "uncited"), ("unknown", None)]]


def test_what_nobody_knows_is_told_as_such(station: Station, bot: Bot) -> None:
    station.receive(bot, "Quantum chromodynamics?")

    station.answer()

    assert _fallback_steps(station) == [
        [("full", "nothing_relevant"), ("passages", "nothing_relevant"), ("unknown", None)]
    ]


def test_a_real_provider_that_is_down_is_left_alone_by_the_whole_fleet(
    station: Station, bot: Bot, database: Database, redis_url: str
) -> None:
    with ExitStack() as stack:
        standin = stack.enter_context(StandinProcess())
        standin.client.register_key("key")
        standin.client.fault("openai", "status", count=None, model="large", status=503)
        api = {"base_url": f"{standin.base_url}/v1", "api_key": "key", "model": "small"}
        configured = settings_for(
            database, redis_url, LLM_BASE_URL=api["base_url"], LLM_API_KEY="key", LLM_MODEL="large",
            LLM_FALLBACKS=json.dumps([api]), TELEGRAM_API_URL=standin.base_url, RELEVANCE_THRESHOLD=0.05,
        )  # fmt: skip
        processes = [open_resources(configured, name=f"test {number}") for number in range(2)]
        for r in processes:
            stack.callback(r.close)
        one, two = processes
        for number, r in enumerate((one, two, two)):  # three failures, the fourth and the fifth, none
            station.receive(bot, QUESTION, chat=number + 1)
            answered, _ = reply.answer_next_turn(r, Leases(r.db, r.clock, lease_s=configured.answers.lease_s), 0)
            assert answered is Result.ANSWERED

        assert len(standin.client.completions(model="large")) == 5
        assert len(standin.client.completions(model="small", outcome="ok")) == 3
    assert [step for step, _ in _steps(station)] == ["cheaper"] * 3
    assert _fallback_steps(station)[-1] == [("full", "breaker_open"), ("cheaper", None)]


# ------------------------------------------------------------------ what it costs


def test_an_answer_s_cost_stands_on_its_receipt_and_in_the_company_s_day(station: Station, bot: Bot) -> None:
    _price(station, "small", 150_000, 600_000)
    for chat in (1, 2):
        station.receive(bot, QUESTION, chat=chat)
        station.answer()

    # 20 tokens in at 0.15 and 5 out at 0.60 a million: 3 + 3 millionths
    assert station.rows("SELECT cost_micros FROM receipts") == [(6,), (6,)]
    assert station.rows("SELECT cost_micros FROM llm_calls") == [(6,), (6,)]
    assert _usage(station) == [(bot.company_id, 2, 40, 10, 12)]


def test_a_model_that_may_cost_money_is_not_asked_without_a_price_and_nothing_is_charged(
    station: Station, bot: Bot
) -> None:
    """No budget could bound it. The price is heard of once it is set."""
    assert station.r.router is not None
    station.r.router = Router([replace(station.r.router.steps[0], paid=True)])
    station.receive(bot, QUESTION)
    station.answer()

    assert (_steps(station), station.model.asked) == ([("passages", "model_unavailable")], [])
    assert _fallback_steps(station) == [[("full", "price_unknown"), ("passages", None)]]
    assert station.rows("SELECT cost_micros FROM receipts") == [(0,)]
    assert _usage(station) == []

    _price(station, "small", 150_000, 600_000)
    station.r.invalidations.tell("model_prices")
    station.receive(bot, QUESTION, chat=2)
    station.answer()

    assert _steps(station)[1] == ("full", "model")
    assert _usage(station) == [(bot.company_id, 1, 20, 5, 6)]


def test_a_model_of_our_own_costs_nothing_without_a_price(station: Station, bot: Bot) -> None:
    station.receive(bot, QUESTION)
    station.answer()

    assert station.rows("SELECT cost_micros FROM receipts") == [(0,)]
    assert station.rows("SELECT purpose, unpriced, cost_micros FROM usage_models") == [("answer", 0, 0)]


def test_an_answer_that_was_overtaken_is_paid_for_too(station: Station, bot: Bot) -> None:
    _price(station, "small", 1_000_000, 1_000_000)
    station.model.meanwhile.append(lambda: station.receive(bot, "I mean on Sundays"))
    station.receive(bot, QUESTION)
    assert station.answer() is Result.CANCELLED
    assert _usage(station) == [(bot.company_id, 1, 20, 5, 25)]
    station.time_passes()

    assert station.answer() is Result.ANSWERED

    assert _usage(station) == [(bot.company_id, 2, 40, 10, 50)]
    assert station.rows("SELECT cost_micros FROM receipts") == [(25,)]


def test_calls_that_were_never_made_are_told_and_not_counted(station: Station, bot: Bot) -> None:
    station.model.status = 401
    for chat in range(6):  # five refusals open the breaker
        station.receive(bot, QUESTION, chat=chat + 1)
        station.answer()

    assert station.rows("SELECT outcome FROM llm_calls ORDER BY turn_id")[-1] == ("breaker_open",)
    assert _usage(station) == [(bot.company_id, 5, 0, 0, 0)]


def test_a_receipt_that_cannot_be_stored_leaves_no_trace_of_usage(station: Station, bot: Bot) -> None:
    station.execute("ALTER TABLE usage_daily ADD CONSTRAINT broken CHECK (false)")
    station.receive(bot, QUESTION)

    assert station.answer() is Result.RETRY

    assert station.rows("SELECT 1 FROM receipts") == station.rows("SELECT 1 FROM llm_calls") == []


def test_calls_are_kept_by_day(station: Station, bot: Bot) -> None:
    station.execute("SELECT switchboard_make_partition('llm_calls', (now() AT TIME ZONE 'UTC')::date)")
    station.receive(bot, QUESTION)

    station.answer()

    [(partition,)] = station.rows("SELECT tableoid::regclass::text FROM llm_calls")
    assert partition.startswith("llm_calls_2")


# ------------------------------------------------------------------ the budget


def test_a_company_over_its_budget_gets_passages_and_another_company_its_model(station: Station, bot: Bot) -> None:
    other = make_bot(station.inbox.server.admin_url)
    station.learn(other)
    _budget(station, bot, 25)
    for number, whose in enumerate((bot, bot, other), 1):
        station.receive(whose, QUESTION, chat=number)
        station.answer()

    assert _steps(station) == [("full", "model"), ("passages", "budget"), ("full", "model")]
    assert _fallback_steps(station)[1] == [("full", "budget"), ("passages", None)]
    assert len(station.model.asked) == 2


def test_yesterday_s_tokens_and_a_lifted_budget_bind_nobody(station: Station, bot: Bot) -> None:
    _budget(station, bot, 25)
    station.receive(bot, QUESTION)
    station.answer()
    station.execute("UPDATE usage_daily SET day = day - 1")
    station.receive(bot, QUESTION, chat=2)
    station.answer()
    _budget(station, bot, None)
    station.receive(bot, QUESTION, chat=3)
    station.answer()

    assert _steps(station) == [("full", "model")] * 3


def test_a_budget_of_nothing_asks_no_model(station: Station, bot: Bot) -> None:
    _budget(station, bot, 0)
    station.receive(bot, QUESTION)

    station.answer()

    assert (_steps(station), station.model.asked) == ([("passages", "budget")], [])
