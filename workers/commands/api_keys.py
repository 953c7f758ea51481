"""API keys: what people's and programs' requests over HTTP carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from shared import settings
from shared.errors import NotFound, NothingDone, Permanent
from shared.store.tenants import api_keys
from shared.store.tenants.api_keys import AGENT_SCOPES, KeyLine
from shared.store.tenants.companies import NameTaken
from workers.commands.naming import ID, CompanyItem, company_id_of, company_of, company_option, located, place_argument
from workers.commands.printing import as_json_option, fields, print_result, print_rows
from workers.commands.setup import as_owner

SCOPES = "\n    ".join(f"  {name:<10}{meaning}" for name, meaning in api_keys.SCOPES.items())


@click.group()
def key() -> None:
    """API keys with scopes, for programs and agents."""


@key.command(
    "add",
    help=f"""Make an API key: `key add "Shop backend" --company acme --scope read`. It is shown once; only its hash is
    stored.

    \b
    Scopes, none of which includes another one:
    {SCOPES}

    Its scopes never change: who needs others makes another key.
    """,
)
@click.argument("name")
@company_option()
@click.option("--scope", "scopes", multiple=True, type=click.Choice(list(api_keys.SCOPES)),
              help="What it may do; may be given several times. An agent's key has read and write else.")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3650), help="It expires after so many days. Left out: never.")
@click.option("--agent", "agent_id", type=ID, help="The id of the agent whose key it is. Left out: a program's.")
@as_json_option
def add(
    name: str, company: str, scopes: tuple[str, ...], days: int | None, agent_id: int | None, as_json: bool
) -> None:
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    made = api_keys.new_key()
    with as_owner(settings.load()) as conn:
        found = company_of(conn, company)
        try:
            key_id = api_keys.add(
                conn, found.id, name, made, scopes or (AGENT_SCOPES if agent_id is not None else ()),
                created_by=api_keys.OPERATOR, expires_at=expires_at, agent_id=agent_id,
            )  # fmt: skip
        except NameTaken as e:
            raise NothingDone("key", str(e)) from None
        except ValueError as e:
            raise Permanent("key", f"{e}: --scope says which" if not scopes and agent_id is None else str(e)) from None
        line = api_keys.one(conn, found.id, key_id)
    assert line is not None
    print_result({**fields(line), "api_key": made}, _line(line), f"API key (shown once): {made}", as_json=as_json)


@key.command("list")
@company_option("Only this company's.", required=False)
@as_json_option
def list_(company: str | None, as_json: bool) -> None:
    """List API keys, also revoked ones: what they may do, who made them, when they were used last (to the minute)."""
    with as_owner(settings.load()) as conn:
        rows = api_keys.listing(conn, company_id_of(conn, company))
    print_rows(rows, _line, empty="there is no API key yet: key add NAME --company COMPANY --scope SCOPE",
               as_json=as_json)  # fmt: skip


@key.command("revoke")
@place_argument("key list")
@click.option("--with-made", is_flag=True, help="Also the keys that it made, and those that they made.")
@as_json_option
def revoke(place: CompanyItem, with_made: bool, as_json: bool) -> None:
    """Revoke an API key: `key revoke acme/3`. No gateway takes it from the next request on."""
    with as_owner(settings.load()) as conn:
        company_id, key_id = located(conn, place)
        revoked = api_keys.revoke(conn, company_id, key_id, with_made=with_made)
        if not revoked:
            if api_keys.one(conn, company_id, key_id) is not None:
                raise NothingDone("key", f"API key {place} is revoked already")
            raise NotFound("key", f"there is no API key {place}: `key list` shows them")
    lines = [f"{place.company}/{one}  revoked" for one in revoked]
    print_result({"company_id": company_id, "id": key_id, "revoked": revoked}, *lines, as_json=as_json)


def _line(row: KeyLine) -> str:
    whose = f"agent {row.company_id}/{row.agent_id}" if row.agent_id is not None else "program"
    used = "never used" if row.last_used_at is None else f"used {row.last_used_at:%Y-%m-%d %H:%M}"
    return (
        f"{row.company_id}/{row.id}  {row.company}  {row.name}  {row.prefix}…  {','.join(row.scopes)}  {whose}"
        f"  by {row.created_by}  {used}  {_state(row, datetime.now(UTC))}"
    )


def _state(row: KeyLine, now: datetime) -> str:
    if row.revoked_at is not None:
        return f"revoked {row.revoked_at:%Y-%m-%d %H:%M}"
    if row.expires_at is None:
        return "works"
    return f"{'expired' if row.expires_at <= now else 'works until'} {row.expires_at:%Y-%m-%d %H:%M}"
