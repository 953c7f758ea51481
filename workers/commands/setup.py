"""Commands that set up the schema and widgets (the rest of `channel` is in connect.py and channels.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import psycopg

from shared import settings
from shared.errors import DatabaseUnavailable, NothingDone, Permanent
from shared.store.db.migrate import migrate as apply_migrations
from shared.store.db.migrate import undo as undo_migration
from shared.store.db.pool import describe
from shared.store.db.vault import Vault
from shared.store.operations import partitions
from shared.store.tenants import channels, registry
from tasks.tenants import onboarding
from workers.commands.naming import company_of, company_option
from workers.commands.printing import as_json_option, print_result

MIGRATE = "run ./switchboard migrate"


@contextmanager
def as_owner(config: settings.Settings) -> Iterator[psycopg.Connection]:
    """A connection of the owner role, for people who set up and look after. Raises errors of one line, without
    psycopg's words once it is connected: they quote rows."""
    with _connect(config) as conn:
        try:
            yield conn
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as e:
            raise Permanent("schema", f"the database's schema is missing or old ({describe(e)}): {MIGRATE}") from e
        except psycopg.OperationalError as e:
            raise DatabaseUnavailable(f"the database of DATABASE_ADMIN_URL went away: {describe(e)}") from e
        except psycopg.Error as e:
            raise Permanent("database", f"the database refused: {describe(e)}") from e


def _connect(config: settings.Settings) -> psycopg.Connection:
    try:
        return psycopg.connect(config.need("DATABASE_ADMIN_URL"), autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as e:  # names host, port, database and role
        told = " ".join(str(e).split())
        raise DatabaseUnavailable(f"DATABASE_ADMIN_URL: the database cannot be reached: {told}") from e
    except psycopg.Error as e:  # an address that libpq cannot read; it would quote all of it
        raise Permanent("database", f"DATABASE_ADMIN_URL: not a valid address ({describe(e)})") from e


def prepare(config: settings.Settings) -> list[str]:
    """Bring the schema up to date and create the coming week's partitions; returns the migrations applied."""
    _connect(config).close()  # what keeps us from it is told in one line; a broken migration with all it says
    applied = apply_migrations(
        config.need("DATABASE_ADMIN_URL"), told=lambda said: click.echo(f"note: {said}", err=True)
    )
    with as_owner(config) as conn:
        partitions.make_partitions(conn, datetime.now(UTC).date())
    return applied


@click.command()
@click.option("--undo", is_flag=True, help="Undo the newest migration instead, before an older version is started.")
@as_json_option
def migrate(undo: bool, as_json: bool) -> None:
    """Bring the database's schema up to date. Does nothing if it already is."""
    config = settings.load()
    if undo:
        _connect(config).close()
        undone = undo_migration(config.need("DATABASE_ADMIN_URL"))
        print_result({"undone": undone}, f"undone {undone}", as_json=as_json)
        return
    applied = prepare(config)
    lines = [f"applied {name}" for name in applied] or ["the schema is up to date"]
    print_result({"applied": applied}, *lines, as_json=as_json)


@click.group()
def channel() -> None:
    """Connected pages, accounts, numbers, bots, workspaces and widgets."""


@channel.command("create-widget")
@company_option()
@click.option("--slug", required=True, help="Part of the widget's address: letters, digits, - and _.")
@click.option("--origin", "origins", required=True, multiple=True,
              help="Origin of pages that may use it: https://shop.example. May be given several times.")  # fmt: skip
@as_json_option
def create_widget(company: str, slug: str, origins: tuple[str, ...], as_json: bool) -> None:
    """Create a web-chat widget, or change its origins. Visitors' tokens stay valid."""
    config = settings.load()
    vault = Vault(config.system.fernet_keys)
    with as_owner(config) as conn:
        made = company_of(conn, company)
        app = channels.app_by_slug(conn, "widget", slug)
        served = [c for c in registry.channels(conn, company_id=made.id, slug=slug) if c.state == "active"]
        if app is not None and served and set(app.origins) == {origin.lower().rstrip("/") for origin in origins}:
            raise NothingDone("channel", f"the widget {slug} of {made.name} is for these pages already")
        try:
            connected = onboarding.connect_widget(conn, vault, company_id=made.id, slug=slug, origins=origins)
        except (ValueError, psycopg.errors.CheckViolation) as e:
            what = str(e) if isinstance(e, ValueError) else "a slug has up to 64 letters, digits, - and _"
            raise Permanent("channel", what) from None
    print_result(
        {"company_id": made.id, "id": connected.channel_id, "slug": slug, "path": f"/widget/{slug}/",
         "origins": list(origins)},
        f"the widget of {made.name} is at /widget/{slug}/ for pages of {', '.join(origins)}",
        as_json=as_json,
    )  # fmt: skip
