"""How long logs are kept."""

from __future__ import annotations

from dataclasses import asdict

import click
import psycopg

from shared import settings
from shared.errors import NotFound, NothingDone, Permanent
from shared.store.lifecycle import retention as store
from workers.commands.naming import company_id_of, company_of, company_option
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner


@click.group()
def retention() -> None:
    """How long logs are kept. Customers' messages are not logs: see `archive`."""


@retention.command("show")
@as_json_option
def show(as_json: bool) -> None:
    """Show for how many days each log is kept, and companies' own terms."""
    with as_owner(settings.load()) as conn:
        days, own = store.policies(conn), store.overrides(conn)
    if as_json:
        print_json({"days": days, "overrides": [asdict(o) for o in own]})
        return
    for subject, kept in days.items():
        click.echo(f"{subject}  {kept} days")
        for override in own:
            if override.subject == subject:
                click.echo(f"    company {override.company_id}  {override.days} days")


@retention.command("set")
@click.argument("subject", metavar="LOG")
@click.argument("days", type=click.IntRange(1, 36_500))
@company_option("For this company alone.", required=False)
@as_json_option
def set_(subject: str, days: int, company: str | None, as_json: bool) -> None:
    """Keep a log for DAYS days, from the next run on (lifecycle.drop_raw_requests, lifecycle.drop_logs)."""
    for_company = f" for {company}" if company else ""
    with as_owner(settings.load()) as conn:
        _known(conn, subject)
        try:
            company_id = company_id_of(conn, company)
            if days == _kept(conn, subject, company_id):
                raise NothingDone("retention", f"{subject} is kept for {days} days{for_company} already")
            if company_id is None:
                store.set_days(conn, subject, days)
            else:
                store.set_override(conn, company_id, subject, days)
        except psycopg.errors.CheckViolation:
            raise Permanent(
                "retention", f"{subject} cannot be kept for {days} days"
                + (" for one company" if company else "") + ": the ledger needs 7, and runs have no company",
            ) from None  # fmt: skip
    print_result({"subject": subject, "days": days, "company_id": company_id},
                 f"{subject}  {days} days{for_company}", as_json=as_json)  # fmt: skip


@retention.command("unset")
@click.argument("subject", metavar="LOG")
@company_option("This company's rows follow the days of all. Left out: the built-in days for all.", required=False)
@as_json_option
def unset(subject: str, company: str | None, as_json: bool) -> None:
    """Undo every `retention set` of a log: the built-in number of days holds again."""
    with as_owner(settings.load()) as conn:
        _known(conn, subject)
        if company is None:
            days = store.DEFAULT_DAYS[subject]
            if _kept(conn, subject, None) == days:
                raise NothingDone("retention", f"{subject} is kept for the built-in {days} days already")
            store.set_days(conn, subject, days)
            print_result({"subject": subject, "company_id": None, "days": days}, f"{subject}  {days} days",
                         as_json=as_json)  # fmt: skip
            return
        company_id = company_of(conn, company).id
        if not store.unset_override(conn, company_id, subject):
            raise NothingDone("retention", f"{company} has no days of its own for {subject}")
    print_result({"subject": subject, "company_id": company_id, "days": None}, f"{subject}  as everybody",
                 as_json=as_json)  # fmt: skip


def _kept(conn: psycopg.Connection, subject: str, company_id: int | None) -> int | None:
    """The days that were set for this company, or for everybody; None: none of its own."""
    if company_id is None:
        return store.policies(conn)[subject]
    own = (o.days for o in store.overrides(conn) if (o.company_id, o.subject) == (company_id, subject))
    return next(own, None)


def _known(conn: psycopg.Connection, subject: str) -> None:
    known = store.policies(conn)
    if subject not in known:
        raise NotFound("retention", f"no log is named {subject!r}: there are {', '.join(known)}")
