"""The keys that credentials are encrypted with (ENCRYPTION_KEYS, newest first)."""

from __future__ import annotations

from dataclasses import asdict

import click

from shared import settings
from shared.store.db.vault import Vault
from tasks.tenants import rotation
from workers.commands.models import tell
from workers.commands.printing import as_json_option, print_json
from workers.commands.setup import as_owner


@click.group()
def keys() -> None:
    """The keys that credentials are encrypted with."""


@keys.command("rotate")
@click.option("--batch", default=500, show_default=True, type=click.IntRange(1, 10_000), help="Rows per transaction.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json_option
def rotate(batch: int, dry_run: bool, as_json: bool) -> None:
    """Encrypt apps' secrets, channels' credentials and model providers' keys again with the first of ENCRYPTION_KEYS.

    Put the new key in front, restart everything, run this, then take the old key out. Running it again does what
    is left. Exits 1 while something is sealed by another key than the first.
    """
    config = settings.load()
    with as_owner(config) as conn:
        done = rotation.reseal_all(conn, Vault(config.system.fernet_keys), batch=batch, dry_run=dry_run)
    if done.changed and not dry_run:
        tell(config, None)  # what is cached is sealed by the old key
    left = done.moved + len(done.sealed_shut) + (done.changed if dry_run else 0)
    if as_json:
        print_json({**asdict(done), "dry_run": dry_run})
    else:
        click.echo(f"{'to encrypt again' if dry_run else 'encrypted again'} {done.changed}, with the newest key already"
                   f" {done.already}")  # fmt: skip
        if done.moved:
            click.echo(f"changed by somebody else meanwhile {done.moved}: run it again")
        for place in done.sealed_shut:
            click.echo(f"NO KEY DECRYPTS {place}: put its key back into ENCRYPTION_KEYS, or give the secret again")
    if left:
        raise SystemExit(1)
