"""Commands for models: providers with their keys, and the routes that say which models are asked for what."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO, Any

import click
import psycopg

from shared import settings
from shared.cache.invalidation import Invalidations
from shared.errors import NothingDone, Permanent
from shared.llm.trial import Trial
from shared.money import cost_micros
from shared.settings import Settings
from shared.store.db.pool import describe
from shared.store.db.redis import connect
from shared.store.db.vault import Vault
from shared.store.models import prices
from shared.store.models import providers as store
from shared.store.models.providers import KINDS, Model, Provider, changed_topics
from tasks.models import providers, routing
from tasks.models.providers import Wanted
from tasks.models.routing import Resolved, StepShown
from workers.commands.amounts import money
from workers.commands.naming import company_id_of, company_option
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner

KIND_HELP = f"A model as the provider names it; its kind behind a colon if it is not chat ({', '.join(KINDS)})."
KEY_MAX_CHARS = 10_000


@click.group("model-provider")
def provider() -> None:
    """Who runs models: an OpenAI-compatible address, its key, and its models. A company's own, or the installation's,
    which every company may use."""


def _key_option(help: str) -> Any:
    return click.option("--key-file", type=click.File("r"), help=f"{help} - reads standard input.")


def _paid_option() -> Any:
    return click.option(
        "--paid/--free", "paid", default=None,
        help="Whether it may cost money, so that a model without a price is not asked. Default: free where the host is"
        " of this machine or network.",
    )  # fmt: skip


@provider.command("add")
@click.argument("name")
@click.argument("base_url", metavar="BASE_URL")
@click.option("--model", "models", metavar="MODEL[:KIND]", multiple=True, required=True, help=KIND_HELP)
@_key_option("A file with the API key, because keys do not belong on a command line.")
@click.option("--no-key", is_flag=True, help="It asks for no key.")
@_paid_option()
@company_option("Its own provider, which no other company may use. Left out: the installation's.", required=False)
@as_json_option
def add(
    name: str, base_url: str, models: Sequence[str], key_file: IO[str] | None, no_key: bool, paid: bool | None,
    company: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Add a provider. BASE_URL: with /v1. The key is stored encrypted and never shown again.

    A company's own provider has to be in the public network, or where EGRESS_ALLOW says.
    """
    config = settings.load()
    listed = [providers.model_of(one) for one in models]
    vault = Vault(config.system.fernet_keys)
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        url = providers.checked_url(base_url)
        asyncio.run(providers.check_reachable(config, company_id, url))
        key = "" if no_key else _key(key_file, f"The API key of {name} (nothing: it asks for none)")
        new = providers.new(config, vault, company_id, name, url, listed, api_key=key, paid=paid)
        with conn.transaction():
            store.add(conn, new)
        made = providers.found(conn, company_id, name)
    tell(config, company_id)
    print_result(_as_json(made), _line(made), f"try it: model-provider test {name}{_of(company)}", as_json=as_json)


def _key(file: IO[str] | None, question: str) -> str:
    if file is not None:
        return file.read(KEY_MAX_CHARS).strip()
    if not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError("there is no terminal to ask for the key at: give --key-file FILE, or --no-key")
    return str(click.prompt(question, hide_input=True, default="", show_default=False, err=True)).strip()


def _of(company: str | None) -> str:
    return "" if company is None else f" --company {company}"


@provider.command("list")
@company_option("What this company may use. Left out: everybody's.", required=False)
@as_json_option
def list_(company: str | None, as_json: bool) -> None:
    """List providers with their models. Of a key only the last four characters are shown."""
    with as_owner(settings.load()) as conn:
        company_id = company_id_of(conn, company)
        rows = store.every(conn) if company_id is None else store.listed(conn, company_id)
    if as_json:
        print_json(list(map(_as_json, rows)))
        return
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("no provider is stored: the models are those of LLM_BASE_URL, EMBEDDINGS_* and RERANK_*")


def _as_json(row: Provider) -> dict[str, Any]:
    return {
        "id": row.id, "company_id": row.company_id, "name": row.name, "base_url": row.base_url,
        "has_key": row.sealed is not None, "key_hint": row.key_hint, "models": list(map(asdict, row.models)),
        "paid": row.paid, "state": row.state,
    }  # fmt: skip


def _line(row: Provider) -> str:
    whose = "the installation's" if row.company_id is None else f"company {row.company_id}'s"
    key = "no key" if row.sealed is None else f"key …{row.key_hint}" if row.key_hint else "a key"
    listed = ", ".join(one.name if one.kind == "chat" else f"{one.name}:{one.kind}" for one in row.models)
    disabled = "" if row.state == "active" else "  DISABLED"
    return f"{row.name}  {whose}  {row.base_url}  {key}  {'paid' if row.paid else 'free'}{disabled}  {listed}"


@provider.command("test")
@click.argument("name")
@click.option("--model", "models", metavar="MODEL", multiple=True, help="This one alone. Left out: each of its models.")
@company_option("Its own provider. Left out: the installation's.", required=False)
@as_json_option
def test(name: str, models: Sequence[str], company: str | None, as_json: bool) -> None:
    """Make a small real call to each model and say what came: status, time, tokens, and cost if there is a price.

    Exits 1 if a model does not answer.
    """
    config = settings.load()
    vault = Vault(config.system.fernet_keys)
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        row = providers.found(conn, company_id, name)
        tried = [(one, providers.try_out(config, vault, row, one)) for one in _asked(row, models)]
        costs = [_cost(conn, company_id, row, one, trial) for one, trial in tried]
    if as_json:
        print_json([
            {"provider": name, "model": one.name, "kind": one.kind, **asdict(trial), "cost_micros": cost}
            for (one, trial), cost in zip(tried, costs, strict=True)
        ])  # fmt: skip
    else:
        for (one, trial), cost in zip(tried, costs, strict=True):
            click.echo(_trial_line(row, one, trial, cost))
    if not all(trial.ok for _, trial in tried):
        raise SystemExit(1)


def _asked(row: Provider, models: Sequence[str]) -> list[Model]:
    known = {one.name: one for one in row.models}
    if unknown := [one for one in models if one not in known]:
        raise NothingDone("model", f"{row.name} has no model {unknown[0]!r}: it has {', '.join(known) or 'none'}")
    if not known:
        raise NothingDone("model", f"{row.name} has no model: model-provider change {row.name} --add-model MODEL")
    return [known[one] for one in models] or list(row.models)


def _cost(conn: psycopg.Connection, company_id: int | None, row: Provider, model: Model, trial: Trial) -> int | None:
    """In millionths; None without a price, and where its kind counts no tokens."""
    if trial.usage is None:
        return None
    price = prices.price_of(conn, company_id or 0, row.name, model.name)
    if price is None:
        return None if row.paid else 0
    return cost_micros(price, trial.usage)


def _trial_line(row: Provider, model: Model, trial: Trial, cost: int | None) -> str:
    status = "" if trial.status is None else f" (HTTP {trial.status})"
    tokens = ""
    if trial.usage is not None:
        estimated = " estimated" if trial.usage.estimated else ""
        priced = "no price" if cost is None else f"cost {money(cost)}"
        tokens = f"  {trial.usage.tokens_in} + {trial.usage.tokens_out} tokens{estimated}  {priced}"
    told = f"  {trial.told}" if trial.told else ""
    return f"{row.name}/{model.name}  {model.kind}  {trial.outcome}{status}  {trial.ms} ms{tokens}{told}"


@provider.command("change")
@click.argument("name")
@click.option("--base-url", help="Another address. A key does not follow to another server: give it again.")
@_key_option("A file with another API key.")
@click.option("--no-key", is_flag=True, help="It asks for no key any more.")
@click.option("--add-model", "added", metavar="MODEL[:KIND]", multiple=True, help=KIND_HELP)
@click.option("--drop-model", "dropped", metavar="MODEL", multiple=True, help="One that no route asks.")
@_paid_option()
@click.option("--disable/--enable", "disabled", default=None, help="A disabled one is not asked; its routes go on.")
@company_option("Its own provider. Left out: the installation's.", required=False)
@as_json_option
def change(
    name: str, base_url: str | None, key_file: IO[str] | None, no_key: bool, added: Sequence[str],
    dropped: Sequence[str], paid: bool | None, disabled: bool | None, company: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Change a provider; every process asks it like this from the next call on."""
    config = settings.load()
    if key_file is not None and no_key:
        raise click.UsageError("--key-file and --no-key exclude each other")
    wanted = Wanted(
        base_url=base_url, api_key="" if no_key else None if key_file is None else _key(key_file, ""), paid=paid,
        add=[providers.model_of(one) for one in added], drop=dropped,
        state=None if disabled is None else "disabled" if disabled else "active",
    )  # fmt: skip
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        if base_url is not None:
            asyncio.run(providers.check_reachable(config, company_id, providers.checked_url(base_url)))
        with conn.transaction():
            after = providers.change(conn, Vault(config.system.fernet_keys), company_id, name, wanted)
    tell(config, company_id)
    print_result(_as_json(after), _line(after), as_json=as_json)


@provider.command("remove")
@click.argument("name")
@company_option("Its own provider. Left out: the installation's.", required=False)
@as_json_option
def remove(name: str, company: str | None, as_json: bool) -> None:
    """Delete a provider that no route asks any more, with its key."""
    config = settings.load()
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        with conn.transaction():
            providers.remove(conn, company_id, name)
    tell(config, company_id)
    print_result({"removed": name, "company_id": company_id}, f"{name} is removed", as_json=as_json)


# ---------------------------------------------------------------------- routes
@click.group("model-route")
def route() -> None:
    """Which models are asked for what, in order: a company's route, else the installation's, else the models that the
    environment's variables name."""


@route.command("show")
@company_option("What holds for this company. Left out: for companies without routes of their own.", required=False)
@as_json_option
def show(company: str | None, as_json: bool) -> None:
    """Show for each purpose which models are asked, and where that is said."""
    config = settings.load()
    with as_owner(config) as conn:
        found = routing.resolved(conn, config, company_id_of(conn, company))
    if as_json:
        print_json(list(map(asdict, found)))
        return
    for each in found:
        click.echo(_route_line(each))


def _route_line(each: Resolved) -> str:
    said = {
        "company": "the company's", "installation": "the installation's", "environment": "the environment's",
        "none": "no model",
    }  # fmt: skip
    steps = " → ".join(map(_step, each.steps))
    return f"{each.purpose}  {said[each.origin]}{'  ' if steps else ''}{steps}"


def _step(step: StepShown) -> str:
    most = "" if step.max_tokens is None else f"@{step.max_tokens}"
    why = "no price: `price set` it" if step.barred == "price_unknown" else step.barred
    return f"{step.provider}/{step.model}{most}{'' if why is None else f' ({why})'}"


@route.command("set")
@click.argument("purpose")
@click.argument("steps", metavar="PROVIDER/MODEL[@TOKENS]…", nargs=-1, required=True)
@company_option("For this one alone. Left out: for all that have none of their own.", required=False)
@as_json_option
def set_(purpose: str, steps: Sequence[str], company: str | None, as_json: bool) -> None:
    """Say which models are asked for PURPOSE, the first one first; the next is asked when one does not answer. TOKENS:
    the most that an answer may have. Every process follows from the next call on."""
    config = settings.load()
    asked, wanted = routing.purpose_of(purpose), [routing.step_of(one) for one in steps]
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        with conn.transaction():
            if not routing.set_route(conn, company_id, asked, wanted):
                raise NothingDone("model_route", f"{purpose} is routed like this already")
        [now] = [one for one in routing.resolved(conn, config, company_id) if one.purpose == asked]
    tell(config, company_id)
    print_result(asdict(now), _route_line(now), as_json=as_json)


@route.command("reset")
@click.argument("purpose")
@company_option("Its own route. Left out: the installation's.", required=False)
@as_json_option
def reset(purpose: str, company: str | None, as_json: bool) -> None:
    """Take the route for PURPOSE away, so that the next one holds: the installation's, then the environment's."""
    config = settings.load()
    asked = routing.purpose_of(purpose)
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        with conn.transaction():
            routing.reset(conn, company_id, asked)
        [now] = [one for one in routing.resolved(conn, config, company_id) if one.purpose == asked]
    tell(config, company_id)
    print_result(asdict(now), _route_line(now), as_json=as_json)


def tell(config: Settings, company_id: int | None) -> None:
    """Have all processes look again. Says so where they cannot be told, and look again by themselves."""
    try:
        client = connect(config.need("CACHE_URL"), socket_timeout_s=1.0)
    except (Permanent, ValueError) as e:
        click.echo(f"note: no process was told ({describe(e)}): they look again within 10 minutes", err=True)
        return
    invalidations = Invalidations(client)
    try:
        told = [invalidations.tell(topic) for topic in changed_topics(company_id)]
        if not all(told):
            click.echo("note: Redis is away, so processes look again within 10 minutes", err=True)
    finally:
        invalidations.close()
        client.close()
