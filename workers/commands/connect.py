"""`./switchboard channel connect KIND` and `channel check`: credentials are tried on the platform before they count."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import IO, TypeVar
from urllib.parse import urlsplit

import click
import httpx
import psycopg

from shared import channels as platforms
from shared import settings
from shared.channels import support
from shared.channels.connect import connectors
from shared.channels.connect.base import Connector, Question, Registration
from shared.errors import NotFound, NothingDone, Permanent
from shared.store.db.vault import Vault
from shared.store.tenants import channels, registry
from tasks.tenants import connecting
from workers.commands.naming import CompanyItem, company_of, company_option, located, place_argument
from workers.commands.printing import as_json_option, print_json, print_result
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
@company_option()
@click.option("--slug", required=True, help="The application's, in the webhook's address: letters, digits, - and _.")
@click.option(
    "--public-url", help="The gateway's address as the platform reaches it, https://…; registers the webhook."
)
@click.option("--answers", "answers_file", type=click.File("r"),
              help="JSON object with the answers, - for stdin: passwords do not belong on a command line.")  # fmt: skip
@as_json_option
def connect(
    kind: str, company: str, slug: str, public_url: str | None, answers_file: IO[str] | None, as_json: bool
) -> None:  # fmt: skip
    """Connect a page, account, number, bot or workspace: asks what is needed, tries it, stores it encrypted.

    KIND: telegram, messenger, instagram, whatsapp, slack, standard. An application of Meta's or Slack's may have
    several channels, of several companies: the same --slug again, and only the channel's own questions are asked. A
    bot or a program has a slug of its own.

    `channel connect telegram --company acme --slug acme --public-url https://bots.example.com`
    """
    app_slug(slug)
    config = settings.load()
    public_url = None if public_url is None else public_address(public_url, config)
    vault = Vault(config.system.fernet_keys)
    connector = connectors(config.channels)[kind]
    with as_owner(config) as conn:
        owner = company_of(conn, company)
        taken = channels.slug_taken(conn, owner.id, kind, slug)
        if taken is not None:  # before anything is asked with what belongs to somebody else
            raise NothingDone("channel", taken)
        app = channels.app_by_slug(conn, kind, slug)
        answers = _answers(connector, app, answers_file)
        identity, known = asking(lambda http: connecting.identify(connector, http, vault, app, answers))
        try:
            made = connecting.connect(
                conn, vault, connector, company_id=owner.id, slug=slug, identity=identity, answers=known,
                address=address_of(public_url, kind, slug),
            )  # fmt: skip
        except ValueError as e:
            raise NothingDone("channel", str(e)) from None
        except psycopg.errors.CheckViolation:
            raise Permanent("channel", "a slug has up to 64 letters, digits, - and _") from None
    click.echo(f"connected {identity.name} to {owner.name}", err=as_json)
    for note in identity.notes:
        click.echo(f"note: {note}", err=as_json)
    done, by_hand = set_up(connector, made.registration, public_url, slug, new_app=made.new_app)
    path = f"/webhooks/{kind}/{slug}"
    told: dict[str, object] = {
        "company_id": owner.id, "id": made.connected.channel_id, "company": owner.slug, "platform": kind, "slug": slug,
        "name": identity.name, "external_id": identity.me.external_id, "new_app": made.new_app,
        "notes": list(identity.notes), "webhook_path": path, "registered": done, "steps": by_hand,
    }  # fmt: skip
    if by_hand:
        told |= shown_once(connector, made.registration)
    lines = done or ([f"webhook path: {path}", *(f"  {step}" for step in by_hand)] if by_hand else [])
    print_result(told, *lines, as_json=as_json)


def shown_once(connector: Connector, registration: Registration) -> dict[str, str]:
    """The secrets of ours that the platform is to be given by hand; they are never shown again."""
    found = {"webhook_secret": registration.secret} if connector.makes_secret else {}
    if connector.makes_secret and registration.identity.credentials.get("secret"):
        found["answer_secret"] = registration.identity.credentials["secret"]
    return found | ({"verify_token": registration.verify_token} if registration.verify_token else {})


def public_address(public_url: str, config: settings.Settings) -> str:
    """The gateway's own address as platforms reach it: https, and none of this machine, unless the platforms are played
    on this machine, too. Raises UsageError, which says what is wrong with it."""
    said = f"--public-url {public_url!r}"
    try:
        parts = urlsplit(public_url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise click.UsageError(f"{said} is not a valid address: write it as https://bots.example.com") from None
    played = _of_this_machine(urlsplit(config.channels.telegram_api_url).hostname or "")
    if parts.scheme not in (("https", "http") if played else ("https",)) or not host:
        raise click.UsageError(f"{said} should begin with https://: platforms post to no other addresses")
    if parts.username is not None or parts.query or parts.fragment or parts.path.strip("/"):
        raise click.UsageError(f"{said} should be only a host, without user, path or query: https://bots.example.com")
    if not played and _of_this_machine(host):
        raise click.UsageError(f"{said} is an address of this machine or network: platforms cannot reach it")
    return f"{parts.scheme}://{parts.netloc}"


def _of_this_machine(host: str) -> bool:
    """Or of its network."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False


_APP_SLUG = re.compile(r"[A-Za-z0-9_-]{1,64}")


def app_slug(slug: str) -> str:
    """Raises UsageError."""
    if not slug.isascii() or not _APP_SLUG.fullmatch(slug):
        raise click.UsageError(f"--slug {slug!r}: a slug has 1 to 64 letters, digits, - and _")
    return slug


def _answers(connector: Connector, app: channels.AppRow | None, file: IO[str] | None) -> dict[str, str]:
    given: dict[str, str] = {}
    if file is not None:
        try:
            said = json.load(file)
        except ValueError:
            raise Permanent("answers", "--answers is not valid JSON") from None
        names = {question.name for question in connector.questions}
        if not isinstance(said, dict) or not set(said) <= names or not all(isinstance(v, str) for v in said.values()):
            raise Permanent("answers", f"--answers should be a JSON object of texts: {', '.join(sorted(names))}")
        given = said
    for question in connecting.still_to_ask(connector, app, given):
        if file is not None and not question.optional:
            raise Permanent("answers", f"--answers has no {question.name!r}: {question.ask} ({question.where})")
        given[question.name] = ask(
            question, optional=question.optional, otherwise="give the answers as a JSON object by --answers FILE, or"
            f" --answers - for standard input ({', '.join(q.name for q in connector.questions)})",
        )  # fmt: skip
    return given


def ask(question: Question, *, optional: bool = False, otherwise: str) -> str:
    """Return what a person types at the terminal. otherwise: how to give the answer without one. Raises UsageError."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError(f"there is no terminal to ask at for {question.ask!r}: {otherwise}")
    click.echo(question.where, err=True)
    said = click.prompt(
        question.ask, hide_input=question.secret, default="" if optional else None, show_default=False, err=True
    )
    return str(said).strip()


def set_up(
    connector: Connector, registration: Registration, public_url: str | None, slug: str, *, new_app: bool
) -> tuple[list[str], list[str]]:
    """Register the webhook where an address is given and the platform's API can. Returns what was done, or else what is
    to be done by hand, a line each."""
    done: list[str] = []
    if public_url is not None:
        try:
            done = asking(lambda http: connector.register(http, registration))
        except Permanent as e:
            again = f"it is stored all the same; then: app register {slug} --public-url {public_url}"
            raise Permanent(e.reason, f"{e} ({again})") from None
    by_hand = connector.steps(registration) if not done and (new_app or connector.makes_secret) else []
    return done, by_hand


@channel.command("kinds")
@as_json_option
def kinds(as_json: bool) -> None:
    """Print what is supported on each platform, as a table in Markdown."""
    table = support.table(platforms.build(settings.load().channels))
    print_result({"kinds": list(KINDS), "table": table}, table, as_json=as_json)


@channel.command("check")
@place_argument("channel list")
@as_json_option
def check(place: CompanyItem, as_json: bool) -> None:
    """Ask the platform whether it still accepts a channel's credentials. If so, what waited for that is sent.

    Exits 1 if they do not.
    """
    config = settings.load()
    vault = Vault(config.system.fernet_keys)
    with as_owner(config) as conn:
        company_id, channel_id = located(conn, place)
        line = next(
            (one for one in registry.channels(conn) if (one.company_id, one.id) == (company_id, channel_id)), None
        )
        if line is None:
            raise NotFound("channel", f"there is no channel {place}: `channel list` shows them")
        if line.platform not in KINDS:
            raise NothingDone("channel", f"{place} is a {line.platform}: no platform can check it")
        app = channels.app_by_slug(conn, line.platform, line.slug)
        assert app is not None
        sealed = channels.credentials(conn, company_id, channel_id)
        connector = connectors(config.channels)[line.platform]
        found = asking(lambda http: connecting.check(connector, http, vault, app, line, sealed))
        woken = not found.problems and line.state == "needs_reauth" and channels.set_state(
            conn, company_id, channel_id, "active"
        )  # fmt: skip
    if as_json:
        print_json({"company_id": company_id, "id": channel_id, "name": found.name, "problems": found.problems,
                    "notes": found.notes, "state": "active" if woken else line.state})  # fmt: skip
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
