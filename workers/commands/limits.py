"""Commands for daily limits on costly work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import psycopg

from shared import settings
from shared.errors import NotFound, NothingDone
from shared.store.tenants import limits as store
from workers.commands.naming import company_id_of, company_option
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner


class _Bound(click.ParamType):  # type: ignore[type-arg]
    """A number, or `none`."""

    name = "number|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if text != "none" and not (text.isascii() and text.isdigit() and len(text) < 16):
            self.fail(f"{text!r} is no number of times a day, and not `none`", param, ctx)
        return text


@click.group()
def limits() -> None:
    """Limits on how much costly work (attachments, imports …) a company and a contact may cause a day (UTC)."""


@limits.command("show")
@as_json_option
def show(as_json: bool) -> None:
    """Show every kind with its limits, companies' own ones, and what was used today."""
    with as_owner(settings.load()) as conn:
        bounds, used = store.all_bounds(conn), store.used(conn, datetime.now(UTC).date())
    if as_json:
        print_json({
            "bounds": list(map(_as_json, bounds)),
            "used_today": [{"kind": kind, "company_id": company, "used": n} for (kind, company), n in used.items()],
        })  # fmt: skip
        return
    for bound in bounds:
        own = "" if bound.company_id is None else f"    company {bound.company_id}: "
        click.echo(f"{own or bound.kind + '  '}{_shown(bound)}")
        if bound.company_id is None:
            for (kind, company), n in sorted(used.items()):
                if kind == bound.kind:
                    click.echo(f"    today {n} by company {company}")


def _shown(bound: store.Bounds) -> str:
    """`none` where there is no bound."""
    company, contact = (n if n is not None else "none" for n in (bound.per_company, bound.per_contact))
    return f"a company {company}, a contact {contact}"


@limits.command("set")
@click.argument("kind")
@company_option("For this one alone; else for everybody who has none of their own.", required=False)
@click.option("--per-company", type=_Bound(), help="How many a day, or `none`. Default: unchanged.")
@click.option("--per-contact", type=_Bound(), help="How many a day, or `none`. Default: unchanged.")
@as_json_option
def set_(kind: str, company: str | None, per_company: str | None, per_contact: str | None, as_json: bool) -> None:
    """Set the daily limits of KIND, from the next piece of work on."""
    if per_company is None and per_contact is None:
        raise click.UsageError("give --per-company N, --per-contact N, or both; `none` means no limit")
    with as_owner(settings.load()) as conn:
        company_id = company_id_of(conn, company)
        now = _known(conn, kind, company_id)
        own = now.company_id == company_id  # else what counts now is everybody's
        wanted = _read(per_company, now.per_company), _read(per_contact, now.per_contact)
        if own and wanted == (now.per_company, now.per_contact):
            raise NothingDone("limits", f"{kind}  {company or 'everybody'}: {_shown(now)} a day already")
        store.set_bounds(conn, kind, company_id, per_company=wanted[0], per_contact=wanted[1])
        after = _known(conn, kind, company_id)
    print_result(_as_json(after), f"{kind}  {company or 'everybody'}: {_shown(after)} a day", as_json=as_json)


def _as_json(bounds: store.Bounds) -> dict[str, Any]:
    return {"kind": bounds.kind, "company_id": bounds.company_id, "per_company": bounds.per_company,
            "per_contact": bounds.per_contact}  # fmt: skip


def _read(said: str | None, before: int | None) -> int | None:
    if said is None:
        return before
    return None if said == "none" else int(said)


@limits.command("unset")
@click.argument("kind")
@company_option("This company follows the limit of all. Left out: the built-in limit for all.", required=False)
@as_json_option
def unset(kind: str, company: str | None, as_json: bool) -> None:
    """Undo every `limits set` of KIND: the default limits hold again."""
    with as_owner(settings.load()) as conn:
        company_id = company_id_of(conn, company)
        before = _known(conn, kind, company_id)
        if company_id is None:
            per_company, per_contact = store.DEFAULTS[kind]
            if (before.per_company, before.per_contact) == (per_company, per_contact):
                raise NothingDone("limits", f"{kind}  everybody: {_shown(before)} a day already")
            store.set_bounds(conn, kind, None, per_company=per_company, per_contact=per_contact)
        elif not store.unset_bounds(conn, kind, company_id):
            raise NothingDone("limits", f"{company} has no limit of its own for {kind}")
        after = _known(conn, kind, company_id)
    print_result(_as_json(after), f"{kind}  {company or 'everybody'}: now {_shown(after)} a day", as_json=as_json)


def _known(conn: psycopg.Connection, kind: str, company_id: int | None) -> store.Bounds:
    found = store.bounds_of(conn, kind, company_id)
    if found is None:
        kinds = sorted({b.kind for b in store.all_bounds(conn)})
        raise NotFound("limits", f"nothing is limited as {kind!r}: there are {', '.join(kinds)}")
    return found
