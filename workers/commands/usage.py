"""Commands about what models were used for, what it cost, and what it would cost."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import click

from shared import settings
from shared.money import Price
from shared.store.models import usage_totals as store
from tasks.models import price_list
from workers.commands.amounts import money
from workers.commands.naming import company_id_of, company_option
from workers.commands.printing import as_json_option, limit_option, print_json
from workers.commands.setup import as_owner

DAYS_MAX = 800
days_option = click.option(
    "--days", type=click.IntRange(1, DAYS_MAX), default=30, show_default=True, help="The last days (UTC), with today."
)


@click.group(invoke_without_command=True)
@click.option("--by", type=click.Choice(get_args(store.By)), default="purpose", show_default=True)
@days_option
@company_option("Only this company's.", required=False)
@limit_option(100, most=100_000)
@as_json_option
@click.pass_context
def usage(context: click.Context, by: store.By, days: int, company: str | None, limit: int, as_json: bool) -> None:
    """Show what models were used for and what it cost, by company, contact, model, purpose or day."""
    if context.invoked_subcommand is not None:
        return
    until = datetime.now(UTC).date()
    with as_owner(settings.load()) as conn:
        rows = store.used(
            conn, by, until - timedelta(days=days - 1), until, company_id=company_id_of(conn, company), limit=limit
        )
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo(f"no model was called in the last {days} days")


def _line(row: store.Used) -> str:
    words = f"{row.key}  cost {money(row.cost_micros)}  {row.calls} calls, {row.tokens_in} tokens in"
    words += f" ({row.cached_in} cached)" if row.cached_in else ""
    words += f", {row.tokens_out} out"
    words += f" ({row.reasoning_out} reasoning)" if row.reasoning_out else ""
    words += f", {row.failed} failed" if row.failed else ""
    return words + (f", {row.unpriced} without a price" if row.unpriced else "")


@usage.command()
@days_option
@click.option("--prices", "prices_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A list of prices in OpenRouter's format.")  # fmt: skip
@click.option("--model", "models", multiple=True, metavar="NAME=IN/OUT", help="The price of a model; several times.")
@company_option("Only this company's calls.", required=False)
@as_json_option
def reprice(days: int, prices_file: Path | None, models: tuple[str, ...], company: str | None, as_json: bool) -> None:
    """Show what the last calls cost and what they would have cost at other prices, or at today's; changes nothing.
    `usage reprice --model gpt-4o-mini=0.10/0.40`"""
    other: dict[price_list.Key, Price] = {}
    if prices_file is not None:
        other |= price_list.read(prices_file.read_bytes()).prices
    for text in models:
        try:
            other |= {("", name): price for name, price in price_list.of_models(text).items()}
        except ValueError as e:
            raise click.UsageError(f"--model {e}") from None
    today = datetime.now(UTC).date()
    with as_owner(settings.load()) as conn:
        rows = store.reprice(conn, today, days, other, company_id=company_id_of(conn, company))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(f"{row.model}  {row.calls} calls  {_cost(row.cost_micros, row.unpriced)} → "
                   f"{_cost(row.other_micros, row.other_unpriced)}")  # fmt: skip
    if rows:
        was, other_micros = sum(row.cost_micros for row in rows), sum(row.other_micros for row in rows)
        click.echo(f"all models  {money(was)} → {money(other_micros)}")
    else:
        click.echo(f"no model was called in the last {days} days")


def _cost(micros: int, unpriced: int) -> str:
    return f"{money(micros)}{f' and {unpriced} without a price' if unpriced else ''}"
