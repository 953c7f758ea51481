"""Companies, and the people who answer for them."""

from __future__ import annotations

import click
import psycopg

from shared import settings
from shared.errors import Permanent
from shared.flow import onboarding
from shared.store import companies, registry
from shared.store.companies import Company
from workers.commands.printing import as_json_option, print_json, print_rows, split_place
from workers.commands.setup import as_owner


def company_named(conn: psycopg.Connection, name: str) -> Company:
    """Raises Permanent, which says how to make one."""
    found = companies.by_name(conn, name)
    if found is None:
        raise Permanent("company", f"no company is named {name!r}: make it with `company create`")
    return found


@click.group()
def company() -> None:
    """Companies."""


@company.command("create")
@click.argument("name")
def company_create(name: str) -> None:
    """Make a company (once) and an agent's API key for it (each time)."""
    with as_owner(settings.load()) as conn:
        made = companies.ensure(conn, name)
        key = onboarding.new_agent(conn, made.id, "first agent")
    click.echo(f"company {made.id}: {made.name}")
    click.echo(f"API key (shown once): {key}")


@company.command("list")
@as_json_option
def company_list(as_json: bool) -> None:
    """All companies, with their unread messages."""
    with as_owner(settings.load()) as conn:
        rows = registry.companies(conn)
    print_rows(rows, _line, empty="there is no company yet: company create NAME", as_json=as_json)


def _line(row: registry.CompanyLine) -> str:
    return (
        f"{row.id}  {row.name}  agents {row.agents}  channels {row.channels}  messages {row.customer_messages}"
        f"  unread {row.unread}"
    )


@company.command("show")
@click.argument("name")
@as_json_option
def company_show(name: str, as_json: bool) -> None:
    """One company: its texts, agents and channels."""
    with as_owner(settings.load()) as conn:
        found = company_named(conn, name)
        [line] = registry.companies(conn, name)
        agents, channels = registry.agents(conn, name), registry.channels(conn, company=name)
    if as_json:
        texts = {name: getattr(found, name) for name in ("handover_text", "notice_text", "overload_text")}
        print_json({**_fields(line), **texts, "agents": list(map(_fields, agents)),
                    "channels": list(map(_fields, channels))})  # fmt: skip
        return
    click.echo(_line(line))
    click.echo(f"handover text  {found.handover_text}")
    click.echo(f"notice text    {found.notice_text}")
    click.echo(f"overload text  {found.overload_text}")
    for agent_ in agents:
        click.echo(f"agent    {_agent_line(agent_)}")
    for channel in channels:
        click.echo(f"channel  {channel.company_id}/{channel.id}  {channel.platform}  {channel.slug}  {channel.state}")


def _fields(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}  # type: ignore[attr-defined]


@company.command("rename")
@click.argument("name")
@click.argument("new_name")
def company_rename(name: str, new_name: str) -> None:
    """Give a company another name; nothing else changes."""
    with as_owner(settings.load()) as conn:
        try:
            renamed = registry.rename_company(conn, name, new_name)
        except psycopg.errors.UniqueViolation:
            raise Permanent("company", f"another company is named {new_name!r}") from None
        except psycopg.errors.CheckViolation:
            raise Permanent("company", "a company's name has at least one character") from None
        if not renamed:
            company_named(conn, name)  # says that there is none
    click.echo(f"{name} is now {new_name}")


@company.command("texts")
@click.argument("name")
@click.option("--handover", "handover_text", help="Sent when nothing reliable is known and a person is asked.")
@click.option("--notice", "notice_text", help="Sent when what came cannot be read.")
@click.option("--overload", "overload_text", help="Sent when far more is asked than can be answered.")
def company_texts(name: str, **texts: str | None) -> None:
    """What customers are told where there is no answer; `company show` has the texts as they are. From the next answer
    on."""
    given = {which: text.strip() for which, text in texts.items() if text is not None}
    if not given:
        raise Permanent("text", "which one? --handover, --notice or --overload, with its words")
    if empty := [which for which, text in given.items() if not text]:
        raise Permanent("text", f"{', '.join(empty)}: customers must be told something")
    with as_owner(settings.load()) as conn, conn.transaction():
        found = company_named(conn, name)
        for which, text in given.items():
            companies.set_text(conn, found.id, which, text)  # type: ignore[arg-type]
    for which, text in given.items():
        click.echo(f"{which.replace('_', ' ')}  {text}")


@click.group()
def agent() -> None:
    """The people who answer: each has an API key of its own."""


@agent.command("create")
@click.argument("name")
@click.option("--company", "company_name", required=True)
def agent_create(name: str, company_name: str) -> None:
    """Make an agent. The API key is shown once; only its hash is stored."""
    with as_owner(settings.load()) as conn:
        key = onboarding.new_agent(conn, company_named(conn, company_name).id, name)
        made = registry.agents(conn, company_name)[-1]
    click.echo(f"agent {made.company_id}/{made.id}: {name}")
    click.echo(f"API key (shown once): {key}")


@agent.command("list")
@click.option("--company", "company_name", help="Only this company's.")
@as_json_option
def agent_list(company_name: str | None, as_json: bool) -> None:
    """Agents, also those that are disabled."""
    with as_owner(settings.load()) as conn:
        if company_name is not None:
            company_named(conn, company_name)
        rows = registry.agents(conn, company_name)
    print_rows(rows, _agent_line, empty="there is no agent yet: agent create NAME --company COMPANY", as_json=as_json)


def _agent_line(row: registry.AgentLine) -> str:
    state = "enabled" if row.disabled_at is None else f"disabled {row.disabled_at:%Y-%m-%d %H:%M}"
    return f"{row.company_id}/{row.id}  {row.company}  {row.name}  {state}"


@agent.command("disable")
@click.argument("place", metavar="COMPANY/ID")
def agent_disable(place: str) -> None:
    """The agent's key opens nothing from now on."""
    company_id, agent_id = split_place(place, "agent list")
    with as_owner(settings.load()) as conn:
        went = registry.disable_agent(conn, company_id, agent_id)
    click.echo(f"{place}  {'disabled' if went else 'is no agent whose key counts'}")
