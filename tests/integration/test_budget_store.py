"""Budgets as they are stored: what fits, what stands against it, when it is free again, and who comes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg
import pytest

from shared.embedded import Database as Server
from shared.store.db.pool import Conn, Database
from shared.store.models import budgets
from shared.store.models.budgets import Limit, OverBudget, Reservation
from tests.factories import Bot, make_bot

MICROS = 1_000_000
CONTACT, OTHER = 7, 8


@pytest.fixture
def bot(database: Server) -> Bot:
    return make_bot(database.admin_url)


@pytest.fixture
def owner(database: Server) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def db(database: Server) -> Iterator[Database]:
    db = Database(database.url, max_size=4, timeout_s=10)
    db.open()
    yield db
    db.close()


def reserve(
    db: Database, bot: Bot, micros: int, *, contact: int | None = CONTACT, limit: int | None = 10 * MICROS,
    ttl_s: float = 600,
) -> Reservation | OverBudget:  # fmt: skip
    with db.connection() as conn:
        return budgets.reserve(conn, bot.company_id, contact, micros, ttl_s, contact_limit_micros=limit)


def reserved(db: Database, bot: Bot, micros: int, **more: Any) -> Reservation:
    found = reserve(db, bot, micros, **more)
    assert isinstance(found, Reservation)
    return found


def refused(db: Database, bot: Bot, micros: int, **more: Any) -> OverBudget:
    found = reserve(db, bot, micros, **more)
    assert isinstance(found, OverBudget)
    return found


def limit(db: Database, bot: Bot, scope: str, micros: int | None, contact: int = 0) -> None:
    with db.transaction(bot.company_id) as conn:
        assert budgets.set_limit(conn, Limit(bot.company_id, scope, contact, micros))


def spent(owner: Conn, bot: Bot, micros: int, *, days_ago: int = 0, contact: int = CONTACT) -> None:
    owner.execute(
        "INSERT INTO contact_days VALUES (%s, %s, (now() AT TIME ZONE 'UTC')::date - %s::int, %s)",
        (bot.company_id, contact, days_ago, micros),
    )
    owner.execute(
        "INSERT INTO usage_daily AS u (company_id, day, cost_micros)"
        " VALUES (%s, (now() AT TIME ZONE 'UTC')::date - %s::int, %s)"
        " ON CONFLICT (company_id, day) DO UPDATE SET cost_micros = u.cost_micros + excluded.cost_micros",
        (bot.company_id, days_ago, micros),
    )


def today(owner: Conn) -> date:
    row = owner.execute("SELECT (now() AT TIME ZONE 'UTC')::date").fetchone()
    assert row is not None
    found = row[0]
    assert isinstance(found, date)
    return found


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# ------------------------------------------------------------------ what fits


def test_what_is_reserved_counts_at_once_and_for_this_contact_alone(db: Database, bot: Bot) -> None:
    reserved(db, bot, 6 * MICROS)

    over = refused(db, bot, 5 * MICROS)

    assert (over.scope, over.limit_micros, over.used_micros, over.left_micros) == (
        "contact", 10 * MICROS, 6 * MICROS, 4 * MICROS,
    )  # fmt: skip
    reserved(db, bot, 4 * MICROS)
    reserved(db, bot, 10 * MICROS, contact=OTHER)


def test_a_limit_of_nothing_lets_only_free_requests_through(db: Database, bot: Bot) -> None:
    limit(db, bot, "contact", 0, CONTACT)

    assert refused(db, bot, 1).frees_at is None
    reserved(db, bot, 0)


def test_the_nearest_limit_holds(db: Database, bot: Bot) -> None:
    limit(db, bot, "contacts", 2 * MICROS)
    assert refused(db, bot, 3 * MICROS).limit_micros == 2 * MICROS
    limit(db, bot, "contact", 4 * MICROS, CONTACT)
    reserved(db, bot, 3 * MICROS)
    assert refused(db, bot, 3 * MICROS, contact=OTHER).limit_micros == 2 * MICROS
    limit(db, bot, "contact", None, OTHER)
    reserved(db, bot, 1000 * MICROS, contact=OTHER)
    with db.transaction(bot.company_id) as conn:
        assert budgets.unset_limit(conn, bot.company_id, "contact", OTHER)
        assert not budgets.unset_limit(conn, bot.company_id, "contact", OTHER)
    assert refused(db, bot, 3 * MICROS, contact=OTHER).limit_micros == 2 * MICROS


def test_a_company_s_budget_counts_all_of_its_contacts_and_what_is_for_nobody(
    db: Database, bot: Bot, owner: Conn
) -> None:
    limit(db, bot, "company", 10 * MICROS)
    spent(owner, bot, 2 * MICROS, contact=CONTACT)
    spent(owner, bot, 2 * MICROS, contact=OTHER)
    reserved(db, bot, 3 * MICROS, contact=OTHER)
    reserved(db, bot, 2 * MICROS, contact=None)

    over = refused(db, bot, 2 * MICROS)

    assert (over.scope, over.limit_micros, over.used_micros) == ("company", 10 * MICROS, 9 * MICROS)
    reserved(db, bot, 1 * MICROS)


def test_another_company_s_spending_is_not_ours(db: Database, bot: Bot, database: Server, owner: Conn) -> None:
    other = make_bot(database.admin_url)
    limit(db, bot, "company", 3 * MICROS)
    spent(owner, other, 9 * MICROS)
    reserved(db, other, 1 * MICROS)

    reserved(db, bot, 3 * MICROS)


# ------------------------------------------------------------------ thirty days


def test_what_is_thirty_days_old_counts_no_more_and_a_day_less_does(db: Database, bot: Bot, owner: Conn) -> None:
    spent(owner, bot, 9 * MICROS, days_ago=30)
    spent(owner, bot, 4 * MICROS, days_ago=29)

    assert refused(db, bot, 7 * MICROS).used_micros == 4 * MICROS
    reserved(db, bot, 6 * MICROS)


def test_a_refusal_tells_the_day_on_which_enough_has_left(db: Database, bot: Bot, owner: Conn) -> None:
    for days_ago, micros in ((29, 2), (20, 3), (10, 4)):
        spent(owner, bot, micros * MICROS, days_ago=days_ago)
    day = today(owner)

    assert refused(db, bot, 2 * MICROS).frees_at == midnight(day + timedelta(days=1))
    assert refused(db, bot, 4 * MICROS).frees_at == midnight(day + timedelta(days=10))
    assert refused(db, bot, 8 * MICROS).frees_at == midnight(day + timedelta(days=20))
    assert refused(db, bot, 11 * MICROS).frees_at is None


def test_where_only_calls_under_way_stand_against_it_their_end_is_told(db: Database, bot: Bot, owner: Conn) -> None:
    for ttl_s in (60, 600):
        reserved(db, bot, 4 * MICROS, ttl_s=ttl_s)
    row = owner.execute("SELECT min(expires_at), max(expires_at) FROM budget_reservations").fetchone()
    assert row is not None

    assert refused(db, bot, 6 * MICROS).frees_at == row[0]
    assert refused(db, bot, 7 * MICROS).frees_at == row[1]


def test_a_day_that_a_clock_wrote_ahead_of_its_time_counts(db: Database, bot: Bot, owner: Conn) -> None:
    spent(owner, bot, 8 * MICROS, days_ago=-3)

    assert refused(db, bot, 3 * MICROS).used_micros == 8 * MICROS


def test_a_reset_lets_what_was_spent_so_far_count_no_more(db: Database, bot: Bot, owner: Conn) -> None:
    spent(owner, bot, 5 * MICROS, days_ago=3)
    spent(owner, bot, 4 * MICROS)
    limit(db, bot, "company", 10 * MICROS)
    for contact in (CONTACT, 0):
        with db.transaction(bot.company_id) as conn:
            budgets.reset(conn, bot.company_id, contact)
    owner.execute("UPDATE contact_days SET cost_micros = cost_micros + %s WHERE day = %s", (MICROS, today(owner)))

    with db.transaction(bot.company_id) as conn:
        now = budgets.state(conn, bot.company_id, CONTACT, contact_limit_micros=10 * MICROS)
    assert (now.spent_micros, now.reset_at is not None) == (1 * MICROS, True)
    assert refused(db, bot, 10 * MICROS).used_micros == 1 * MICROS
    reserved(db, bot, 9 * MICROS)


def test_a_budget_s_state_is_its_limit_what_is_spent_and_what_is_reserved(db: Database, bot: Bot, owner: Conn) -> None:
    reserved(db, bot, 1 * MICROS)
    spent(owner, bot, 10 * MICROS, days_ago=29)

    with db.transaction(bot.company_id) as conn:
        contact = budgets.state(conn, bot.company_id, CONTACT, contact_limit_micros=10 * MICROS)
        company = budgets.state(conn, bot.company_id)

    assert (contact.limit_micros, contact.own, contact.spent_micros, contact.reserved_micros) == (
        10 * MICROS, False, 10 * MICROS, 1 * MICROS,
    )  # fmt: skip
    assert contact.frees_at == midnight(today(owner) + timedelta(days=1))
    assert (company.limit_micros, company.own, company.spent_micros, company.frees_at) == (
        None, False, 10 * MICROS, None,
    )  # fmt: skip


# ------------------------------------------------------------------ at once


def _calls(url: str, company_id: int, number: int, out: Any) -> None:
    """A process with ten threads, each of which reserves five times."""
    db = Database(url, max_size=10, timeout_s=60)
    db.open()

    def one(_: int) -> int:
        with db.connection() as conn:
            found = budgets.reserve(conn, company_id, CONTACT, 100, 600, contact_limit_micros=1_000)
            return found.micros if isinstance(found, Reservation) else 0

    with ThreadPoolExecutor(10) as threads:
        out.put(sum(threads.map(one, range(50))))
    db.close()


@pytest.mark.parametrize("scope", ["contact", "company"])
def test_two_hundred_calls_of_four_processes_never_pass_a_nearly_empty_budget(
    database: Server, db: Database, bot: Bot, owner: Conn, scope: str
) -> None:
    spent(owner, bot, 450)
    if scope == "company":
        limit(db, bot, "company", 1_000)
        limit(db, bot, "contacts", None)
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    processes = [
        context.Process(target=_calls, args=(database.url, bot.company_id, number, out)) for number in range(4)
    ]
    for process in processes:
        process.start()
    taken = [out.get(timeout=90) for _ in processes]
    for process in processes:
        process.join(30)

    assert sum(taken) == 500  # five of 100: with 450 that were spent, a sixth would be more than 1,000
    assert owner.execute("SELECT sum(micros), count(*) FROM budget_reservations").fetchone() == (500, 5)


def test_a_company_s_and_its_contacts_locks_are_taken_in_one_order(db: Database, bot: Bot) -> None:
    limit(db, bot, "company", 1_000 * MICROS)

    def one(number: int) -> bool:
        return isinstance(reserve(db, bot, 1, contact=number % 3 or None), Reservation)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(one, range(200)))  # a deadlock would raise


# ------------------------------------------------------------------ who died


def test_what_a_dead_process_had_not_asked_is_free_and_the_rest_expires(db: Database, bot: Bot, owner: Conn) -> None:
    unasked, asked, other = (reserved(db, bot, micros) for micros in (100, 200, 400))

    with db.transaction(bot.company_id) as conn:
        held = [(bot.company_id, unasked.id, False), (bot.company_id, asked.id, True), (bot.company_id, 999, True)]
        assert budgets.end(conn, held) == 2

    rows = owner.execute("SELECT id, expires_at <= clock_timestamp() FROM budget_reservations ORDER BY id").fetchall()
    assert rows == [(asked.id, True), (other.id, False)]
    assert refused(db, bot, 10 * MICROS).used_micros == 600  # it counts until it is charged, and then as spent
