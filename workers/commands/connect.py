"""`./switchboard channel connect KIND` and `channel check`: credentials are tried on the platform before they count."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import IO, TypeVar

import click
import httpx
import psycopg

from shared import channels as platforms
from shared import settings
from shared.channels import support
from shared.channels.connect import connectors
from shared.channels.connect.base import Connector, Registration
from shared.errors import Permanent
from shared.flow import connecting
from shared.store import channels, companies, registry
from shared.store.vault import Vault
from workers.commands.printing import as_json_option, print_json, split_place
from workers.commands.setup import as_owner, channel

T = TypeVar("T")

KINDS = ("telegram", "messenger", "instagram", "whatsapp", "slack", "standard")


def asking(work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Run a conversation with a platform."""

    async def run() -> T:
        async with httpx.AsyncClient() as http:
            return await work(http)

    return asyncio.run(run())


def address_of(public_url: str | None, platform: str, slug: str) -> str:
    return f"{(public_url or 'https://YOUR-ADDRESS').rstrip('/')}/webhooks/{platform}/{slug}"


@channel.command("connect")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--company", "company_name", required=True, help="The company's name, as created.")
@click.option("--slug", required=True, help="The application's, in the webhook's address: letters, digits, - and _.")
@click.option("--public-url", help="This gateway as the platform reaches it, https://…; registers the webhook.")
@click.option("--answers", "answers_file", type=click.File("r"),
              help="JSON object with the answers, - for stdin: passwords do not belong on a command line.")  # fmt: skip
def connect(kind: str, company_name: str, slug: str, public_url: str | None, answers_file: IO[str] | None) -> None:
    """Connect a page, account, number, bot or workspace: asks what is needed, tries it, stores it encrypted.

    KIND: telegram, messenger, instagram, whatsapp, slack, standard. An application may have several channels, of
    several companies: the same --slug again, and only the channel's own questions are asked.
    """
    config = settings.load()
    vault = Vault(config.fernet_keys)
    connector = connectors(config)[kind]
    with as_owner(config) as conn:
        company = companies.by_name(conn, company_name)
        if company is None:
            raise Permanent("company", f"no company is named {company_name!r}: make it with `company create`")
        app = channels.app_by_slug(conn, kind, slug)
        answers = _answers(connector, app, answers_file)
        identity, known = asking(lambda http: connecting.identify(connector, http, vault, app, answers))
        try:
            made = connecting.connect(
                conn, vault, connector, company_id=company.id, slug=slug, identity=identity, answers=known,
                address=address_of(public_url, kind, slug),
            )  # fmt: skip
        except (ValueError, psycopg.errors.CheckViolation) as e:
            what = str(e) if isinstance(e, ValueError) else "a slug has up to 64 letters, digits, - and _"
            raise Permanent("channel", what) from None
    click.echo(f"connected {identity.name} to {company.name}")
    for note in identity.notes:
        click.echo(f"note: {note}")
    set_up(connector, made.registration, public_url, slug, new_app=made.new_app)


def _answers(connector: Connector, app: channels.AppRow | None, file: IO[str] | None) -> dict[str, str]:
    given: dict[str, str] = {}
    if file is not None:
        try:
            said = json.load(file)
        except ValueError:
            raise Permanent("answers", "--answers is no JSON") from None
        names = {question.name for question in connector.questions}
        if not isinstance(said, dict) or not set(said) <= names or not all(isinstance(v, str) for v in said.values()):
            raise Permanent("answers", f"--answers should be a JSON object of texts: {', '.join(sorted(names))}")
        given = said
    for question in connecting.still_to_ask(connector, app, given):
        if file is not None and not question.optional:
            raise Permanent("answers", f"--answers has no {question.name!r}: {question.ask} ({question.where})")
        click.echo(question.where, err=True)
        said = click.prompt(
            question.ask, hide_input=question.secret, default="" if question.optional else None, show_default=False,
            err=True,
        )  # fmt: skip
        given[question.name] = said.strip()
    return given


def set_up(
    connector: Connector, registration: Registration, public_url: str | None, slug: str, *, new_app: bool
) -> None:
    """Register the webhook where an address is given and the platform's API can; else say what to do by hand."""
    done: list[str] = []
    if public_url is not None:
        try:
            done = asking(lambda http: connector.register(http, registration))
        except Permanent as e:
            again = f"it is stored all the same; then: app register {slug} --public-url {public_url}"
            raise Permanent(e.reason, f"{e} ({again})") from None
    for line in done:
        click.echo(line)
    if not done and (new_app or connector.makes_secret):
        click.echo(f"webhook path: /webhooks/{connector.platform}/{slug}")
        for step in connector.steps(registration):
            click.echo(f"  {step}")


@channel.command("kinds")
def kinds() -> None:
    """What is supported on each platform, as a table in Markdown."""
    click.echo(support.table(platforms.build(settings.load())))


@channel.command("check")
@click.argument("place", metavar="COMPANY/ID")
@as_json_option
def check(place: str, as_json: bool) -> None:
    """Ask the platform whether a channel's credentials still fit, and wake a channel that waited for that.

    Exits 1 if they do not.
    """
    config = settings.load()
    vault = Vault(config.fernet_keys)
    company_id, channel_id = split_place(place, "channel list")
    with as_owner(config) as conn:
        line = next(
            (one for one in registry.channels(conn) if (one.company_id, one.id) == (company_id, channel_id)), None
        )
        if line is None:
            raise Permanent("channel", f"there is no channel {place}: `channel list` shows them")
        if line.platform not in KINDS:
            raise Permanent("channel", f"a {line.platform} has nobody to be asked")
        app = channels.app_by_slug(conn, line.platform, line.slug)
        assert app is not None
        sealed = channels.credentials(conn, company_id, channel_id)
        connector = connectors(config)[line.platform]
        found = asking(lambda http: connecting.check(connector, http, vault, app, line, sealed))
        woken = not found.problems and line.state == "needs_reauth" and channels.set_state(
            conn, company_id, channel_id, "active"
        )  # fmt: skip
    if as_json:
        print_json({"channel": place, "name": found.name, "problems": found.problems, "notes": found.notes,
                    "state": "active" if woken else line.state})  # fmt: skip
    else:
        click.echo(f"{'FAIL' if found.problems else 'ok'}  {place}  {line.platform}  {found.name}  {line.state}")
        for word, lines in (("problem", found.problems), ("note", found.notes)):
            for said in lines:
                click.echo(f"  {word}: {said}")
        if woken:
            click.echo("  its credentials fit again: active")
    if found.problems:
        raise click.exceptions.Exit(1)


__all__ = ["channel"]
