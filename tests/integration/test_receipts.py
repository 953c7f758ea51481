"""What operators see of a turn: the receipt with its trace, lists, prices and budgets."""

from __future__ import annotations

import psycopg
import pytest

from shared.money import Price
from shared.store.models import prices
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.command_line import Run
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


def _answered(station: Station, bot: Bot) -> int:
    station.receive(bot, QUESTION)
    assert station.answer() is Result.ANSWERED
    station.deliver_all()
    [(turn,)] = station.rows("SELECT id FROM turns ORDER BY id DESC LIMIT 1")
    return int(turn)


def test_the_receipt_shows_the_whole_way_of_an_answer(run: Run, station: Station, bot: Bot) -> None:
    _price(station, "small", 150_000, 600_000)
    turn = _answered(station, bot)

    shown = run("receipt", turn)

    assert (shown.code, shown.err) == (0, "")
    order = ["turn", "step", "fallback", "cost", "accepted", "stored", "quiet window", "claimed", "gathered",
             "embedded", "searched", "model 1", "answer stored", "part 1 queued", "part 1 sent",
             "passages"]  # fmt: skip
    places = [next(n for n, line in enumerate(shown.lines) if line.startswith(word)) for word in order]
    assert places == sorted(places)
    assert "full, reason model" in shown.out
    assert "0.000006   tokens 20 in, 5 out" in shown.out
    assert "model/small: ok" in shown.out
    assert "cited    Opening hours" in shown.out
    assert QUESTION not in shown.out
    assert "nine" not in shown.out


def test_passages_that_were_not_relevant_enough_are_told_and_so_is_that_no_model_was_asked(
    run: Run, station: Station, bot: Bot
) -> None:
    strict = station.r.settings.answers.model_copy(update={"relevance_threshold": 0.3})
    station.r.settings = station.r.settings.model_copy(update={"answers": strict})
    station.r.router = None
    station.receive(bot, "Who opens the parliament of Norway?")
    station.answer()
    [(turn,)] = station.rows("SELECT id FROM turns")

    shown = run("receipt", turn)

    assert "step      unknown, reason nothing_relevant" in shown.lines
    assert "cost      none: no model was asked to write it" in shown.lines
    assert "taken from a relevance of 0.3 on" in shown.out
    assert "too low  Opening hours" in shown.lines[-1]


def test_the_receipt_is_there_for_programs_too(run: Run, station: Station, bot: Bot, second: FakeModel) -> None:
    station.model.status = 401
    turn = _answered(station, bot)

    told = run("receipt", turn, "--company", bot.company_id, "--json").json

    assert told["receipt"]["fallback_steps"] == [
        {"step": "full", "left": "llm_credentials"}, {"step": "cheaper", "left": None},
    ]  # fmt: skip
    assert [a["outcome"] for a in told["receipt"]["attempts"]] == ["llm_credentials", "ok"]
    spans = {span["name"]: span for span in told["spans"]}
    assert {"accepted", "stored", "claimed", "model 1", "model 2", "part 1 sent"} <= spans.keys()
    assert spans["claimed"]["offset_ms"] + spans["claimed"]["duration_ms"] <= spans["part 1 sent"]["offset_ms"]
    assert told["parts"][0]["state"] == "sent"


def test_a_turn_without_an_answer_is_told_as_far_as_it_came(run: Run, station: Station, bot: Bot) -> None:
    station.receive(bot, QUESTION)
    [(turn,)] = station.rows("SELECT id FROM turns")

    shown = run("receipt", turn)

    assert (shown.code, "waiting" in shown.lines[0]) == (0, True)
    assert shown.lines[-1].startswith("stored")


def test_an_answer_from_before_these_times_were_kept_is_shown_without_them(
    run: Run, station: Station, bot: Bot
) -> None:
    turn = _answered(station, bot)
    station.execute("UPDATE turns SET wanted_at = NULL, claimed_at = NULL")
    station.execute(
        "UPDATE receipts SET stored_at = NULL, fallback_steps = '[]', cost_micros = NULL,"
        " attempts = jsonb_build_array((attempts->0) - 'step' - 'offset_ms')"
    )

    shown = run("receipt", turn)

    assert (shown.code, shown.err) == (0, "")
    assert "fallback  full" in shown.out
    assert "cost      unknown" in shown.out
    assert "part 1 sent" in shown.out


def test_calls_of_overtaken_answers_stand_on_the_receipt(run: Run, station: Station, bot: Bot) -> None:
    _price(station, "small", 1_000_000, 1_000_000)
    station.model.meanwhile.append(lambda: station.receive(bot, "I mean on Sundays"))
    station.receive(bot, QUESTION)
    station.answer()
    station.time_passes()
    station.answer()
    [(turn,)] = station.rows("SELECT turn_id FROM receipts")

    assert "overtaken 1 calls, 0.000025" in run("receipt", turn).out


def test_turns_are_listed_newest_first_by_company_and_state(run: Run, station: Station, bot: Bot) -> None:
    other = make_bot(station.inbox.server.admin_url)
    turn = _answered(station, bot)
    station.receive(other, QUESTION, chat=9)

    assert [row["state"] for row in run("turns", "list", "--json").json] == ["waiting", "answered"]
    assert [row["id"] for row in run("turns", "list", "--company", bot.company_id, "--json").json] == [turn]
    assert [row["company_id"] for row in run("turns", "list", "--state", "waiting", "--json").json] == [
        other.company_id
    ]
    line = run("turns", "list", "--state", "answered").out
    assert line.startswith(f"{turn}  conversation {bot.company_id}/")
    assert "full (model)" in line
    assert run("turns", "list", "--state", "cancelled").out == "no turns\n"


def test_prices_and_budgets_are_set_from_the_command_line(run: Run, station: Station, bot: Bot) -> None:
    assert run("price", "list").out == "no model has a price\n"
    assert run("price", "set", "small", "0.15", "0.6").out == "small: 0.15 in, 0.6 out, a million tokens\n"
    run("price", "set", "small", "1", "2.5")
    [held] = run("price", "list", "--json").json
    assert (held["model"], held["in_micros"], held["out_micros"]) == ("small", 1_000_000, 2_500_000)
    assert run("budget", "tokens", "1000", "--company", "shoe-shop").out == "shoe-shop: 1000 tokens a day\n"
    assert station.rows("SELECT daily_token_budget FROM companies") == [(1000,)]
    assert run("budget", "tokens", "none", "--company", "shoe-shop").code == 0
    assert station.rows("SELECT daily_token_budget FROM companies") == [(None,)]


MISTAKES = {
    "there is no turn 99: see `turns list`": ("receipt", "99"),
    "there is no turn 99 of company 1": ("receipt", "99", "--company", "1"),
    "is not an amount: a number from 0 on with at most six decimals": ("price", "set", "m", "1", "0.0000001"),
    "is not an amount": ("price", "set", "m", "NaN", "1"),
    "should be a number of tokens, or none": ("budget", "tokens", "many", "--company", "shoe-shop"),
    "no company has the slug or id 'nobody'": ("budget", "tokens", "5", "--company", "nobody"),
    "Invalid value for '--state'": ("turns", "list", "--state", "lost"),
}


@pytest.mark.parametrize(("told", "words"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_is_told_and_not_a_traceback(
    run: Run,
    station: Station,
    bot: Bot,
    told: str,
    words: tuple[str, ...],
) -> None:
    ended = run(*words)

    assert ended.code == (1 if told.startswith(("there is no", "no company")) else 2)
    assert told in ended.err
    assert "Traceback" not in ended.err
