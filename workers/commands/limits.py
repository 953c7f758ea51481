"""How much costly work a day may bring."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import psycopg

from shared import settings
from shared.errors import Permanent
from shared.store import limits as store
from workers.commands.companies import company_named
from workers.commands.printing import as_json_option, print_json
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
    """How much costly work (attachments, imports …) a company and a contact may cause a day, UTC."""


@limits.command("show")
@as_json_option
def show(as_json: bool) -> None:
    """Every kind with its bounds, companies' own, and what was used today."""
    with as_owner(settings.load()) as conn:
        bounds, used = store.all_bounds(conn), store.used(conn, datetime.now(UTC).date())
    if as_json:
        print_json({
            "bounds": [{"kind": b.kind, "company": b.company_id, "per_company": b.per_company,
                        "per_contact": b.per_contact} for b in bounds],
            "used_today": [{"kind": kind, "company": company, "used": n} for (kind, company), n in used.items()],
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
@click.option("--company", "company_name", help="For this one alone; else for everybody who has none of their own.")
@click.option("--per-company", type=_Bound(), help="So many a day, or none. Left out: as it is.")
@click.option("--per-contact", type=_Bound(), help="So many a day, or none. Left out: as it is.")
def set_(kind: str, company_name: str | None, per_company: str | None, per_contact: str | None) -> None:
    """Set how much of KIND a day may bring. It counts from the next piece of work on."""
    if per_company is None and per_contact is None:
        raise Permanent("limits", "say --per-company N, --per-contact N, or both; `none` is no bound")
    with as_owner(settings.load()) as conn:
        company_id = None if company_name is None else company_named(conn, company_name).id
        now = _known(conn, kind, company_id)
        store.set_bounds(
            conn, kind, company_id,
            per_company=_read(per_company, now.per_company), per_contact=_read(per_contact, now.per_contact),
        )  # fmt: skip
        after = _known(conn, kind, company_id)
    click.echo(f"{kind}  {company_name or 'everybody'}: {_shown(after)} a day")


def _read(said: str | None, before: int | None) -> int | None:
    if said is None:
        return before
    return None if said == "none" else int(said)


@limits.command("unset")
@click.argument("kind")
@click.option("--company", "company_name", required=True)
def unset(kind: str, company_name: str) -> None:
    """Let the default count for a company again."""
    with as_owner(settings.load()) as conn:
        company_id = company_named(conn, company_name).id
        _known(conn, kind, company_id)
        went = store.unset_bounds(conn, kind, company_id)
        after = _known(conn, kind, company_id)
    click.echo(f"{kind}  {company_name}: {'now' if went else 'as before'} {_shown(after)} a day")


def _known(conn: psycopg.Connection, kind: str, company_id: int | None) -> store.Bounds:
    found = store.bounds_of(conn, kind, company_id)
    if found is None:
        kinds = sorted({b.kind for b in store.all_bounds(conn)})
        raise Permanent("limits", f"nothing is limited as {kind!r}: there are {', '.join(kinds)}")
    return found
