"""Commands about the daily digest and the monthly report."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from shared import settings
from shared.errors import NotFound
from shared.store.models import reports as store
from tasks.models import digest, monthly_report
from workers.commands.printing import as_json_option, limit_option, print_json, print_rows
from workers.commands.setup import as_owner


@click.group()
def report() -> None:
    """The daily digest and the monthly report, which the alert webhook is told, too."""


@report.command("list")
@limit_option(31, most=2_000)
@as_json_option
def report_list(limit: int, as_json: bool) -> None:
    """List the reports that are kept, newest first."""
    with as_owner(settings.load()) as conn:
        rows = store.newest(conn, limit=limit + 1)
    print_rows(rows, _line, empty="no report was made yet", as_json=as_json, limit=limit)


def _line(row: store.Report) -> str:
    told = f"told {row.told_at:%Y-%m-%d %H:%M}" if row.told_at else "not told"
    return f"{row.kind:<7}  {row.body['period']}  {told}  {digest.words(row)[1]}"


@report.command("show")
@click.argument("kind", type=click.Choice(["daily", "monthly"]), default="daily")
@click.option("--period", type=click.DateTime(["%Y-%m-%d", "%Y-%m"]), help="The day, or the month; default the newest.")
@as_json_option
def report_show(kind: store.Kind, period: datetime | None, as_json: bool) -> None:
    """Show the newest digest (daily) or report (monthly), or that of a period."""
    with as_owner(settings.load()) as conn:
        if period is None:
            found = next(iter(store.newest(conn, kind)), None)
        else:
            found = store.find(conn, kind, period.date())
    if found is None:
        raise NotFound("report", "there is no such report yet: see `report list`")
    if as_json:
        print_json({**asdict(found), "body": digest.told_of(found)})
        return
    for line in monthly_report.words(found):
        click.echo(line)
