"""Commands about budgets: what models may cost a company and its contacts in 30 days, and tokens a day."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
import psycopg

from shared import settings
from shared.errors import NotFound, NothingDone, Permanent
from shared.store.answers import usage
from shared.store.lifecycle import data_subjects
from shared.store.models import budgets as store
from shared.store.models.budgets import Budget, Limit
from shared.store.tenants import companies
from tasks.models import budget_check as flow
from workers.commands.amounts import Amount, micros_of, money
from workers.commands.jobs import work_of
from workers.commands.naming import ID_MAX, CompanyItem, PlaceType, company_of, company_option, located
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner

LISTED_MAX = 1_000


class _Bound(Amount):
    """An amount, `none` or `default`."""

    name = "amount|none|default"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value) in ("none", "default"):
            return value
        if micros_of(str(value)) is None:
            self.fail(
                f"{value!r} is not an amount (a number from 0 on with at most six decimals), `none` or `default`",
                param, ctx,
            )  # fmt: skip
        return super().convert(value, param, ctx)


def _contact_option(help: str) -> Any:
    return click.option("--contact", metavar="COMPANY/ID", type=PlaceType("contact find"), help=help)


@click.group()
def budget() -> None:
    """What models may cost in 30 days, for a company and for each of its contacts. Beyond it a cheaper model answers or
    passages are quoted."""


@budget.command("show")
@company_option("The company, with the limits that were set for its contacts.", required=False)
@_contact_option("This contact.")
@as_json_option
def show(company: str | None, contact: CompanyItem | None, as_json: bool) -> None:
    """Show what is spent, what is reserved for calls under way, and when some of it is free again. With neither option:
    every limit that was set."""
    config = settings.load()
    with as_owner(config) as conn:
        company_id, contact_id = _whose(conn, company, contact)
        found = None if company_id is None else _state(conn, config, company_id, contact_id)
        limits = [] if contact_id else store.limits(conn, company_id, most=LISTED_MAX)
    if as_json:
        print_json({"budget": None if found is None else asdict(found), "limits": list(map(asdict, limits))})
        return
    if found is not None:
        click.echo(_line(found))
    for limit in limits:
        if found is None or limit.scope != "company":
            click.echo(_limit_line(limit))
    if not limits and found is None:
        click.echo(f"no limit was set; each contact has {config.llm.contact_budget_usd:g} (CONTACT_BUDGET_USD)")


def _line(found: Budget) -> str:
    who = f"contact {found.company_id}/{found.contact_id}" if found.contact_id else f"company {found.company_id}"
    bound = "no limit" if found.limit_micros is None else f"limit {money(found.limit_micros)}"
    reset = f", since {found.reset_at:%Y-%m-%d %H:%M}" if found.reset_at else ""
    frees = f"; used up until {_time(found.frees_at)}" if found.frees_at else ""
    return (
        f"{who}  {bound}: {money(found.spent_micros)} spent in 30 days{reset},"
        f" {money(found.reserved_micros)} reserved{frees}"
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _limit_line(limit: Limit) -> str:
    bound = "no limit" if limit.limit_micros is None else f"limit {money(limit.limit_micros)}"
    whose = {
        "company": f"company {limit.company_id}",
        "contacts": f"each contact of company {limit.company_id}",
        "contact": f"contact {limit.company_id}/{limit.contact_id}",
    }
    return f"{whose[limit.scope]}  {bound}"


@budget.command("set")
@click.argument("bound", metavar="AMOUNT|none|default", type=_Bound())
@company_option("What all calls for this company may cost together.", required=False)
@_contact_option("What calls for this contact may cost.")
@click.option("--each-contact", is_flag=True, help="With --company: for each of its contacts, instead of together.")
@as_json_option
def set_(bound: int | str, company: str | None, contact: CompanyItem | None, each_contact: bool, as_json: bool) -> None:
    """Set what models may cost in 30 days, from the next call on. none: no limit. default: as if nothing was set.
    `budget set 50 --company acme`"""
    if each_contact and company is None:
        raise click.UsageError("--each-contact goes with --company")
    config = settings.load()
    with as_owner(config) as conn:
        company_id, contact_id = _one(conn, company, contact)
        scope = "contact" if contact_id else "contacts" if each_contact else "company"
        micros = bound if isinstance(bound, int) else None
        limit = Limit(company_id, scope, contact_id, micros)
        if bound == "default":
            changed = store.unset_limit(conn, company_id, scope, contact_id)
        else:
            changed = store.set_limit(conn, limit)
    words = f"{_limit_line(limit).partition('  ')[0]}: {'default' if bound == 'default' else _limit_words(micros)}"
    if not changed:
        raise NothingDone("budget", f"{words} already")
    print_result({**asdict(limit), "default": bound == "default"}, words, as_json=as_json)


def _limit_words(micros: int | None) -> str:
    return "no limit" if micros is None else f"{money(micros)} in 30 days"


@budget.command("reset")
@company_option("The company's own.", required=False)
@_contact_option("This contact's.")
@as_json_option
def reset(company: str | None, contact: CompanyItem | None, as_json: bool) -> None:
    """Let what was spent so far count no more; the limit stays, and so does what usage shows."""
    config = settings.load()
    with as_owner(config) as conn:
        company_id, contact_id = _one(conn, company, contact)
        if not _state(conn, config, company_id, contact_id).spent_micros:
            raise NothingDone("budget", "nothing is spent that counts")
        store.reset(conn, company_id, contact_id)
        found = _state(conn, config, company_id, contact_id)
    print_result(asdict(found), _line(found), as_json=as_json)


@budget.command("check")
@click.option("--repair", is_flag=True, help="Set what differs to what the ledger has.")
@as_json_option
def check(repair: bool, as_json: bool) -> None:
    """Compare what counts against budgets with the ledger of calls, of all companies and 30 days. Exits 1 while
    something differs: that is an error of ours."""
    config = settings.load()
    with as_owner(config) as conn:
        work = work_of(conn, config)
        every = companies.ids_after(conn, 0, limit=ID_MAX)
        found = [one for company_id in every for one in flow.drifted(work, company_id)]
        if repair:
            flow.repair(work, found)
    if as_json:
        print_json({"drifted": [asdict(one) for one in found], "repaired": repair and bool(found)})
    else:
        for one in found:
            click.echo(flow.line(one))
        click.echo(f"{len(found)} sums {'were' if repair else 'are'} not the ledger's" if found else "all sums agree")
    if found and not repair:
        raise SystemExit(1)


@budget.command("tokens")
@click.argument("tokens", metavar="TOKENS|none")
@company_option()
@as_json_option
def tokens(tokens: str, company: str, as_json: bool) -> None:
    """Limit the tokens that a company's answers may use a day (UTC); above it passages are quoted. none: no limit.
    `budget tokens 1000000 --company acme`"""
    if not (tokens == "none" or (tokens.isascii() and tokens.isdigit() and len(tokens) < 19)):
        raise Permanent("budget", f"{tokens!r} should be a number of tokens, or none")
    with as_owner(settings.load()) as conn:
        found = company_of(conn, company)
        bound = None if tokens == "none" else int(tokens)
        if found.daily_token_budget == bound:
            raise NothingDone("budget", f"{found.slug}: {_tokens(bound)} already")
        usage.set_budget(conn, found.id, bound)
    print_result({"company_id": found.id, "daily_token_budget": bound},
                 f"{found.slug}: {_tokens(bound)}",
                 as_json=as_json)  # fmt: skip


def _tokens(bound: int | None) -> str:
    return "no budget" if bound is None else f"{bound} tokens a day"


def _state(conn: psycopg.Connection, config: settings.Settings, company_id: int, contact_id: int) -> Budget:
    return store.state(conn, company_id, contact_id, contact_limit_micros=config.llm.contact_budget_micros)


def _one(conn: psycopg.Connection, company: str | None, contact: CompanyItem | None) -> tuple[int, int]:
    company_id, contact_id = _whose(conn, company, contact)
    if company_id is None:
        raise click.UsageError("say whose: --company COMPANY or --contact COMPANY/ID")
    return company_id, contact_id


def _whose(conn: psycopg.Connection, company: str | None, contact: CompanyItem | None) -> tuple[int | None, int]:
    """(company, contact); contact 0: the company itself. Raises NotFound."""
    if company is not None and contact is not None:
        raise click.UsageError("say --company or --contact, not both")
    if contact is None:
        return (None if company is None else company_of(conn, company).id), 0
    company_id, contact_id = located(conn, contact)
    if data_subjects.one(conn, company_id, contact_id) is None:
        raise NotFound("contact", f"there is no contact {contact}: see `contact find`")
    return company_id, contact_id
