"""An overload: the company that brings it steps down, its answers say so, and it climbs back by itself."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared.embedded import Database
from shared.model import Tried
from shared.store.answers import load as rows
from shared.store.answers import usage
from tasks.answers import load_shedding
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.station import FakeModel, Station

QUESTION = "When does the shop open?"
RECOVERY_S = 20.0


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, OVERLOAD_RECOVERY_S=RECOVERY_S)
    yield station
    station.close()


@pytest.fixture
def cheaper(station: Station) -> FakeModel:
    return station.add_cheaper_model()


@pytest.fixture
def noisy(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


@pytest.fixture
def quiet(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def _ask(station: Station, bot: Bot, customers: int, since_s: float = 5.0) -> None:
    """So many wait, each due for so long."""
    for chat in range(customers):
        station.receive(bot, QUESTION, chat=bot.company_id * 1000 + chat)
    station.execute(
        "UPDATE turns SET due_at = now() - make_interval(secs => %s) WHERE state = 'waiting' AND company_id = %s",
        since_s, bot.company_id,
    )  # fmt: skip


def _look(station: Station, per_s: float) -> dict[int, int]:
    """Every worker has told its pace, and it is time to look; the levels found."""
    with station.r.db.transaction() as conn:
        rows.tell_pace(conn, "other", per_s)
    station.execute("UPDATE overload SET next_at = now()")
    load_shedding.watch(station.r, "this", every_s=60.0)
    with station.r.db.transaction() as conn:
        return rows.now(conn).levels


def _calm_passes(station: Station) -> None:
    station.execute(
        "UPDATE overload SET companies = (SELECT coalesce(jsonb_object_agg(k, jsonb_set(v, '{1}', CASE v->1 WHEN 'null'"
        " THEN v->1 ELSE to_jsonb((v->>1)::float8 - %s) END)), '{}') FROM jsonb_each(companies) e (k, v))",
        RECOVERY_S + 1,
    )


def _receipt(station: Station) -> tuple[str, str, list[str]]:
    [(step, reason, tried)] = station.rows(
        "SELECT step, reason, fallback_steps FROM receipts ORDER BY created_at DESC, turn_id DESC LIMIT 1"
    )
    return step, reason, [one["step"] for one in tried]


def test_the_company_that_brings_it_steps_down_and_the_others_do_not(station: Station, noisy: Bot, quiet: Bot) -> None:
    _ask(station, noisy, 30)
    _ask(station, quiet, 1)

    assert _look(station, per_s=0.5) == {noisy.company_id: 2}  # 31 turns at one in two seconds: 62 s; the quiet one 4 s

    assert station.r.load_shedding.step(noisy.company_id) == "passages"
    assert station.r.load_shedding.step(quiet.company_id) == "full"


def test_where_all_bring_it_all_step_down(station: Station, noisy: Bot, quiet: Bot) -> None:
    _ask(station, noisy, 10)
    _ask(station, quiet, 10)

    assert _look(station, per_s=1.0) == {noisy.company_id: 1, quiet.company_id: 1}


def test_what_became_due_just_now_is_no_overload(station: Station, noisy: Bot) -> None:
    _ask(station, noisy, 20, since_s=0.0)
    assert _look(station, per_s=0.1) == {}


def test_a_look_that_another_worker_has_taken_is_not_taken_again_and_is_learnt(station: Station, noisy: Bot) -> None:
    _ask(station, noisy, 10)
    _look(station, per_s=0.1)
    station.r.load_shedding.set_levels({})

    station.execute("UPDATE turns SET due_at = now() + interval '1 hour'")
    load_shedding.watch(station.r, "another", every_s=60.0)

    assert station.r.load_shedding.step(noisy.company_id) == "passages"


def test_a_worker_that_is_gone_lends_no_pace(station: Station, noisy: Bot) -> None:
    _ask(station, noisy, 10)
    with station.r.db.transaction() as conn:
        rows.tell_pace(conn, "killed", 1000.0)
    station.execute("UPDATE reply_paces SET told_at = now() - interval '1 minute'")

    assert _look(station, per_s=0.5) == {noisy.company_id: 1}


def test_it_climbs_back_step_by_step_when_it_stays_calm(station: Station, noisy: Bot) -> None:
    _ask(station, noisy, 30)
    assert _look(station, per_s=0.5) == {noisy.company_id: 2}
    station.execute("UPDATE turns SET state = 'cancelled', finished_at = now()")

    seen = []
    for _ in range(4):
        seen.append(_look(station, per_s=0.5).get(noisy.company_id, 0))
        _calm_passes(station)

    assert seen == [2, 1, 0, 0]
    assert station.r.load_shedding.step(noisy.company_id) == "full"


def test_the_first_step_is_the_cheaper_model(station: Station, cheaper: FakeModel, noisy: Bot) -> None:
    station.r.load_shedding.set_levels({noisy.company_id: 1})
    station.receive(noisy, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert (len(station.model.asked), len(cheaper.asked)) == (0, 1)
    assert _receipt(station) == ("cheaper", "overload", ["full", "cheaper"])
    [(steps,)] = station.rows("SELECT fallback_steps FROM receipts")
    assert Tried(**steps[0]) == Tried("full", "overload")


def test_without_a_cheaper_model_that_step_is_the_full_answer(station: Station, noisy: Bot) -> None:
    station.r.load_shedding.set_levels({noisy.company_id: 1})
    station.receive(noisy, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert _receipt(station) == ("full", "model", ["full"])


def test_a_cheaper_model_that_fails_leaves_the_passages(station: Station, cheaper: FakeModel, noisy: Bot) -> None:
    cheaper.status = 401
    station.r.load_shedding.set_levels({noisy.company_id: 1})
    station.receive(noisy, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert station.model.asked == []
    assert _receipt(station) == ("passages", "model_unavailable", ["full", "cheaper", "passages"])


def test_the_second_step_is_passages_without_a_model(station: Station, cheaper: FakeModel, noisy: Bot) -> None:
    station.r.load_shedding.set_levels({noisy.company_id: 2})
    station.receive(noisy, QUESTION)

    assert station.answer() is Result.ANSWERED
    station.deliver_all()

    assert station.model.asked == cheaper.asked == []
    assert "nine in the morning" in station.telegram.texts[0]
    assert _receipt(station) == ("passages", "overload", ["full", "passages"])


def test_the_last_step_is_an_apology_of_which_a_person_is_told(station: Station, noisy: Bot) -> None:
    station.r.load_shedding.set_levels({noisy.company_id: 3})
    station.receive(noisy, QUESTION)

    assert station.answer() is Result.ANSWERED
    station.deliver_all()

    assert station.telegram.texts[0].startswith("Sorry, so many people")
    assert station.model.asked == []
    assert _receipt(station) == ("handover", "overload", ["full", "passages", "handover"])
    assert station.rows("SELECT bot_enabled, attention FROM conversations") == [(True, "overload")]


def test_near_the_end_of_the_days_tokens_the_cheaper_model_answers(
    station: Station, cheaper: FakeModel, noisy: Bot
) -> None:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        usage.set_budget(conn, noisy.company_id, 100)
    station.execute(
        "INSERT INTO usage_daily (company_id, day, tokens_in) VALUES (%s, (now() AT TIME ZONE 'UTC')::date, 85)",
        noisy.company_id,
    )
    station.receive(noisy, QUESTION)

    assert station.answer() is Result.ANSWERED

    assert (len(station.model.asked), len(cheaper.asked)) == (0, 1)
    assert _receipt(station) == ("cheaper", "near_budget", ["full", "cheaper"])
