"""Companies, and the people who answer for them."""

from __future__ import annotations

import re

import click

from shared import settings
from shared.errors import NotFound, NothingDone, Permanent
from shared.store.assistants import assistants
from shared.store.tenants import companies, registry
from shared.store.tenants.companies import Company, NameTaken
from tasks.tenants import onboarding
from workers.commands.naming import (
    CompanyItem,
    company_argument,
    company_id_of,
    company_of,
    company_option,
    located,
    place_argument,
)
from workers.commands.printing import as_json_option, fields, print_json, print_result, print_rows
from workers.commands.setup import as_owner

FIRST_AGENT = "first agent"


@click.group()
def company() -> None:
    """Companies. Other commands take a company's slug or id."""


@company.command("create")
@click.argument("name")
@click.option("--slug", help="How commands name it: a-z, 0-9 and hyphens. Left out: made from the name.")
@as_json_option
def company_create(name: str, slug: str | None, as_json: bool) -> None:
    """Create a company, with a first agent and its API key: `company create "Acme Shoes" --slug acme`."""
    with as_owner(settings.load()) as conn, conn.transaction():
        try:
            made = companies.create(conn, name, slug)
        except NameTaken as e:
            raise NothingDone("company", f"{e}; another agent: agent create NAME --company {e.slug}") from None
        except ValueError as e:
            raise Permanent("company", str(e)) from None
        if slug is None and _says_nothing(made):
            raise Permanent("company", f"no slug of a-z and 0-9 can be made from {made.name!r}: give one with --slug")
        key, agent_id = onboarding.make_agent(conn, made.id, FIRST_AGENT)
    print_result(
        {"id": made.id, "slug": made.slug, "name": made.name, "agent": {"id": agent_id, "name": FIRST_AGENT},
         "api_key": key},
        f"company {made.id}: {made.name}, with the slug {made.slug}",
        f"API key of its first agent, {FIRST_AGENT}, with the scopes read and write (shown once): {key}",
        as_json=as_json,
    )  # fmt: skip


def _says_nothing(made: Company) -> bool:
    """Whether its slug holds nothing of its name, as where that has no letter that can be written in a-z."""
    bare = re.fullmatch(r"company(-[0-9]+)?", made.slug) is not None
    return bare and not re.search("company|[0-9]", made.name.lower())


@company.command("list")
@as_json_option
def company_list(as_json: bool) -> None:
    """List all companies, with their unread messages."""
    with as_owner(settings.load()) as conn:
        rows = registry.companies(conn)
    print_rows(rows, _line, empty="there is no company yet: company create NAME", as_json=as_json)


def _line(row: registry.CompanyLine) -> str:
    return (
        f"{row.id}  {row.slug}  {row.name}  agents {row.agents}  channels {row.channels}"
        f"  messages {row.customer_messages}  unread {row.unread}"
    )


@company.command("show")
@company_argument()
@as_json_option
def company_show(company: str, as_json: bool) -> None:
    """Show a company: its assistants, agents and channels."""
    with as_owner(settings.load()) as conn:
        found = company_of(conn, company)
        [line] = registry.companies(conn, found.id)
        agents, channels = registry.agents(conn, found.id), registry.channels(conn, company_id=found.id)
        of_company = assistants.of_company(conn, found.id)
    if as_json:
        print_json({**fields(line), "agents": list(map(fields, agents)), "channels": list(map(fields, channels)),
                    "assistants": list(map(fields, of_company))})  # fmt: skip
        return
    click.echo(_line(line))
    for one in of_company:
        click.echo(f"assistant  {found.id}/{one.id}  {one.kind}  {one.name}")
    for agent_ in agents:
        click.echo(f"agent    {_agent_line(agent_)}")
    for channel in channels:
        click.echo(f"channel  {channel.company_id}/{channel.id}  {channel.platform}  {channel.slug}  {channel.state}")


@company.command("rename")
@company_argument()
@click.argument("new_name")
@as_json_option
def company_rename(company: str, new_name: str, as_json: bool) -> None:
    """Rename a company. Its slug stays, so commands still find it."""
    with as_owner(settings.load()) as conn:
        found = company_of(conn, company)
        if found.name == new_name.strip():
            raise NothingDone("company", f"{found.slug} has the name {found.name!r} already")
        try:
            companies.rename(conn, found.id, new_name)
        except NameTaken as e:
            raise NothingDone("company", str(e)) from None
        except ValueError as e:
            raise Permanent("company", str(e)) from None
        now = company_of(conn, str(found.id))
    print_result({"id": now.id, "slug": now.slug, "name": now.name},
                 f"{found.name} is now {now.name}; its slug stays {now.slug}", as_json=as_json)  # fmt: skip


@click.group()
def agent() -> None:
    """Agents: the people who answer, each with an API key."""


@agent.command("create")
@click.argument("name")
@company_option()
@as_json_option
def agent_create(name: str, company: str, as_json: bool) -> None:
    """Create an agent: `agent create Ada --company acme`. The API key is shown once; only its hash is stored."""
    with as_owner(settings.load()) as conn:
        found = company_of(conn, company)
        try:
            key, agent_id = onboarding.make_agent(conn, found.id, name)
        except NameTaken as e:
            raise NothingDone("agent", str(e)) from None
        except ValueError as e:
            raise Permanent("agent", str(e)) from None
    print_result(
        {"company_id": found.id, "id": agent_id, "company": found.slug, "name": name.strip(), "api_key": key},
        f"agent {found.id}/{agent_id}: {name.strip()}",
        f"API key (shown once): {key}",
        as_json=as_json,
    )


@agent.command("list")
@company_option("Only this company's.", required=False)
@as_json_option
def agent_list(company: str | None, as_json: bool) -> None:
    """List agents, including disabled ones."""
    with as_owner(settings.load()) as conn:
        rows = registry.agents(conn, company_id_of(conn, company))
    print_rows(rows, _agent_line, empty="there is no agent yet: agent create NAME --company COMPANY", as_json=as_json)


def _agent_line(row: registry.AgentLine) -> str:
    state = "enabled" if row.disabled_at is None else f"disabled {row.disabled_at:%Y-%m-%d %H:%M}"
    return f"{row.company_id}/{row.id}  {row.company}  {row.name}  {state}"


@agent.command("disable")
@place_argument("agent list")
@as_json_option
def agent_disable(place: CompanyItem, as_json: bool) -> None:
    """Disable an agent's API key at once: `agent disable acme/3`."""
    with as_owner(settings.load()) as conn:
        company_id, agent_id = located(conn, place)
        if not registry.disable_agent(conn, company_id, agent_id):
            if any(row.id == agent_id for row in registry.agents(conn, company_id)):
                raise NothingDone("agent", f"agent {place} is disabled already")
            raise NotFound("agent", f"there is no agent {place}: `agent list` shows them")
    print_result({"company_id": company_id, "id": agent_id, "state": "disabled"}, f"{place}  disabled", as_json=as_json)
