"""Budgets from the command line: shown, set, let begin anew."""

from __future__ import annotations

import pytest

from tests.factories import Bot, make_bot
from tests.integration.command_line import Run
from tests.integration.station import Station


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url, "Shoe shop")
    station.receive(bot, "hello")
    return bot


@pytest.fixture
def contact(station: Station, bot: Bot) -> str:
    [(id_,)] = station.rows("SELECT id FROM contacts")
    station.execute("INSERT INTO contact_days VALUES (%s, %s, current_date, 2500000)", bot.company_id, id_)
    station.execute(
        "INSERT INTO usage_daily (company_id, day, cost_micros) VALUES (%s, current_date, 2500000)", bot.company_id
    )
    return f"shoe-shop/{id_}"


def test_a_contact_s_budget_is_set_shown_and_reset(run: Run, contact: str) -> None:
    place = f"contact {contact.replace('shoe-shop', '1')}"
    assert run("budget", "show", "--contact", contact).out == (f"{place}  limit 10: 2.5 spent in 30 days, 0 reserved\n")
    assert run("budget", "set", "2.5", "--contact", contact).out == f"{place}: 2.5 in 30 days\n"
    [line] = run("budget", "show", "--contact", contact).lines
    assert "limit 2.5: 2.5 spent in 30 days, 0 reserved; used up until" in line
    assert "0 spent in 30 days, since" in run("budget", "reset", "--contact", contact).out
    assert run("budget", "show").out == f"{place}  limit 2.5\n"
    assert run("budget", "set", "default", "--contact", contact).out == f"{place}: default\n"
    assert run("budget", "show").out == "no limit was set; each contact has 10 (CONTACT_BUDGET_USD)\n"


def test_a_company_s_budget_and_that_of_each_of_its_contacts(run: Run, contact: str) -> None:
    assert run("budget", "set", "50", "--company", "shoe-shop").out == "company 1: 50 in 30 days\n"
    run("budget", "set", "none", "--company", "shoe-shop", "--each-contact")
    assert run("budget", "show", "--company", "shoe-shop").lines == [
        "company 1  limit 50: 2.5 spent in 30 days, 0 reserved",
        "each contact of company 1  no limit",
    ]
    assert run("budget", "show", "--contact", contact, "--json").json["budget"]["limit_micros"] is None
    shown = run("budget", "show", "--company", "shoe-shop", "--json").json
    assert (shown["budget"]["limit_micros"], shown["budget"]["spent_micros"]) == (50_000_000, 2_500_000)
    assert [one["scope"] for one in shown["limits"]] == ["company", "contacts"]


def test_sums_that_are_not_the_ledger_s_are_told_and_repaired(run: Run, station: Station, contact: str) -> None:
    station.execute(
        "INSERT INTO llm_calls (company_id, epoch, attempt, day, provider, model, step, outcome, duration_ms,"
        " tokens_in, tokens_out, cost_micros) VALUES (1, 0, 1, current_date, 'a', 'm', 'full', 'ok', 1, 1, 1, 7)"
    )
    found = run("budget", "check")
    assert (found.code, found.lines[-1]) == (1, "2 sums are not the ledger's")
    assert run("budget", "check", "--repair").code == 0
    assert run("budget", "check").out == "all sums agree\n"
    assert "0.000007 spent" in run("budget", "show", "--company", "shoe-shop").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("budget", "set", "much", "--company", "shoe-shop"), "is not an amount"),
        (("budget", "set", "-1", "--company", "shoe-shop"), "No such option"),
        (("budget", "set", "0.0000001", "--company", "shoe-shop"), "at most six decimals"),
        (("budget", "set", "5"), "--company COMPANY or --contact COMPANY/ID"),
        (("budget", "set", "5", "--each-contact"), "--each-contact goes with --company"),
        (("budget", "reset", "--contact", "shoe-shop/999"), "there is no contact shoe-shop/999"),
        (("budget", "1000", "--company", "shoe-shop"), "is now `./switchboard budget tokens N --company COMPANY`"),
    ],
)
def test_what_cannot_be_done_is_told(run: Run, contact: str, words: tuple[str, ...], told: str) -> None:
    found = run(*words)
    assert found.code != 0
    assert told in found.err
