"""Apps (a registration with a platform: slug and webhook secret) and channels (a company's bot, page or number)."""

from __future__ import annotations

from typing import Literal

import click
import psycopg

from shared import settings
from shared.channels.connect import connectors
from shared.channels.connect.base import Connector, Registration
from shared.errors import Permanent, Transient
from shared.flow import connecting, rotation
from shared.store import channels as store
from shared.store import health, registry
from shared.store.channels import AppRow
from shared.store.vault import Vault
from workers.commands.connect import address_of, asking
from workers.commands.printing import as_json_option, print_json, print_rows, split_place
from workers.commands.setup import as_owner, channel


@click.group()
def app() -> None:
    """A platform's view of us: an address and the secret that its webhooks bear."""


def _app(conn: psycopg.Connection, slug: str) -> AppRow:
    found = registry.apps(conn, slug)
    row = store.app_by_slug(conn, found[0].platform, slug) if found else None
    if row is None:
        raise Permanent("app", f"no app has the slug {slug!r}: `app list` shows them")
    return row


@app.command("list")
@as_json_option
def app_list(as_json: bool) -> None:
    """All apps."""
    with as_owner(settings.load()) as conn:
        rows = registry.apps(conn)
    print_rows(rows, _app_line, empty="there is no app yet: channel connect makes one", as_json=as_json)


def _app_line(row: registry.AppLine) -> str:
    return f"{row.id}  {row.platform}  {row.slug}  {row.state}  channels {row.channels}"


@app.command("show")
@click.argument("slug")
@as_json_option
def app_show(slug: str, as_json: bool) -> None:
    """One app: its address, how many secrets count, and its channels. Never the secrets themselves."""
    config = settings.load()
    with as_owner(config) as conn:
        row = _app(conn, slug)
        secrets = len(rotation.secrets_of(Vault(config.fernet_keys), row))
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
@click.option("--public-url", help="This gateway as the platform reaches it, https://…; registers the webhook anew.")
def app_rotate_secret(slug: str, public_url: str | None) -> None:
    """Make a new webhook secret, or take the platform's new one. The old one counts beside it until
    `app drop-old-secret` or the next rotation."""
    config = settings.load()
    vault = Vault(config.fernet_keys)
    with as_owner(config) as conn:
        row = _app(conn, slug)
        connector = _connector(config, row)
        if public_url is not None:
            _registrations(conn, vault, connector, row, public_url)  # before anything changes
        new = connector.new_secret() or _told_secret(connector)
        rotation.rotate_secret(conn, vault, row, new)
        click.echo(f"{slug} has a new secret; the old one still counts until `app drop-old-secret {slug}`")
        if public_url is not None:
            _register(conn, vault, connector, _app(conn, slug), public_url)
            return
    click.echo(f"webhook path: /webhooks/{row.platform}/{slug}")
    if connector.makes_secret:
        click.echo(f"secret (shown once; give it to the platform): {new}")


def _told_secret(connector: Connector) -> str:
    question = next(q for q in connector.questions if q.of == "app" and q.secret)
    click.echo(question.where, err=True)
    return str(click.prompt(f"{question.ask}, the new one", hide_input=True, err=True)).strip()


@app.command("register")
@click.argument("slug")
@click.option("--public-url", required=True, help="This gateway as the platform reaches it, https://….")
def app_register(slug: str, public_url: str) -> None:
    """Tell the platform the address and the newest secret again."""
    config = settings.load()
    vault = Vault(config.fernet_keys)
    with as_owner(config) as conn:
        row = _app(conn, slug)
        _register(conn, vault, _connector(config, row), row, public_url)


def _connector(config: settings.Settings, row: AppRow) -> Connector:
    found = connectors(config).get(row.platform)
    if found is None:
        raise Permanent("app", f"a {row.platform} registers nowhere: its address is ours")
    return found


def _registrations(
    conn: psycopg.Connection, vault: Vault, connector: Connector, row: AppRow, public_url: str
) -> list[Registration]:
    address = address_of(public_url, row.platform, row.slug)
    found = connecting.registration_of(conn, vault, connector, row, address)
    if not found:
        raise Permanent("app", f"{row.slug} has no channel yet: channel connect {row.platform} --slug {row.slug}")
    return found


def _register(conn: psycopg.Connection, vault: Vault, connector: Connector, row: AppRow, public_url: str) -> None:
    for registration in _registrations(conn, vault, connector, row, public_url):
        try:
            done = asking(lambda http, registration=registration: connector.register(http, registration))  # type: ignore[misc]
        except (Permanent, Transient) as e:
            again = f"what counted before still counts; then: app register {row.slug} --public-url {public_url}"
            raise Permanent("app", f"{e} ({again})") from None
        for line in done or connector.steps(registration):
            click.echo(line)


@app.command("drop-old-secret")
@click.argument("slug")
def app_drop_old_secret(slug: str) -> None:
    """Only the newest secret counts from now on."""
    config = settings.load()
    with as_owner(config) as conn:
        dropped = rotation.drop_old_secrets(conn, Vault(config.fernet_keys), _app(conn, slug))
    click.echo(f"{slug}  {'the old secret is dropped' if dropped else 'has one secret only'}")


@app.command("disable")
@click.argument("slug")
def app_disable(slug: str) -> None:
    """Refuse the app's webhooks (404), within APP_CACHE_TTL_S."""
    _set_app(slug, "disabled")


@app.command("enable")
@click.argument("slug")
def app_enable(slug: str) -> None:
    """Take the app's webhooks again."""
    _set_app(slug, "active")


def _set_app(slug: str, state: Literal["active", "disabled"]) -> None:
    config = settings.load()
    with as_owner(config) as conn:
        _app(conn, slug)
        registry.set_app_state(conn, slug, state)
    click.echo(f"{slug}  {state} (known to every gateway within {config.app_cache_ttl_s:g} s)")


@channel.command("list")
@click.option("--company", "company_name", help="Only this company's.")
@as_json_option
def channel_list(company_name: str | None, as_json: bool) -> None:
    """Connected bots, pages and numbers, and whether they work."""
    with as_owner(settings.load()) as conn:
        rows = registry.channels(conn, company=company_name)
    print_rows(rows, _channel_line, empty="no channel is connected: channel connect", as_json=as_json)


def _channel_line(row: registry.ChannelLine) -> str:
    handle = f"@{row.handle}" if row.handle else row.external_id
    return f"{row.company_id}/{row.id}  {row.company}  {row.platform}  {row.slug}  {handle}  {row.state}"


@channel.command("show")
@click.argument("place", metavar="COMPANY/ID")
@as_json_option
def channel_show(place: str, as_json: bool) -> None:
    """One channel. Never its credentials; whether a key of ours opens them."""
    config = settings.load()
    company_id, channel_id = split_place(place, "channel list")
    with as_owner(config) as conn:
        row = _channel(conn, company_id, channel_id)
        sealed = store.credentials(conn, company_id, channel_id)
    newest = Vault(config.fernet_keys).is_newest(sealed)
    if as_json:
        fields = {name: getattr(row, name) for name in row.__dataclass_fields__}
        print_json({**fields, "sealed_by_newest_key": newest})
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
    raise Permanent("channel", f"there is no channel {company_id}/{channel_id}: `channel list` shows them")


@channel.command("health")
@as_json_option
def channel_health(as_json: bool) -> None:
    """When something last came, what the platform says, and how webhooks were answered in the last hour."""
    with as_owner(settings.load()) as conn:
        rows = health.listed(conn)
    print_rows(rows, _health_line, empty="no channel is connected: channel connect-telegram", as_json=as_json)


def _health_line(row: health.Listed) -> str:
    came = f"last event {row.received_at:%Y-%m-%d %H:%M}" if row.received_at else "no event yet"
    held = f"  {row.pending} held by the platform" if row.pending else ""
    since = f" since {row.since:%Y-%m-%d %H:%M}" if row.since and row.state == "failing" else ""
    state = f"{row.state} ({row.problem}){since}" if row.problem else row.state
    answered = f"{row.accepted} accepted, {row.refused} refused, {row.failed} failed in the last hour"
    shut = "" if row.channel_state == "active" else f"  {row.channel_state}"
    shut += f"  told {row.notice} on {row.notice_at:%Y-%m-%d %H:%M}" if row.notice and row.notice_at else ""
    return f"{row.company_id}/{row.channel_id}  {row.platform}  {row.slug}  {state}{held}  {came}  {answered}{shut}"


@channel.command("seen")
@click.argument("place", metavar="COMPANY/ID")
def channel_seen(place: str) -> None:
    """What the platform told of this channel has been seen to: it is no alert any more."""
    company_id, channel_id = split_place(place, "channel list")
    with as_owner(settings.load()) as conn:
        _channel(conn, company_id, channel_id)
        health.noticed(conn, company_id, channel_id, None)
    click.echo(f"{place}  nothing is told of it")


@channel.command("disable")
@click.argument("place", metavar="COMPANY/ID")
def channel_disable(place: str) -> None:
    """Store and send nothing for this channel from now on; what is queued is given up."""
    _set_channel(place, enabled=False)


@channel.command("enable")
@click.argument("place", metavar="COMPANY/ID")
def channel_enable(place: str) -> None:
    """Let a disabled channel work again."""
    _set_channel(place, enabled=True)


def _set_channel(place: str, *, enabled: bool) -> None:
    company_id, channel_id = split_place(place, "channel list")
    with as_owner(settings.load()) as conn:
        _channel(conn, company_id, channel_id)
        went = registry.set_channel_enabled(conn, company_id, channel_id, enabled=enabled)
    state = "enabled" if enabled else "disabled"
    click.echo(f"{place}  {state if went else f'was {state} already'}")


__all__ = ["app", "channel"]
