"""How long logs are kept."""

from __future__ import annotations

from dataclasses import asdict

import click
import psycopg

from shared import settings
from shared.errors import Permanent
from shared.store import retention as store
from workers.commands.companies import company_named
from workers.commands.printing import as_json_option, print_json
from workers.commands.setup import as_owner


@click.group()
def retention() -> None:
    """How long logs are kept. What customers wrote is no log: see `archive`."""


@retention.command("show")
@as_json_option
def show(as_json: bool) -> None:
    """The days of each log, and companies' own."""
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
@click.argument("subject")
@click.argument("days", type=click.IntRange(min=1))
@click.option("--company", "company_name", help="For this company alone.")
def set_(subject: str, days: int, company_name: str | None) -> None:
    """Keep a log for so many days, from the next run on (retention.drop_raw, retention.drop_logs)."""
    with as_owner(settings.load()) as conn:
        _known(conn, subject)
        try:
            if company_name is None:
                store.set_days(conn, subject, days)
            else:
                store.set_override(conn, company_named(conn, company_name).id, subject, days)
        except psycopg.errors.CheckViolation:
            raise Permanent(
                "retention", f"{subject} cannot be kept for {days} days"
                + (" for one company" if company_name else "") + ": the ledger needs 7, and runs have no company",
            ) from None  # fmt: skip
    click.echo(f"{subject}  {days} days{f' for {company_name}' if company_name else ''}")


@retention.command("unset")
@click.argument("subject")
@click.option("--company", "company_name", required=True)
def unset(subject: str, company_name: str) -> None:
    """A company's rows follow the default again."""
    with as_owner(settings.load()) as conn:
        _known(conn, subject)
        went = store.unset_override(conn, company_named(conn, company_name).id, subject)
    click.echo(f"{subject}  {'as everybody' if went else 'had no term of its own'}")


def _known(conn: psycopg.Connection, subject: str) -> None:
    known = store.policies(conn)
    if subject not in known:
        raise Permanent("retention", f"no log is named {subject!r}: there are {', '.join(known)}")
