"""What models cost: whose price stands before whose, and what it was when."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import psycopg
import pytest

from shared.embedded import Database
from shared.model import Usage
from shared.money import Price, cost_micros
from shared.store.db.pool import Conn, set_companies
from shared.store.models import prices
from shared.store.models.prices import Named
from tests.factories import make_bot
from tests.integration.command_line import Run, misused, nothing_done


@pytest.fixture
def owner(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def company(database: Database) -> int:
    return make_bot(database.admin_url, "Shoe shop").company_id


def _of(conn: Conn, company: int, model: str, provider: str = "api.openai.com") -> int | None:
    found = prices.price_of(conn, company, provider, model)
    return None if found is None else found.in_micros


def test_the_price_nearest_to_the_call_holds(owner: Conn, company: int) -> None:
    assert _of(owner, company, "gpt") is None

    prices.set_prices(owner, [Named("gpt", "openai", Price(1, 1))], "sync")
    assert _of(owner, company, "gpt") == 1
    prices.set_prices(owner, [Named("gpt", "", Price(2, 2))])
    assert _of(owner, company, "gpt") == 2
    prices.set_prices(owner, [Named("gpt", "api.openai.com", Price(3, 3))])
    assert _of(owner, company, "gpt") == 3
    prices.set_own_price(owner, company, Named("gpt", "", Price(4, 4)))
    assert _of(owner, company, "gpt") == 4
    prices.set_own_price(owner, company, Named("gpt", "api.openai.com", Price(5, 5)))
    assert _of(owner, company, "gpt") == 5
    assert _of(owner, company + 1, "gpt") == 3
    assert _of(owner, company, "gpt", "other") == 4

    for provider in ("api.openai.com", ""):
        assert prices.end_price(owner, "gpt", provider, company)
        assert not prices.end_price(owner, "gpt", provider, company)
        assert prices.end_price(owner, "gpt", provider)
    assert _of(owner, company, "gpt") == 1


@pytest.mark.parametrize(
    ("provider", "model", "known"),
    [
        ("api.openai.com", "gpt-4o", True),
        ("openai", "gpt-4o", True),
        ("openrouter.ai", "openai/gpt-4o", True),
        ("api.mistral.ai", "large", True),
        ("api.x.ai", "grok", True),
        ("openrouter.ai", "gpt-4o", False),  # whose it is, nobody says
        ("api.openai.com", "large", False),
        ("api.openai.com", "other/gpt-4o", False),
        ("anywhere", "plain", True),
        ("anywhere", "gpt-4o/", False),
    ],
)
def test_the_list_s_makers_are_found_by_name_host_and_prefix(
    owner: Conn, company: int, provider: str, model: str, known: bool
) -> None:
    listed = [("gpt-4o", "openai"), ("large", "mistralai"), ("grok", "x-ai"), ("plain", "")]
    prices.set_prices(owner, [Named(name, maker, Price(7, 7)) for name, maker in listed], "sync")

    assert _of(owner, company, model, provider) == (7 if known else None)


def test_a_price_of_nothing_is_a_price(owner: Conn, company: int) -> None:
    prices.set_prices(owner, [Named("small", "", Price(0, 0))])

    assert prices.price_of(owner, company, "any", "small") == Price(0, 0)


def test_what_it_cost_is_known_of_every_moment(owner: Conn, company: int) -> None:
    for micros in (1, 2):
        prices.set_prices(owner, [Named("m", "", Price(micros, micros, 1, 2, 3))])
        prices.set_own_price(owner, company, Named("n", "", Price(micros, micros)))
    prices.end_price(owner, "m")

    past = prices.every(owner, model="m", past=True)
    own = prices.every(owner, model="n", past=True)
    assert [row.in_micros for row in past] == [row.in_micros for row in own] == [2, 1]
    for newer, older in (past, own):
        assert older.valid_until == newer.valid_from
        assert prices.price_of(owner, company, "", newer.model, newer.valid_from) is not None
        before = prices.price_of(owner, company, "", older.model, older.valid_from)
        assert before is not None
        assert before.in_micros == 1
    assert prices.price_of(owner, company, "", "m") is None
    assert prices.every(owner, model="m") == []


def test_the_same_price_again_is_no_new_one(owner: Conn, company: int) -> None:
    named = Named("m", "", Price(1, 2, cached_in_micros=0))

    assert [prices.set_prices(owner, [named]) for _ in range(2)] == [1, 0]
    assert [prices.set_own_price(owner, company, named) for _ in range(2)] == [True, False]
    assert len(prices.every(owner, past=True)) == 2
    assert prices.set_prices(owner, [Named("m", "", Price(1, 2))]) == 1  # no price of its own is another thing than 0


def test_of_many_who_set_a_price_at_once_each_ends_the_one_before(owner: Conn, database: Database) -> None:
    barrier = threading.Barrier(8, timeout=30)

    def set_it(micros: int) -> None:
        with psycopg.connect(database.admin_url, autocommit=True) as conn:
            barrier.wait()
            prices.set_prices(conn, [Named("m", "", Price(micros, micros))])

    threads = [threading.Thread(target=set_it, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    rows = prices.every(owner, past=True)
    assert sorted(row.in_micros for row in rows) == list(range(8))
    assert [row.valid_until for row in rows[1:]] == [row.valid_from for row in rows[:-1]]
    assert rows[0].valid_until is None


def test_a_company_sees_its_own_prices_and_no_others(owner: Conn, database: Database, company: int) -> None:
    other = make_bot(database.admin_url).company_id
    prices.set_own_price(owner, other, Named("m", "", Price(1, 1)))

    with psycopg.connect(database.url) as conn:
        set_companies(conn, [company])
        assert prices.price_of(conn, other, "", "m") is None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM model_price_overrides")


COST = b"SELECT model_cost(%s, %s, %s, %s, %s, %s, %s, %s, %s)"


def test_the_database_computes_the_same_cost(owner: Conn) -> None:
    rng = random.Random(7)
    for _ in range(2_000):
        plain = [rng.choice((0, 1, rng.randrange(10**15))) for _ in range(2)]
        own = [rng.choice((None, 0, rng.randrange(10**15))) for _ in range(2)]
        price = Price(plain[0], plain[1], own[0], own[1], rng.randrange(10))
        read, written = (rng.choice((0, 1, rng.randrange(10_000_000))) for _ in range(2))
        usage = Usage(read, written, cached_in=rng.randint(0, read), reasoning_out=rng.randint(0, written))
        values = (
            usage.tokens_in, usage.cached_in, usage.tokens_out, usage.reasoning_out, price.in_micros, price.out_micros,
            price.cached_in_micros, price.reasoning_micros, price.request_micros,
        )  # fmt: skip
        assert owner.execute(COST, values).fetchone() == (cost_micros(price, usage),), (price, usage)


# ------------------------------------------------------------------ on the command line


def test_prices_are_set_listed_and_ended_by_hand(run: Run, company: int, owner: Conn) -> None:
    assert run("price", "set", "gpt", "0.15", "0.6", "--cached", "0.075", "--request", "0.01").lines == [
        "gpt: 0.15 in, 0.6 out, 0.075 cached, 0.01 a call, a million tokens"
    ]
    nothing_done(run("price", "set", "gpt", "0.15", "0.6", "--cached", "0.075", "--request", "0.01"), "has this price")
    assert run("price", "set", "gpt", "0", "0", "--company", "shoe-shop", "--provider", "local").code == 0
    prices.set_prices(owner, [Named("gpt", "openai", Price(1, 1))], "sync")

    assert run("price", "list").lines == [
        "gpt  0.15 in, 0.6 out, 0.075 cached, 0.01 a call",
        f"gpt  0 in, 0 out  at local  company {company}",
        "openai/gpt  0.000001 in, 0.000001 out  listed",
    ]
    [general, *_] = run("price", "list", "--json").json
    assert (general["model"], general["in_micros"], general["reasoning_micros"]) == ("gpt", 150_000, None)
    assert run("price", "unset", "gpt").lines == ["gpt: ended"]
    nothing_done(run("price", "unset", "gpt"), "no such price")
    past = run("price", "list", "--past", "--model", "gpt", "--json").json
    assert [row["in_micros"] for row in past if row["source"] == "manual"] == [150_000]
    misused(run("price", "set", "gpt", "1", "1", "--cached", "-1"), "not an amount")
    misused(run("price", "set", "gpt", "1", "1", "--provider", "a\nb"), "a provider's name")
