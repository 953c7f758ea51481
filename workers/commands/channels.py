"""Apps (a registration with a platform: slug and webhook secret) and channels (a company's bot, page or number)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Literal

import click
import psycopg

from shared import settings
from shared.channels.connect import connectors
from shared.channels.connect.base import Connector, Registration
from shared.errors import NotFound, NothingDone, Permanent, Transient
from shared.store.db.vault import Vault
from shared.store.inbound import drops
from shared.store.tenants import automatic_replies, registry
from shared.store.tenants import channel_health as health
from shared.store.tenants import channels as store
from shared.store.tenants.automatic_replies import WITHIN_S_MAX
from shared.store.tenants.channels import AppRow
from tasks.operations import drop_reasons
from tasks.tenants import connecting, rotation
from workers.commands.connect import address_of, ask, asking, public_address
from workers.commands.naming import CompanyItem, company_id_of, company_option, located, place_argument
from workers.commands.printing import as_json_option, fields, print_json, print_result, print_rows
from workers.commands.setup import as_owner, channel


@click.group()
def app() -> None:
    """Applications: a webhook address each, with the secrets that its webhooks are signed with."""


def _app(conn: psycopg.Connection, slug: str) -> AppRow:
    found = registry.apps(conn, slug)
    row = store.app_by_slug(conn, found[0].platform, slug) if found else None
    if row is None:
        raise NotFound("app", f"no app has the slug {slug!r}: `app list` shows them")
    return row


@app.command("list")
@as_json_option
def app_list(as_json: bool) -> None:
    """List all applications."""
    with as_owner(settings.load()) as conn:
        rows = registry.apps(conn)
    print_rows(rows, _app_line, empty="there is no app yet: channel connect makes one", as_json=as_json)


def _app_line(row: registry.AppLine) -> str:
    return f"{row.id}  {row.platform}  {row.slug}  {row.state}  channels {row.channels}"


@app.command("show")
@click.argument("slug")
@as_json_option
def app_show(slug: str, as_json: bool) -> None:
    """Show an application: its address, its number of valid secrets, and its channels. Secrets are never shown."""
    config = settings.load()
    with as_owner(config) as conn:
        row = _app(conn, slug)
        secrets = len(rotation.secrets_of(Vault(config.system.fernet_keys), row))
        channels = registry.channels(conn, slug=slug)
    path = f"/webhooks/{row.platform}/{row.slug}"
    if as_json:
        places = [f"{c.company_id}/{c.id}" for c in channels]
        print_json({"id": row.id, "platform": row.platform, "slug": slug, "state": row.state, "webhook_path": path,
                    "secrets_in_force": secrets, "channels": places})  # fmt: skip
        return
    old = "   (the old one too: app drop-old-secret ends that)" if secrets > 1 else ""
    click.echo(f"{row.id}  {row.platform}  {slug}  {row.state}\nwebhook path: {path}\nsecrets in force: {secrets}{old}")
    for one in channels:
        click.echo(f"channel  {_channel_line(one)}")


@app.command("rotate-secret")
@click.argument("slug")
@click.option(
    "--public-url", help="The gateway's address as the platform reaches it, https://…; registers the webhook again."
)
@as_json_option
def app_rotate_secret(slug: str, public_url: str | None, as_json: bool) -> None:
    """Make a new webhook secret, or take the platform's new one. The old one stays valid beside it until
    `app drop-old-secret` or the next rotation."""
    config = settings.load()
    public_url = None if public_url is None else public_address(public_url, config)
    vault = Vault(config.system.fernet_keys)
    with as_owner(config) as conn:
        row = _app(conn, slug)
        connector = _connector(config, row)
        if public_url is not None:
            _registrations(conn, vault, connector, row, public_url)  # before anything changes
        new = connector.new_secret() or _told_secret(connector)
        rotation.rotate_secret(conn, vault, row, new)
        click.echo(f"{slug} has a new secret; the old one still counts until `app drop-old-secret {slug}`", err=as_json)
        registered = []
        if public_url is not None:
            registered = _register(conn, vault, connector, _app(conn, slug), public_url)
    path = f"/webhooks/{row.platform}/{slug}"
    told: dict[str, object] = {"slug": slug, "webhook_path": path, "registered": registered}
    lines = registered
    if public_url is None:
        lines = [f"webhook path: {path}"]
        if connector.makes_secret:
            told["webhook_secret"] = new
            lines.append(f"secret (shown once; give it to the platform): {new}")
    print_result(told, *lines, as_json=as_json)


def _told_secret(connector: Connector) -> str:
    question = next(q for q in connector.questions if q.of == "app" and q.secret)
    return ask(replace(question, ask=f"{question.ask}, the new one"), otherwise="call this at one, the secret is not"
               " shown while you type it")  # fmt: skip


@app.command("register")
@click.argument("slug")
@click.option("--public-url", required=True, help="The gateway's address as the platform reaches it, https://….")
@as_json_option
def app_register(slug: str, public_url: str, as_json: bool) -> None:
    """Register the webhook address and the newest secret with the platform again."""
    config = settings.load()
    public_url = public_address(public_url, config)
    vault = Vault(config.system.fernet_keys)
    with as_owner(config) as conn:
        row = _app(conn, slug)
        done = _register(conn, vault, _connector(config, row), row, public_url)
    print_result({"slug": slug, "registered": done}, *done, as_json=as_json)


def _connector(config: settings.Settings, row: AppRow) -> Connector:
    found = connectors(config.channels).get(row.platform)
    if found is None:
        raise Permanent("app", f"a {row.platform} has no platform to register with: it calls the gateway itself")
    return found


def _registrations(
    conn: psycopg.Connection, vault: Vault, connector: Connector, row: AppRow, public_url: str
) -> list[Registration]:
    address = address_of(public_url, row.platform, row.slug)
    found = connecting.registration_of(conn, vault, connector, row, address)
    if not found:
        raise Permanent("app", f"{row.slug} has no channel yet: channel connect {row.platform} --slug {row.slug}")
    return found


def _register(conn: psycopg.Connection, vault: Vault, connector: Connector, row: AppRow, public_url: str) -> list[str]:
    """Register the webhook; returns what was done, or is to be done by hand, as lines."""
    lines: list[str] = []
    for registration in _registrations(conn, vault, connector, row, public_url):
        try:
            done = asking(lambda http, registration=registration: connector.register(http, registration))  # type: ignore[misc]
        except (Permanent, Transient) as e:
            again = f"what counted before still counts; then: app register {row.slug} --public-url {public_url}"
            raise Permanent("app", f"{e} ({again})") from None
        lines += done or connector.steps(registration)
    return lines


@app.command("drop-old-secret")
@click.argument("slug")
@as_json_option
def app_drop_old_secret(slug: str, as_json: bool) -> None:
    """Accept only the newest secret from now on."""
    config = settings.load()
    with as_owner(config) as conn:
        if not rotation.drop_old_secrets(conn, Vault(config.system.fernet_keys), _app(conn, slug)):
            raise NothingDone("app", f"the app {slug} has one secret only: there is no old one to drop")
    print_result({"slug": slug, "secrets_in_force": 1}, f"{slug}  the old secret is dropped", as_json=as_json)


@app.command("seen")
@click.argument("slug")
@as_json_option
def app_seen(slug: str, as_json: bool) -> None:
    """Clear the alert about events that were dropped under an application."""
    with as_owner(settings.load()) as conn:
        seen = drops.seen(conn, _app(conn, slug).id)
        if not seen:
            raise NothingDone("app", f"there is no alert about the app {slug}")
    print_result({"slug": slug, "seen": seen}, f"{slug}  its alert is cleared", as_json=as_json)


@app.command("disable")
@click.argument("slug")
@as_json_option
def app_disable(slug: str, as_json: bool) -> None:
    """Refuse an application's webhooks with 404, within APP_CACHE_TTL_S."""
    _set_app(slug, "disabled", as_json=as_json)


@app.command("enable")
@click.argument("slug")
@as_json_option
def app_enable(slug: str, as_json: bool) -> None:
    """Accept an application's webhooks again."""
    _set_app(slug, "active", as_json=as_json)


def _set_app(slug: str, state: Literal["active", "disabled"], *, as_json: bool) -> None:
    config = settings.load()
    with as_owner(config) as conn:
        if _app(conn, slug).state == state:
            raise NothingDone("app", f"the app {slug} is {state} already")
        registry.set_app_state(conn, slug, state)
    print_result({"slug": slug, "state": state},
                 f"{slug}  {state} (known to every gateway within {config.gateway.app_cache_ttl_s:g} s)",
                 as_json=as_json)  # fmt: skip


@channel.command("list")
@company_option("Only this company's.", required=False)
@as_json_option
def channel_list(company: str | None, as_json: bool) -> None:
    """List the connected bots, pages and numbers, and whether they work."""
    with as_owner(settings.load()) as conn:
        rows = registry.channels(conn, company_id=company_id_of(conn, company))
    print_rows(rows, _channel_line, empty="no channel is connected: channel connect", as_json=as_json)


def _channel_line(row: registry.ChannelLine) -> str:
    handle = f"@{row.handle}" if row.handle else row.external_id
    return f"{row.company_id}/{row.id}  {row.company}  {row.platform}  {row.slug}  {handle}  {row.state}"


@channel.command("show")
@place_argument("channel list")
@as_json_option
def channel_show(place: CompanyItem, as_json: bool) -> None:
    """Show a channel, and whether its credentials can be decrypted. Credentials are never shown."""
    config = settings.load()
    with as_owner(config) as conn:
        company_id, channel_id = located(conn, place)
        row = _channel(conn, company_id, channel_id)
        sealed = store.credentials(conn, company_id, channel_id)
    newest = Vault(config.system.fernet_keys).is_newest(sealed)
    if as_json:
        print_json({**fields(row), "sealed_by_newest_key": newest})
        return
    click.echo(_channel_line(row))
    click.echo(f"connected {row.created_at:%Y-%m-%d %H:%M}, external id {row.external_id}")
    if row.state == "needs_reauth":
        click.echo(f"the platform refuses its credentials: connect it again (slug {row.slug}) with a new token")
    if not newest:
        click.echo("its credentials are not sealed by the newest key: keys rotate")


def _channel(conn: psycopg.Connection, company_id: int, channel_id: int) -> registry.ChannelLine:
    for row in registry.channels(conn):
        if (row.company_id, row.id) == (company_id, channel_id):
            return row
    raise NotFound("channel", f"there is no channel {company_id}/{channel_id}: `channel list` shows them")


@channel.command("health")
@as_json_option
def channel_health(as_json: bool) -> None:
    """Show when something last came, what the platform says, how webhooks were answered in the last hour, and what was
    dropped in the last day."""
    with as_owner(settings.load()) as conn:
        rows = health.listed(conn)
        dropped = [one for one in drops.lately(conn) if drop_reasons.told(one.reason) != "counted"]
    if as_json:
        print_json([
            {**asdict(row), "dropped": [asdict(one) for one in dropped if one.slug == row.slug]} for row in rows
        ])  # fmt: skip
        return
    print_rows(rows, _health_line, empty="no channel is connected: channel connect", as_json=False)
    for one in dropped:
        click.echo(f"{one.words}: {drop_reasons.what_to_do(one.reason)}")


def _health_line(row: health.Listed) -> str:
    came = f"last event {row.received_at:%Y-%m-%d %H:%M}" if row.received_at else "no event yet"
    held = f"  {row.pending} held by the platform" if row.pending else ""
    since = f" since {row.since:%Y-%m-%d %H:%M}" if row.since and row.state == "failing" else ""
    state = f"{row.state} ({row.problem}){since}" if row.problem else row.state
    answered = f"  {row.accepted} accepted, {row.refused} refused, {row.failed} failed in the last hour"
    if row.platform == "widget":  # its visitors post no webhooks
        answered = ""
    shut = "" if row.channel_state == "active" else f"  {row.channel_state}"
    shut += f"  told {row.notice} on {row.notice_at:%Y-%m-%d %H:%M}" if row.notice and row.notice_at else ""
    return f"{row.company_id}/{row.channel_id}  {row.platform}  {row.slug}  {state}{held}  {came}{answered}{shut}"


@channel.command("seen")
@place_argument("channel list")
@as_json_option
def channel_seen(place: CompanyItem, as_json: bool) -> None:
    """Clear the alert about what the platform reported for a channel."""
    with as_owner(settings.load()) as conn:
        company_id, channel_id = located(conn, place)
        _channel(conn, company_id, channel_id)
        told = next((r.notice for r in health.listed(conn) if (r.company_id, r.channel_id) == (company_id, channel_id)),
                    None)  # fmt: skip
        if not told:
            raise NothingDone("channel", f"there is no alert about channel {place}")
        health.noticed(conn, company_id, channel_id, None)
    print_result({"company_id": company_id, "id": channel_id, "seen": told}, f"{place}  seen: {told}", as_json=as_json)


@channel.command("automatic-replies")
@place_argument("channel list")
@click.option(
    "--ignore-app",
    multiple=True,
    help="An application's id on the platform; what it writes does not count as a person's.",
)
@click.option("--heed-app", multiple=True, help="Stop ignoring this application.")
@click.option(
    "--within",
    type=click.FloatRange(0, WITHIN_S_MAX),
    metavar="SECONDS",
    help="Seconds. An echo this soon after the customer began to write counts as a machine's; 0 turns this off.",
)
@as_json_option
def channel_automatic_replies(
    place: CompanyItem, ignore_app: tuple[str, ...], heed_app: tuple[str, ...], within: float | None, as_json: bool
) -> None:
    """Set which other applications' messages do not take a conversation from the bot. Without options, show them."""
    with as_owner(settings.load()) as conn:
        company_id, channel_id = located(conn, place)
        _channel(conn, company_id, channel_id)
        now = automatic_replies.of_channel(conn, company_id, channel_id)
        assert now is not None
        if unknown := [one for one in heed_app if one not in now.ignored_apps]:
            raise NothingDone("channel", f"channel {place} does not ignore {', '.join(unknown)}")
        apps = tuple(dict.fromkeys(one for one in (*now.ignored_apps, *ignore_app) if one not in heed_app))
        wanted = automatic_replies.AutomaticReplies(apps, now.within_s if within is None else within)
        if wrong := automatic_replies.wrong_with(wanted):
            raise click.UsageError(wrong)
        if wanted != now:
            automatic_replies.set_for(conn, company_id, channel_id, wanted)
    told = f"ignores {', '.join(apps) or 'no application'}, and echoes within {wanted.within_s:g} s"
    print_result({"company_id": company_id, "id": channel_id, **asdict(wanted)}, f"{place}  {told}", as_json=as_json)


@channel.command("disable")
@place_argument("channel list")
@as_json_option
def channel_disable(place: CompanyItem, as_json: bool) -> None:
    """Store and send nothing for a channel from now on; queued messages fail."""
    _set_channel(place, enabled=False, as_json=as_json)


@channel.command("enable")
@place_argument("channel list")
@as_json_option
def channel_enable(place: CompanyItem, as_json: bool) -> None:
    """Enable a disabled channel again."""
    _set_channel(place, enabled=True, as_json=as_json)


def _set_channel(place: CompanyItem, *, enabled: bool, as_json: bool) -> None:
    state = "enabled" if enabled else "disabled"
    with as_owner(settings.load()) as conn:
        company_id, channel_id = located(conn, place)
        _channel(conn, company_id, channel_id)
        try:
            went = registry.set_channel_enabled(conn, company_id, channel_id, enabled=enabled)
        except psycopg.errors.UniqueViolation:
            raise NothingDone(
                "channel", f"another channel has taken the place of {place}: see `channel list`"
            ) from None
        if not went:
            raise NothingDone("channel", f"channel {place} is {state} already")
    print_result({"company_id": company_id, "id": channel_id, "state": state}, f"{place}  {state}", as_json=as_json)


__all__ = ["app", "channel"]
