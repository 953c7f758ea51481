"""The daily list of prices: taken over whole or not at all, and what calls would cost at other prices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from shared.clock import FixedClock
from shared.embedded import Database
from shared.model import ModelAttempt
from shared.money import Price
from shared.store.db.pool import Conn
from shared.store.models import prices, usage
from standin.prices import price_list as of_standin
from standin.process import StandinProcess
from tasks.models import price_list, price_sync
from tasks.models.price_list import ListRefused
from tasks.operations import jobs
from tasks.operations.health.work import jobs_found
from tasks.operations.jobs import Work
from tests.factories import Bot, make_bot, settings_for
from tests.integration.command_line import Run, misused

CALL = ModelAttempt("api.openai.com", "gpt-4o-mini", "ok", 5, 1_000_000, 0)


@pytest.fixture
def owner(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url, "Shoe shop")


def _work(database: Database, conn: Conn, **values: object) -> Work:
    config = settings_for(database, "redis://127.0.0.1:1/0", **values)
    return Work(conn, config, FixedClock(datetime.now(UTC)))


def _take(conn: Conn, listed: price_list.PriceList) -> prices.Synced:
    price_sync.judge(listed, prices.listed(conn, 30))
    with conn.transaction():
        return prices.sync(conn, listed.named, list(listed.known))


def _list(models: int, *, without: str = "") -> price_list.PriceList:
    entries = [entry for entry in of_standin(models)["data"] if entry["id"] != without]
    return price_list.read(json.dumps({"data": entries}).encode())


def test_the_list_at_the_address_is_taken_over_and_the_same_again_is_nothing_new(
    database: Database, owner: Conn
) -> None:
    with StandinProcess() as standin:
        work = _work(database, owner, PRICES_URL=f"{standin.base_url}/v1/prices")
        first, second = (jobs.run(price_sync.SYNC, work, slot=None) for _ in range(2))

        assert first is not None
        assert second is not None
        assert (first.rows, second.rows) == (399, 0)
        assert len(prices.every(owner, past=True)) == 399
        assert price_sync.SYNC.preview(work).rows == 0

        halved = _work(database, owner, PRICES_URL=f"{standin.base_url}/v1/prices?models=190")
        with pytest.raises(ListRefused, match=r"189 of the 399 models that it had"):
            jobs.run(price_sync.SYNC, halved, slot=None)
        assert len(prices.every(owner)) == 399
        [problem] = [p for p in jobs_found(owner, datetime.now(UTC)).problems if p.key == "failed.models.sync_prices"]
        assert "189 of the 399" in problem.words

        standin.client.fault("openai", "status", count=None, method="prices", status=503)
        with pytest.raises(price_sync.ListUnavailable, match="503"):
            jobs.run(price_sync.SYNC, work, slot=None)
        assert len(prices.every(owner)) == 399


def test_without_an_address_the_job_says_so(database: Database, owner: Conn) -> None:
    work = _work(database, owner)

    ran = jobs.run(price_sync.SYNC, work, slot=None)

    assert ran is not None
    assert ran.lacking is not None
    assert "PRICES_URL" in ran.lacking
    assert "PRICES_URL" in price_sync.SYNC.preview(work).lines[0]
    assert prices.every(owner) == []


def test_a_list_that_lost_a_model_in_use_is_refused_by_its_name(owner: Conn, bot: Bot) -> None:
    _take(owner, _list(400))
    lost = _list(400, without="openai/gpt-4o-mini")
    for number, (provider, model) in enumerate((("api.openai.com", "other"), ("router", "gpt-4o-mini"))):
        usage.add(owner, bot.company_id, [replace(CALL, provider=provider, model=model, duration_ms=number)])
    assert _take(owner, lost).ended == 1
    _take(owner, _list(400))

    usage.add(owner, bot.company_id, [CALL])

    with pytest.raises(ListRefused, match=r"lost models in use \(openai/gpt-4o-mini\)"):
        _take(owner, lost)


def test_a_model_that_nobody_asks_loses_its_price_and_one_whose_price_cannot_be_told_keeps_it(owner: Conn) -> None:
    _take(owner, _list(20))
    changed = json.loads(json.dumps(of_standin(18)))
    changed["data"][0]["pricing"]["prompt"] = "NaN"
    changed["data"][1]["pricing"]["prompt"] = "0.00000099"

    synced = _take(owner, price_list.read(json.dumps(changed).encode()))

    assert (synced.new, synced.ended) == (1, 2)
    held = {row.model: row.in_micros for row in prices.every(owner)}
    assert (held["gpt-4o-mini"], held["model-1"], "model-19" in held) == (150_000, 990_000, False)
    [was] = [row for row in prices.every(owner, model="model-1", past=True) if row.valid_until]
    assert was.in_micros == 160_000


def test_what_is_set_by_hand_stands_before_the_list(owner: Conn, bot: Bot) -> None:
    prices.set_prices(owner, [prices.Named("gpt-4o-mini", "", Price(1, 1))])
    _take(owner, _list(400))

    assert prices.price_of(owner, bot.company_id, "api.openai.com", "gpt-4o-mini") == Price(1, 1)
    assert prices.price_of(owner, bot.company_id, "router", "openai/gpt-4o-mini") == Price(
        150_000, 600_000, cached_in_micros=15_000
    )  # fmt: skip


# ------------------------------------------------------------------ what it would cost


def test_usage_is_shown_by_each_of_its_sides(owner: Conn, bot: Bot, run: Run) -> None:
    prices.set_prices(owner, [prices.Named("gpt-4o-mini", "", Price(150_000, 600_000))])
    owner.execute(
        "INSERT INTO contacts (company_id, id, channel_id, external_id) OVERRIDING SYSTEM VALUE"
        " VALUES (%s, 7, %s, 'customer')",
        (bot.company_id, bot.channel_id),
    )
    local = replace(CALL, provider="here", model="local", purpose="embedding", paid=False, outcome="timeout")
    usage.add(owner, bot.company_id, [CALL, local, replace(CALL, model="new")], contact_id=7)
    company, today = str(bot.company_id), f"{datetime.now(UTC):%Y-%m-%d}"

    shown = {by: run("usage", "--by", by, "--json").json for by in ("company", "contact", "model", "purpose", "day")}

    assert [row["key"] for row in shown["model"]] == ["api.openai.com/gpt-4o-mini", "api.openai.com/new", "here/local"]
    assert [row["key"] for row in shown["purpose"]] == ["answer", "embedding"]
    for by, key in (("company", company), ("contact", f"{company}/7"), ("day", today)):
        [row] = shown[by]
        assert row == {
            "key": key, "calls": 3, "failed": 1, "unpriced": 1, "tokens_in": 3_000_000, "cached_in": 0,
            "tokens_out": 0, "reasoning_out": 0, "cost_micros": 150_000,
        }  # fmt: skip
    assert run("usage", "--by", "day").lines == [
        f"{today}  cost 0.15  3 calls, 3000000 tokens in, 0 out, 1 failed, 1 without a price"
    ]
    assert run("usage", "--company", "shoe-shop", "--days", "1", "--json").json == shown["purpose"]


def test_other_prices_are_tried_on_the_calls_that_were_made(owner: Conn, bot: Bot, run: Run, tmp_path: Path) -> None:
    prices.set_prices(owner, [prices.Named("gpt-4o-mini", "", Price(150_000, 600_000))])
    usage.add(owner, bot.company_id, [CALL, CALL, replace(CALL, model="other"), replace(CALL, model="x", paid=False)])
    (tmp_path / "list.json").write_text(json.dumps({"data": [
        {"id": "openai/gpt-4o-mini", "pricing": {"prompt": "0.0000001", "completion": "0"}},
    ]}))  # fmt: skip
    before = [tuple(row) for row in owner.execute("SELECT cost_micros FROM llm_calls ORDER BY attempt").fetchall()]

    assert run("usage", "reprice", "--days", "30", "--prices", tmp_path / "list.json").lines == [
        "api.openai.com/gpt-4o-mini  2 calls  0.3 → 0.2",
        "api.openai.com/other  1 calls  0 and 1 without a price → 0 and 1 without a price",
        "api.openai.com/x  1 calls  0 → 0",
        "all models  0.3 → 0.2",
    ]
    told = run("usage", "reprice", "--model", "other=2/1", "--model", "x=1/1", "--json").json
    assert {row["model"]: (row["other_micros"], row["other_unpriced"]) for row in told} == {
        "api.openai.com/gpt-4o-mini": (300_000, 0), "api.openai.com/other": (2_000_000, 0),
        "api.openai.com/x": (1_000_000, 0),
    }  # fmt: skip
    after = [tuple(row) for row in owner.execute("SELECT cost_micros FROM llm_calls ORDER BY attempt").fetchall()]
    assert after == before
    misused(run("usage", "reprice", "--model", "other"), "NAME=IN/OUT")
