"""Budgets on the way to an answer: what is reserved, settled, refused, and what becomes of it when something goes
wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.errors import DatabaseUnavailable
from shared.llm.call import ModelCall
from shared.model import ModelAttempt
from shared.money import Price
from shared.resilience.lease_records import LeaseRecords
from shared.store.db.pool import Conn
from shared.store.lifecycle import data_subjects
from shared.store.models import budget_check, budgets, prices
from shared.store.models.budgets import Limit, Reservation
from shared.store.models.prices import Named
from tasks.answers.reply import Result
from tasks.delivery import lease_reclaim
from tasks.lifecycle import data_subject
from tasks.models import budget_check as check
from tasks.models import spending
from tasks.models.spending import CostLimitExceeded
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot, make_bot
from tests.integration.station import FakeModel, Station

QUESTION = "When does the shop open?"
DEAR, CHEAP = Price(2_000_000, 10_000_000), Price(100_000, 100_000)
"""20 tokens in and 5 out of the dear one cost 90 millionths."""


@pytest.fixture
def station(database: Database, redis_url: str, tmp_path: Path) -> Iterator[Station]:
    station = Station(database, redis_url, METRICS_DIR=tmp_path)
    station.r.lease_records = LeaseRecords(station.r.settings.lease_folder)
    yield station
    station.close()


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url, "Shoe shop")
    station.learn(bot)
    return bot


@pytest.fixture
def work(station: Station) -> Iterator[Work]:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        yield Work(conn, station.r.settings, station.r.clock)


def price(conn: Conn, **models: Price) -> None:
    prices.set_prices(conn, [Named(model, "", price) for model, price in models.items()])


def limit(work: Work, bot: Bot, scope: str, micros: int | None, contact: int = 0) -> None:
    budgets.set_limit(work.conn, Limit(bot.company_id, scope, contact, micros))


def ask(station: Station, bot: Bot, chat: int = 5) -> Result:
    station.receive(bot, QUESTION, chat=chat)
    return station.answer()


def steps(station: Station) -> list[tuple[str, str]]:
    return [(step, reason) for step, reason in station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")]


def fallbacks(station: Station) -> list[tuple[str, str | None]]:
    [(found,)] = station.rows("SELECT fallback_steps FROM receipts ORDER BY turn_id DESC LIMIT 1")
    return [(tried["step"], tried["left"]) for tried in found]


def open_reservations(station: Station) -> list[tuple[Any, ...]]:
    return station.rows("SELECT contact_id, micros FROM budget_reservations WHERE charged_at IS NULL ORDER BY id")


def spent(station: Station) -> list[tuple[Any, ...]]:
    return station.rows("SELECT contact_id, sum(cost_micros)::bigint FROM contact_days GROUP BY 1 ORDER BY 1")


def check_sums(work: Work, bot: Bot) -> None:
    """What counts is what the ledger has: of each contact, of the company, of what it called models for."""
    assert check.drifted(work, bot.company_id) == []
    [(of_models, ledger)] = work.conn.execute(
        "SELECT (SELECT coalesce(sum(cost_micros), 0) FROM usage_models), (SELECT coalesce(sum(cost_micros), 0)"
        " FROM llm_calls)"
    ).fetchall()
    assert of_models == ledger


def run_check(work: Work) -> int:
    ran = jobs.run(check.CHECK, work, slot=None, by="hand")
    assert ran is not None
    return ran.rows


# ------------------------------------------------------------------ an answer


def test_an_answer_is_settled_with_what_it_cost_in_the_transaction_that_stores_it(
    station: Station, bot: Bot, work: Work
) -> None:
    price(work.conn, small=DEAR)
    under_way: list[Any] = []
    station.model.meanwhile.append(lambda: under_way.extend(open_reservations(station)))

    assert ask(station, bot) is Result.ANSWERED

    [(contact,)] = station.rows("SELECT id FROM contacts")
    [(reserved_for, micros)] = under_way
    # fifty tokens may be written at ten a million, and a prompt is not empty
    assert (reserved_for, micros > 500) == (contact, True)
    assert (open_reservations(station), spent(station)) == ([], [(contact, 90)])
    check_sums(work, bot)


def test_a_contact_over_its_budget_gets_passages_and_others_their_model(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    ask(station, bot, chat=1)
    [(first,)] = station.rows("SELECT id FROM contacts")
    limit(work, bot, "contact", 100, first)

    ask(station, bot, chat=1)
    ask(station, bot, chat=2)

    assert steps(station) == [("full", "model"), ("passages", "budget_contact"), ("full", "model")]
    assert len(station.model.asked) == 2
    assert open_reservations(station) == []
    check_sums(work, bot)


def test_the_receipt_of_a_company_over_its_budget_says_so(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    limit(work, bot, "company", 100)

    ask(station, bot)

    assert steps(station) == [("passages", "budget_company")]
    assert fallbacks(station) == [("full", "budget_company"), ("passages", None)]
    assert station.model.asked == []


def test_a_cheaper_model_answers_where_only_that_one_fits(station: Station, bot: Bot, work: Work) -> None:
    cheaper = station.add_cheaper_model()
    price(work.conn, large=DEAR, small=CHEAP)
    limit(work, bot, "contacts", 500)

    ask(station, bot)

    assert steps(station) == [("cheaper", "budget_contact")]
    assert fallbacks(station) == [("full", "budget_contact"), ("cheaper", None)]
    assert (len(station.model.asked), len(cheaper.asked)) == (0, 1)
    assert [cost for _, cost in spent(station)] == [3]
    check_sums(work, bot)


def test_a_model_that_costs_nothing_answers_whatever_is_spent(station: Station, bot: Bot, work: Work) -> None:
    free = station.add_cheaper_model()
    price(work.conn, large=DEAR)  # `small` is on a machine of our own and has no price
    limit(work, bot, "contacts", 0)

    ask(station, bot)

    assert steps(station) == [("cheaper", "budget_contact")]
    assert len(free.asked) == 1
    assert (spent(station)[0][1], station.rows("SELECT 1 FROM budget_reservations")) == (0, [])


def test_without_a_price_nothing_is_reserved(station: Station, bot: Bot, work: Work) -> None:
    under_way: list[Any] = []
    station.model.meanwhile.append(lambda: under_way.append(open_reservations(station)))
    limit(work, bot, "contacts", 0)

    ask(station, bot)

    assert (steps(station), under_way) == ([("full", "model")], [[]])


def test_the_budget_of_tokens_a_day_holds_as_before(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    station.execute("UPDATE companies SET daily_token_budget = 0")

    ask(station, bot)

    assert steps(station) == [("passages", "budget")]


# ------------------------------------------------------------------ what goes wrong


def test_an_answer_that_is_overtaken_is_settled_with_what_was_used(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    station.model.meanwhile.append(lambda: station.receive(bot, "I mean on Sundays"))
    station.receive(bot, QUESTION)

    assert station.answer() is Result.CANCELLED
    assert (open_reservations(station), spent(station)[0][1]) == ([], 90)
    station.time_passes()
    assert station.answer() is Result.ANSWERED

    assert (open_reservations(station), spent(station)[0][1]) == ([], 180)
    check_sums(work, bot)


def test_a_call_that_is_cancelled_midway_is_charged_for_its_prompt(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    over = threading.Event()

    def stop() -> None:
        station.leases.cancel()  # as a process that is to end
        over.wait(30)

    station.model.meanwhile.append(stop)
    station.receive(bot, QUESTION)

    assert station.answer() is Result.CANCELLED
    over.set()

    [(outcome, tokens_in, estimated)] = station.rows("SELECT outcome, tokens_in, estimated FROM llm_calls")
    assert (outcome, tokens_in > 100, estimated) == ("cancelled", True, True)
    assert open_reservations(station) == []
    assert spent(station)[0][1] == 2 * tokens_in
    check_sums(work, bot)


def test_what_a_failed_model_used_is_settled_too(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    station.model.status = 401

    ask(station, bot)

    assert (steps(station), open_reservations(station)) == ([("passages", "model_unavailable")], [])
    check_sums(work, bot)


def test_what_cannot_be_stored_is_charged_when_it_expires(
    station: Station, bot: Bot, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away while the model writes: the answer is lost, and what it cost is not."""
    price(work.conn, small=DEAR)
    station.receive(bot, QUESTION)
    transaction = station.r.db.transaction
    away: list[bool] = []

    def unless_away(*companies: int) -> Any:
        if away:
            raise DatabaseUnavailable("away")
        return transaction(*companies)

    monkeypatch.setattr(station.r.db, "transaction", unless_away)
    station.model.meanwhile.append(lambda: away.append(True))
    assert station.answer() is Result.RETRY
    away.clear()
    [(contact, micros)] = open_reservations(station)
    assert run_check(work) == 0
    assert open_reservations(station) == [(contact, micros)]  # not yet
    station.execute("UPDATE budget_reservations SET expires_at = now()")

    assert run_check(work) == 0

    assert (open_reservations(station), spent(station)) == ([], [(contact, micros)])
    check_sums(work, bot)


def _dies(station: Station) -> None:
    station.r.lease_records.close()
    station.r.lease_records = LeaseRecords(station.r.settings.lease_folder)
    lease_reclaim.reclaim_dead(station.r)


def _call(bot: Bot, contact: int | None = None) -> ModelCall:
    return ModelCall(bot.company_id, contact, "answer")


def _reserved(station: Station, bot: Bot, micros: int = 700, contact: int | None = None) -> Reservation:
    found = spending.reserve(station.r, _call(bot, contact), micros, within_s=60)
    assert isinstance(found, Reservation)
    return found


def test_a_process_that_dies_before_it_asked_costs_nothing(station: Station, bot: Bot, work: Work) -> None:
    _reserved(station, bot)
    _dies(station)

    run_check(work)

    assert station.rows("SELECT 1 FROM budget_reservations") == station.rows("SELECT 1 FROM llm_calls") == []


def test_a_process_that_dies_after_it_asked_is_charged_in_full(station: Station, bot: Bot, work: Work) -> None:
    spending.asking(station.r, _reserved(station, bot))
    _dies(station)

    run_check(work)

    assert open_reservations(station) == []
    assert station.rows("SELECT outcome, cost_micros FROM llm_calls") == [("unsettled", 700)]
    check_sums(work, bot)


def test_a_process_that_settled_before_it_died_is_charged_what_it_cost(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    ask(station, bot)
    _dies(station)

    run_check(work)

    assert spent(station)[0][1] == 90
    check_sums(work, bot)


def test_whoever_was_only_slow_settles_late_and_is_charged_once(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    station.receive(bot, QUESTION)
    [(contact,)] = station.rows("SELECT id FROM contacts")
    reservation = _reserved(station, bot, contact=contact)
    station.execute("UPDATE budget_reservations SET expires_at = now(), day = day - 1")  # and midnight passes
    run_check(work)
    assert spent(station) == [(contact, 700)]

    cost = spending.settle(
        station.r, _call(bot, contact), reservation, [ModelAttempt("model", "small", "ok", 5, 20, 5)]
    )

    assert (cost, spent(station)) == (90, [(contact, 90)])
    assert station.rows("SELECT outcome, cost_micros FROM llm_calls ORDER BY day, cost_micros") == [
        ("settled_late", -700), ("unsettled", 700), ("ok", 90),
    ]  # fmt: skip
    check_sums(work, bot)


def test_a_contact_that_is_erased_during_a_call_is_charged_no_more_and_the_company_is(
    station: Station, bot: Bot, work: Work
) -> None:
    price(work.conn, small=DEAR)
    ask(station, bot)
    [(contact,)] = station.rows("SELECT id FROM contacts")
    reservation = _reserved(station, bot, contact=contact)
    found = data_subjects.one(work.conn, bot.company_id, contact)
    assert found is not None

    data_subject.erase(work, found, by="hand")
    spending.settle(station.r, _call(bot, contact), reservation, [ModelAttempt("model", "small", "ok", 5, 20, 5)])

    assert spent(station) == []
    assert station.rows("SELECT contact_id, cost_micros FROM llm_calls") == [(None, 90), (None, 90)]
    assert station.rows("SELECT sum(cost_micros)::bigint FROM usage_daily") == [(180,)]
    check_sums(work, bot)


# ------------------------------------------------------------------ other requests


def test_another_request_is_reserved_for_and_settled_by_one_context(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    limit(work, bot, "company", 1_000)

    with spending.spent(station.r, _call(bot), 600, within_s=10) as calls:
        assert open_reservations(station) == [(0, 600)]
        with pytest.raises(CostLimitExceeded) as refused, spending.spent(station.r, _call(bot), 600, within_s=10):
            raise AssertionError("there is no room for it")
        calls.append(ModelAttempt("model", "small", "ok", 5, 20, 5, purpose="embedding"))

    assert refused.value.reason == "budget_company"
    assert str(refused.value).startswith("Monthly cost limit exceeded: this company may cost 0.001 in 30 days, 0.0006")
    assert refused.value.retry_after_s is not None
    assert (open_reservations(station), station.rows("SELECT purpose, cost_micros FROM llm_calls")) == (
        [], [("embedding", 90)],
    )  # fmt: skip
    check_sums(work, bot)


def test_a_request_that_failed_before_anything_was_called_costs_nothing(station: Station, bot: Bot, work: Work) -> None:
    with pytest.raises(RuntimeError), spending.spent(station.r, _call(bot), 600, within_s=10):
        raise RuntimeError

    assert station.rows("SELECT 1 FROM budget_reservations") == station.rows("SELECT 1 FROM llm_calls") == []


# ------------------------------------------------------------------ the job


def test_a_sum_that_is_not_the_ledger_s_is_told_and_set_right(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    ask(station, bot)
    [(contact,)] = station.rows("SELECT id FROM contacts")
    station.execute("UPDATE contact_days SET cost_micros = 5")
    station.execute("UPDATE usage_daily SET cost_micros = 7")
    station.execute("INSERT INTO contact_days VALUES (%s, %s, current_date, 11)", bot.company_id, contact + 1)

    assert run_check(work) == 3
    found = check.drifted(work, bot.company_id)
    assert [(one.contact_id, one.counted_micros, one.ledger_micros) for one in found] == [
        (0, 7, 90), (contact, 5, 90), (contact + 1, 11, 0),
    ]  # fmt: skip
    check.repair(work, found)

    assert run_check(work) == 0
    check_sums(work, bot)


def test_days_that_retention_took_from_the_ledger_are_no_drift(station: Station, bot: Bot, work: Work) -> None:
    price(work.conn, small=DEAR)
    ask(station, bot)
    for table in ("llm_calls", "contact_days", "usage_daily", "usage_models"):
        station.execute(f"UPDATE {table} SET day = day - 10")
    ask(station, bot)
    check_sums(work, bot)

    station.execute("INSERT INTO retention_overrides (company_id, subject, days) VALUES (%s, 'llm_calls', 5)",
                    bot.company_id)  # fmt: skip
    station.execute("DELETE FROM llm_calls WHERE day < current_date - 5")

    assert check.drifted(work, bot.company_id) == []
    with station.r.db.transaction(bot.company_id) as conn:
        assert budgets.state(conn, bot.company_id).spent_micros == 180  # it counts all the same


def test_days_that_count_no_more_are_deleted_and_those_of_the_window_stay(
    station: Station, bot: Bot, work: Work
) -> None:
    for days_ago in (29, 89, 91):
        station.execute("INSERT INTO contact_days VALUES (%s, 1, current_date - %s::int, 5)", bot.company_id, days_ago)

    budget_check.delete_old(work.conn, bot.company_id)

    assert station.rows("SELECT current_date - day FROM contact_days ORDER BY 1") == [(29,), (89,)]


def test_a_cheaper_model_is_no_way_round_a_budget(station: Station, bot: Bot, work: Work) -> None:
    """Passages are what is left where neither fits."""
    cheaper: FakeModel = station.add_cheaper_model()
    price(work.conn, large=DEAR, small=CHEAP)
    limit(work, bot, "contacts", 10)

    ask(station, bot)

    assert steps(station) == [("passages", "budget_contact")]
    assert (station.model.asked, cheaper.asked) == ([], [])
