"""Commands for limits: rate limits, which Redis counts by seconds, minutes and hours, and daily limits, which the
database counts by the calendar day (UTC). No purpose of the one is a kind of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
import psycopg
import redis

from shared import settings
from shared.cache.invalidation import Invalidations
from shared.clock import SystemClock
from shared.errors import NotFound, NothingDone, Transient
from shared.resilience.addresses import UNKNOWN, normal_address
from shared.resilience.refusals import Refusals, Refused, shown
from shared.store.db.redis import connect
from shared.store.tenants import limits as daily
from shared.store.tenants import rate_limits as rates
from shared.store.tenants.rate_limits import PURPOSES, Bounds, Purpose
from workers.commands.naming import company_id_of, company_option
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner

REDIS_WITHIN_S = 2.0
DAILY = ("per_company", "per_contact")


class _Bound(click.ParamType):  # type: ignore[type-arg]
    """A number, or `none`."""

    name = "number|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if text != "none" and not (text.isascii() and text.isdigit() and len(text) < 16):
            self.fail(f"{text!r} is no number of times, and not `none`", param, ctx)
        return text


@click.group()
def limit() -> None:
    """What contacts, users, keys and addresses may ask for in a time (rate limits), and how much costly work a company
    and a contact may cause a day (daily limits)."""


@limit.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """Show every limit, companies' own ones, and what was used of the daily ones today."""
    with as_owner(settings.load()) as conn:
        rate = rates.everything(conn)
        bounds, used = daily.all_bounds(conn), daily.used(conn, datetime.now(UTC).date())
    if as_json:
        print_json({
            "rate_limits": [_rate_as_json(one.purpose, one.company_id, one.bounds) for one in rate],
            "daily_limits": list(map(_daily_as_json, bounds)),
            "used_today": [{"kind": kind, "company_id": company, "used": n} for (kind, company), n in used.items()],
        })  # fmt: skip
        return
    click.echo("rate limits")
    for one in rate:
        own = f"    {one.purpose}  " if one.company_id is None else f"        company {one.company_id}: "
        about = f"  ({rates.ABOUT[one.purpose]})" if one.company_id is None else ""
        click.echo(f"{own}{_rate_shown(one.bounds)}{about}")
    click.echo("daily limits (UTC)")
    for bound in bounds:
        own = f"    {bound.kind}  " if bound.company_id is None else f"        company {bound.company_id}: "
        click.echo(f"{own}{_daily_shown(bound)}")
        if bound.company_id is None:
            for (kind, company), n in sorted(used.items()):
                if kind == bound.kind:
                    click.echo(f"        today {n} by company {company}")


def _rate_shown(bounds: Bounds) -> str:
    words = [f"{count:,} {name.replace('_', ' ').replace('per ', 'a ', 1).replace('a 10 seconds', 'in 10 seconds')}"
             for name, count in asdict(bounds).items() if count is not None]  # fmt: skip
    return ", ".join(words).replace("a hour", "an hour") or "no limit"


def _daily_shown(bound: daily.Bounds) -> str:
    """`none` where there is no bound."""
    company, contact = (n if n is not None else "none" for n in (bound.per_company, bound.per_contact))
    return f"a company {company}, a contact {contact}"


_NUMBERS = {
    "per_second": "In any second.",
    "per_10_seconds": "In any ten seconds.",
    "per_minute": "In any minute.",
    "per_hour": "In any hour.",
    "at_once": "At the same time.",
    "per_company": "Of a daily limit: by a company a day.",
    "per_contact": "Of a daily limit: by a contact a day.",
}


def _number_options(command: Any) -> Any:
    for name, help_text in reversed(_NUMBERS.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, type=_Bound(), help=f"{help_text} `none`: any. Default: unchanged.")(
            command
        )
    return command


@limit.command("set")
@click.argument("purpose")
@company_option("For this one alone; else for everybody who has none of their own.", required=False)
@_number_options
@as_json_option
def set_(purpose: str, company: str | None, as_json: bool, **numbers: str | None) -> None:
    """Set limits of PURPOSE, from the next request or piece of work on."""
    counts = {name: None if said == "none" else int(said) for name, said in numbers.items() if said is not None}
    rate = next((one for one in PURPOSES if one == purpose), None)
    taken = [name for name in _NUMBERS if (name in DAILY) == (rate is None)]
    options = ", ".join(f"--{name.replace('_', '-')} N" for name in taken)
    if not counts or not set(counts) <= set(taken):
        raise click.UsageError(f"give {options}, or several; `none` means no limit")
    config = settings.load()
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        if rate is not None:
            shown, after = _set_rate(conn, rate, company_id, company, counts)
        else:
            shown, after = _set_daily(conn, purpose, company_id, company, counts)
    if rate is not None:
        _tell(config, company_id)
    print_result(after, shown, as_json=as_json)


def _set_rate(
    conn: psycopg.Connection, purpose: Purpose, company_id: int | None, company: str | None,
    counts: Mapping[str, int | None],
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    now, own = _rate_now(conn, purpose, company_id)
    wanted = rates.changed(now, counts)
    try:
        rates.checked(purpose, wanted)
    except ValueError as e:
        raise click.UsageError(str(e)) from e
    if own and wanted == now:
        raise NothingDone("limit", f"{purpose}  {company or 'everybody'}: {_rate_shown(now)} already")
    rates.set_bounds(conn, purpose, company_id, wanted)
    return f"{purpose}  {company or 'everybody'}: {_rate_shown(wanted)}", _rate_as_json(purpose, company_id, wanted)


def _set_daily(
    conn: psycopg.Connection, kind: str, company_id: int | None, company: str | None, counts: Mapping[str, int | None]
) -> tuple[str, dict[str, Any]]:
    now = _daily_now(conn, kind, company_id)
    own = now.company_id == company_id  # else what counts now is everybody's
    wanted = counts.get("per_company", now.per_company), counts.get("per_contact", now.per_contact)
    if own and wanted == (now.per_company, now.per_contact):
        raise NothingDone("limit", f"{kind}  {company or 'everybody'}: {_daily_shown(now)} a day already")
    daily.set_bounds(conn, kind, company_id, per_company=wanted[0], per_contact=wanted[1])
    after = _daily_now(conn, kind, company_id)
    return f"{kind}  {company or 'everybody'}: {_daily_shown(after)} a day", _daily_as_json(after)


@limit.command("reset")
@click.argument("purpose")
@company_option("This company follows the limit of all. Left out: the built-in limit for all.", required=False)
@as_json_option
def reset(purpose: str, company: str | None, as_json: bool) -> None:
    """Undo every `limit set` of PURPOSE: the default limits hold again."""
    rate = next((one for one in PURPOSES if one == purpose), None)
    config = settings.load()
    with as_owner(config) as conn:
        company_id = company_id_of(conn, company)
        if rate is not None:
            shown, after = _reset_rate(conn, rate, company_id, company)
        else:
            shown, after = _reset_daily(conn, purpose, company_id, company)
    if rate is not None:
        _tell(config, company_id)
    print_result(after, shown, as_json=as_json)


def _reset_rate(
    conn: psycopg.Connection, purpose: Purpose, company_id: int | None, company: str | None
) -> tuple[str, dict[str, Any]]:
    if not rates.reset(conn, purpose, company_id):
        now, _ = _rate_now(conn, purpose, None)
        raise NothingDone("limit", f"{company} has no limit of its own for {purpose}" if company
                          else f"{purpose}  everybody: {_rate_shown(now)} already")  # fmt: skip
    now, _ = _rate_now(conn, purpose, company_id)
    return f"{purpose}  {company or 'everybody'}: now {_rate_shown(now)}", _rate_as_json(purpose, company_id, now)


def _reset_daily(
    conn: psycopg.Connection, kind: str, company_id: int | None, company: str | None
) -> tuple[str, dict[str, Any]]:
    before = _daily_now(conn, kind, company_id)
    if company_id is None:
        per_company, per_contact = daily.DEFAULTS[kind]
        if (before.per_company, before.per_contact) == (per_company, per_contact):
            raise NothingDone("limit", f"{kind}  everybody: {_daily_shown(before)} a day already")
        daily.set_bounds(conn, kind, None, per_company=per_company, per_contact=per_contact)
    elif not daily.unset_bounds(conn, kind, company_id):
        raise NothingDone("limit", f"{company} has no limit of its own for {kind}")
    after = _daily_now(conn, kind, company_id)
    return f"{kind}  {company or 'everybody'}: now {_daily_shown(after)} a day", _daily_as_json(after)


@limit.command("abuse")
@company_option("What this company's contacts, agents, keys and widgets asked for alone.", required=False)
@click.option("--address", help="This address alone; IPv6 counts by /64.")
@click.option("--limit", "most", type=click.IntRange(1, 1_000), default=20, show_default=True, help="So many of them.")
@as_json_option
def abuse(company: str | None, address: str | None, most: int, as_json: bool) -> None:
    """Show who was refused most in the last day, by hour in Redis. Addresses are shown as hashes."""
    config = settings.load()
    company_id = None
    if company is not None:
        with as_owner(config) as conn:
            company_id = company_id_of(conn, company)
    wanted = None if address is None else normal_address(address)
    if wanted == UNKNOWN:
        raise click.UsageError(f"{address!r} is not an address: give one such as 203.0.113.7")
    with connect(config.need("CACHE_URL"), socket_timeout_s=REDIS_WITHIN_S) as client:
        try:
            found = Refusals(client, SystemClock()).most(limit=most, company_id=company_id, address=wanted)
        except redis.RedisError as e:
            raise Transient(f"CACHE_URL: Redis is away ({type(e).__name__})") from e
    lines = [f"{one.purpose}  {_who(one)}: {one.refused:,} in the last day" for one in found]
    print_result({"refused": shown(found)}, *(lines or ["nobody was refused in the last day"]), as_json=as_json)


def _who(one: Refused) -> str:
    what = "address" if one.by_address else one.asker
    return f"{what} {one.who}" + ("" if one.company_id is None else f" of company {one.company_id}")


def _rate_now(conn: psycopg.Connection, purpose: Purpose, company_id: int | None) -> tuple[Bounds, bool]:
    """What holds now, and whether it is the row that was asked for."""
    rows = [one for one in rates.everything(conn) if one.purpose == purpose and one.company_id in (None, company_id)]
    return (rows[-1].bounds, rows[-1].company_id == company_id) if rows else (rates.DEFAULTS[purpose], False)


def _daily_now(conn: psycopg.Connection, kind: str, company_id: int | None) -> daily.Bounds:
    found = daily.bounds_of(conn, kind, company_id)
    if found is None:
        known = [*PURPOSES, *sorted({b.kind for b in daily.all_bounds(conn)})]
        raise NotFound("limit", f"nothing is limited as {kind!r}: there are {', '.join(known)}")
    return found


def _rate_as_json(purpose: str, company_id: int | None, bounds: Bounds) -> dict[str, Any]:
    return {"purpose": purpose, "company_id": company_id, **asdict(bounds)}


def _daily_as_json(bounds: daily.Bounds) -> dict[str, Any]:
    return {"kind": bounds.kind, "company_id": bounds.company_id, "per_company": bounds.per_company,
            "per_contact": bounds.per_contact}  # fmt: skip


def _tell(config: settings.Settings, company_id: int | None) -> None:
    """The change stands in the database; without Redis processes see it within ten minutes."""
    with connect(config.need("CACHE_URL"), socket_timeout_s=REDIS_WITHIN_S) as client:
        invalidations = Invalidations(client)
        if not invalidations.tell(rates.topic(company_id)):
            click.echo("note: Redis is away: processes that run see the change within ten minutes", err=True)
        invalidations.close()
