"""Commands about what models cost."""

from __future__ import annotations

from dataclasses import asdict

import click

from shared import settings
from shared.cache.invalidation import Invalidations
from shared.errors import NothingDone
from shared.money import Price
from shared.store.db.redis import connect
from shared.store.models import prices as store
from workers.commands.amounts import Amount, money
from workers.commands.naming import company_id_of, company_option
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner

MODEL_CHARS = 200
REDIS_WITHIN_S = 2.0


@click.group()
def price() -> None:
    """What models cost. A call's cost is computed with the price at its time."""


provider_option = click.option("--provider", default="", metavar="NAME", help="Only for calls of this provider.")


@price.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("model")
@click.argument("in_micros", metavar="IN", type=Amount())
@click.argument("out_micros", metavar="OUT", type=Amount())
@click.option("--cached", "cached_in_micros", type=Amount(), help="Of tokens that the provider had in its cache.")
@click.option("--reasoning", "reasoning_micros", type=Amount(), help="Of tokens of reasoning.")
@click.option("--request", "request_micros", type=Amount(), default=0, help="Of each call, besides its tokens.")
@provider_option
@company_option("Only for this company.", required=False)
@as_json_option
def price_set(
    model: str, in_micros: int, out_micros: int, cached_in_micros: int | None, reasoning_micros: int | None,
    request_micros: int, provider: str, company: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Set the price of a million tokens IN and OUT, in any one currency: `price set gpt-4o-mini 0.15 0.60`. It stands
    before what the list says; 0 is free."""
    named = store.Named(
        _name(model, "MODEL", "a model's name"),
        _name(provider, "--provider", "a provider's name") if provider else "",
        Price(in_micros, out_micros, cached_in_micros, reasoning_micros, request_micros),
    )
    config = settings.load()
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        new = store.set_prices(conn, [named]) if company_id is None else store.set_own_price(conn, company_id, named)
    if not new:
        raise NothingDone("price", f"{named.model} has this price already")
    _tell(config)
    print_result(
        {"model": named.model, "provider": named.provider, "company_id": company_id, **asdict(named.price)},
        f"{named.model}: {_words(named.price)}, a million tokens",
        as_json=as_json,
    )


@price.command("unset")
@click.argument("model")
@provider_option
@company_option("Only this company's.", required=False)
@as_json_option
def price_unset(model: str, provider: str, company: str | None, as_json: bool) -> None:
    """End a price that was set: the one that it stood before holds again, if there is one."""
    config = settings.load()
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        if not store.end_price(conn, model, provider, company_id):
            raise NothingDone("price", f"{model} has no such price: see `price list`")
    _tell(config)
    print_result({"model": model, "provider": provider, "company_id": company_id}, f"{model}: ended", as_json=as_json)


@price.command("list")
@click.option("--model", help="Only of this model.")
@click.option("--past", is_flag=True, help="Also those that hold no longer.")
@company_option("Without other companies' own.", required=False)
@as_json_option
def price_list(model: str | None, past: bool, company: str | None, as_json: bool) -> None:
    """List the models that have a price. Of several for a model a company's own stands first, then the one that was
    set, then the list's."""
    with as_owner(settings.load()) as conn:
        rows = store.every(conn, model=model, company_id=company_id_of(conn, company), past=past)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("no model has a price")


def _line(row: store.Listed) -> str:
    whose = f"  company {row.company_id}" if row.company_id is not None else ""
    maker = f"{row.provider}/" if row.source == "sync" and row.provider else ""
    provider = f"  at {row.provider}" if row.source != "sync" and row.provider else ""
    found = Price(row.in_micros, row.out_micros, row.cached_in_micros, row.reasoning_micros, row.request_micros)
    listed = "  listed" if row.source == "sync" else ""
    ended = f"  until {row.valid_until:%Y-%m-%d %H:%M}" if row.valid_until else ""
    return f"{maker}{row.model}  {_words(found)}{provider}{whose}{listed}{ended}"


def _words(found: Price) -> str:
    words = f"{money(found.in_micros)} in, {money(found.out_micros)} out"
    if found.cached_in_micros is not None:
        words += f", {money(found.cached_in_micros)} cached"
    if found.reasoning_micros is not None:
        words += f", {money(found.reasoning_micros)} reasoning"
    return words + (f", {money(found.request_micros)} a call" if found.request_micros else "")


def _tell(config: settings.Settings) -> None:
    """The price stands in the database; without Redis processes see it a little later."""
    with connect(config.need("CACHE_URL"), socket_timeout_s=REDIS_WITHIN_S) as client:
        invalidations = Invalidations(client)
        if not invalidations.tell(store.TOPIC):
            click.echo("note: Redis is away: processes that run see the price within ten minutes", err=True)
        invalidations.close()


def _name(text: str, place: str, what: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > MODEL_CHARS:
        raise click.UsageError(f"{place} should be {what}, of up to {MODEL_CHARS} characters")
    return text.strip()
