"""Limits a day: taken exactly, by company and contact, and what stands against it is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest

from shared.embedded import Database
from shared.model import Rate
from shared.resilience.limiter import Limiter
from shared.store.db.pool import Conn, set_companies
from shared.store.tenants import limits
from shared.store.tenants.limits import Spent
from tasks.tenants import allowance
from tasks.tenants.allowance import NotAllowed
from tests.factories import Bot, make_bot
from tests.integration.command_line import Run, misused, nothing_done

TODAY = date(2031, 5, 6)
NOW = datetime(2031, 5, 6, 21, 0, tzinfo=UTC)


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url, "Acme")


@pytest.fixture
def owner(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


def _take(
    database: Database, bot: Bot, *, contact: int | None = None, many: int = 1, day: date = TODAY
) -> Spent | None:
    with psycopg.connect(database.url) as conn:
        set_companies(conn, [bot.company_id])
        return limits.take(conn, bot.company_id, limits.IMAGES, day, contact_id=contact, many=many)


def test_a_day_s_are_taken_once_by_however_many_at_once(database: Database, owner: Conn, bot: Bot) -> None:
    limits.set_bounds(owner, limits.IMAGES, None, per_company=5, per_contact=3)
    at_once, found = threading.Barrier(8), list[Spent | None]()

    def take(contact: int) -> None:
        at_once.wait(10)
        found.extend(_take(database, bot, contact=contact) for _ in range(3))

    threads = [threading.Thread(target=take, args=(1 + n % 2,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 24
    assert found.count(None) == 5
    [company, *contacts] = [
        int(str(used)) for (used,) in owner.execute("SELECT used FROM daily_uses ORDER BY contact_id").fetchall()
    ]
    assert company == sum(contacts) == 5
    assert max(contacts) <= 3


def test_what_the_company_has_no_more_of_is_not_taken_from_the_contact(
    database: Database, owner: Conn, bot: Bot
) -> None:
    limits.set_bounds(owner, limits.IMAGES, None, per_company=2, per_contact=10)

    assert _take(database, bot, contact=7, many=2) is None
    assert _take(database, bot, contact=7) == Spent("images", "company", 2, 2)
    assert owner.execute("SELECT used FROM daily_uses WHERE contact_id = 7").fetchone() == (2,)
    assert _take(database, bot, contact=7, day=date(2031, 5, 7)) is None
    assert _take(database, make_bot(database.admin_url)) is None
    assert _take(database, bot, contact=8, many=11, day=date(2031, 5, 8)) == Spent("images", "contact", 10, 0)


def test_one_company_takes_nothing_of_another_s(database: Database, bot: Bot) -> None:
    other = make_bot(database.admin_url)
    with psycopg.connect(database.url) as conn:
        set_companies(conn, [other.company_id])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            limits.take(conn, bot.company_id, limits.IMAGES, TODAY)
    with psycopg.connect(database.url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("UPDATE daily_uses SET used = 0")


def test_a_refusal_says_what_and_until_when(database: Database, owner: Conn, bot: Bot) -> None:
    limits.set_bounds(owner, limits.IMAGES, bot.company_id, per_company=0, per_contact=None)
    rate, limiter = Rate("images:test", 1, 60.0, burst=1), Limiter(None)

    def take() -> NotAllowed:
        with psycopg.connect(database.url) as conn:
            set_companies(conn, [bot.company_id])
            with pytest.raises(NotAllowed) as refused:
                allowance.take(conn, bot.company_id, limits.IMAGES, now=NOW, limiter=limiter, rates=[rate], spread=0.5)
        return refused.value

    first, second = take(), take()

    assert (first.reason, first.retry_after_s) == ("daily_limit", 3 * 3600 + 450)
    assert str(first) == "images: 0 of 0 a day are used by this company, until 00:00 UTC: ./switchboard limit set"
    assert second.reason == "rate"
    assert 0 < (second.retry_after_s or 0) <= 60


def test_limits_by_hand(run: Run, bot: Bot) -> None:
    assert run("limit", "set", "images", "--company", "Acme", "--per-company", "none").code == 0
    assert run("limit", "set", "images", "--per-contact", "2").out == (
        "images  everybody: a company 3, a contact 2 a day\n"
    )

    shown = {(b["kind"], b["company_id"]): (b["per_company"], b["per_contact"])
             for b in run("limit", "list", "--json").json["daily_limits"]}  # fmt: skip
    assert shown["images", None] == (3, 2)
    assert shown["images", bot.company_id] == (None, None)
    assert f"company {bot.company_id}: a company none, a contact none" in run("limit", "list").out

    assert run("limit", "reset", "images", "--company", "Acme").out.startswith("images  Acme: now a company 3")
    nothing_done(run("limit", "set", "coffees", "--per-company", "1"), "coffees", "media_fetches")
    misused(run("limit", "set", "images"), "--per-company", "--per-contact")
    for company in ((), ("--company", "Acme")):
        asked = ("limit", "set", "images", *company, "--per-company", "11")
        assert run(*asked).code == 0  # also where everybody's is the same
        nothing_done(run(*asked), "images", "a company 11", "already")
