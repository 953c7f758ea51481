"""Backups by hand: make one, list them, try one, restore one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
import psycopg

from shared import settings
from shared.clock import SystemClock
from shared.errors import NothingDone, Permanent
from shared.store.db.pool import describe
from shared.store.lifecycle import backups as store
from tasks.lifecycle import backup as flow
from tasks.lifecycle.backup import restore as restoring
from tasks.lifecycle.backup.folder import BackupFolder
from tasks.lifecycle.backup.prove import prove as prove_one
from tasks.operations.jobs import Work
from workers.commands.jobs import run_to_the_end, work_of
from workers.commands.printing import as_json_option, print_json, print_result, print_rows
from workers.commands.setup import as_owner


@click.group()
def backup() -> None:
    """Backups of the database: made every hour, restored as a test every day."""


@backup.command("run")
@as_json_option
def run(as_json: bool) -> None:
    """Make a backup now, and delete those that are no longer to be kept."""
    config = settings.load()
    with as_owner(config) as conn:
        ran = run_to_the_end(flow.MAKE, work_of(conn, config))
    [made] = _listed(config, {})[:1]
    if as_json:
        print_json(asdict(made))
        return
    click.echo(f"{made.name}  {made.rows} rows  {made.bytes} bytes  {ran.seconds:.1f} s  in {config.backup_folder}")


@backup.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """List the complete backups in BACKUP_DIR, newest first, with the results of their tests. Needs no database."""
    config = settings.load()
    noted = _noted(config)
    untried = "not tried" if noted is not None else "not known whether it was tried: the database is not running"
    print_rows(_listed(config, noted or {}), lambda row: _line(row, untried),
               empty=f"there is none in {config.backup_folder}", as_json=as_json)  # fmt: skip


def _listed(config: settings.Settings, noted: Mapping[str, store.Kept]) -> list[store.Kept]:
    """noted: the database's rows. Where one has no proof, the one beside the backup counts."""
    kept = [flow.kept(one) for one in BackupFolder(config.backup_folder).all()]
    return [row if (row := noted.get(one.name)) and row.proof else one for one in kept]


def _noted(config: settings.Settings) -> dict[str, store.Kept] | None:
    """Return None without a database: whoever looks for a backup may have lost it."""
    if not config.database.admin_url:
        return None
    try:
        with psycopg.connect(config.database.admin_url, autocommit=True, connect_timeout=3) as conn:
            return {one.name: one for one in store.all_kept(conn)}
    except psycopg.Error:
        return None


def _line(row: store.Kept, untried: str) -> str:
    proof = f"{row.proof} on {row.proved_at:%Y-%m-%d %H:%M}" if row.proved_at else untried
    return f"{row.name}  {row.rows} rows  {row.bytes} bytes  {row.seconds:.1f} s  {proof}"


@backup.command("prove")
@click.argument("name", default="newest")
@as_json_option
def prove(name: str, as_json: bool) -> None:
    """Restore a backup into a temporary PostgreSQL and compare it with its manifest. Default: the newest."""
    config = settings.load()
    with as_owner(config) as conn:
        place = BackupFolder(config.backup_folder)
        with place.held():
            chosen = place.one(name)
            store.sync(conn, [flow.kept(one) for one in place.all()])
            found = prove_one(work_of(conn, config), place, chosen)
    if found == "unproven":
        raise Permanent("backup", f"{chosen.name} was made by BACKUP_COMMAND: set BACKUP_PROVE_COMMAND to test it")
    rows = flow.kept(chosen).rows
    print_result({"name": chosen.name, "proof": found, "rows": rows},
                 f"{chosen.name}  restores and balances: {rows} rows, all as they were counted",
                 as_json=as_json)  # fmt: skip


@backup.command("restore")
@click.argument("name")
@click.option(
    "--into",
    metavar="URL",
    help="Address of an empty database with pgvector, as its owner. Default: the database of DATA_DIR.",
)
@click.option("--yes", is_flag=True, help="Confirm: replace the database of DATA_DIR.")
@as_json_option
def restore(name: str, into: str | None, yes: bool, as_json: bool) -> None:
    """Restore a backup (`newest`, or a name). Nothing that was being sent when it was made is sent by itself.

    Without --into it takes the place of the embedded database, whose system must be stopped; the old one stays beside
    it under another name.
    """
    config = settings.load(of_running_system=False)
    place, now = BackupFolder(config.backup_folder), datetime.now(UTC)
    with place.held():
        chosen = place.one(name)
        if chosen.manifest.get("made_by") == "command":
            raise Permanent("backup", f"{chosen.name} was made by BACKUP_COMMAND: restore it with that tool")
        found = _into(config, chosen, into) if into else _in_place(config, chosen, now, yes=yes)
    if as_json:
        print_json(asdict(found))
        return
    for line in told(chosen, found, into):
        click.echo(line)


@backup.command("drop-replaced")
@click.option("--yes", is_flag=True, help="Confirm: it cannot be undone.")
@as_json_option
def drop_replaced(yes: bool, as_json: bool) -> None:
    """Delete the databases that `restore` replaced in DATA_DIR; the system must be stopped."""
    config = settings.load(of_running_system=False)
    if not yes:
        raise Permanent("backup", "this deletes for good the databases from before a restore: confirm with --yes")
    names = list(restoring.drop_replaced(_work(config)))
    if not names:
        raise NothingDone("backup", f"no restore has replaced a database in {config.system.data_dir}")
    print_result({"deleted": names}, *(f"{name}  deleted" for name in names), as_json=as_json)


def _work(config: settings.Settings) -> Work:
    """Leave connecting to the restore: the current database may be gone."""
    nobody: Any = None
    return Work(nobody, config, SystemClock())


def _into(config: settings.Settings, chosen: flow.Backup, url: str) -> restoring.Restored:
    try:
        return restoring.into_empty(_work(config), chosen, url, [])
    except psycopg.OperationalError as e:
        raise Permanent("backup", f"--into: the database cannot be reached or went away ({describe(e)})") from e
    except psycopg.Error as e:
        raise Permanent("backup", f"--into: the database refused ({describe(e)})") from e


def _in_place(config: settings.Settings, chosen: flow.Backup, now: datetime, *, yes: bool) -> restoring.Restored:
    if config.database.url:
        raise Permanent(
            "backup", "DATABASE_URL names a PostgreSQL of your own: make an empty database and give --into URL"
        )
    if not yes:
        raise Permanent(
            "backup", f"{chosen.name} would take the place of the database in {config.system.data_dir}: say --yes"
        )
    return restoring.into_data_dir(_work(config), chosen, now=now)


def told(chosen: flow.Backup, found: restoring.Restored, into: str | None) -> list[str]:
    lines = [f"{chosen.name}  restored and counted"]
    if any(found.held.values()):
        held = found.held
        lines.append(f"was under way and is held now: {held['parts']} parts (outbound unknown-outcomes list),"
                     f" {held['turns']} turns in {held['conversations']} conversations (handed over)")  # fmt: skip
    if found.erased:
        lines.append(f"erased once more: {', '.join(f'{c}/{p}' for c, p in found.erased)}")
    if into:
        lines.append("erase again whom you erased since: `contact erase`; then name this database in DATABASE_URL and"
                     " DATABASE_ADMIN_URL, and run ./switchboard migrate")  # fmt: skip
    lines.append("the balance does not close now: what was stored after the backup counts as missing. Once the system"
                 " runs, ./switchboard balance shows how much it is, and ./switchboard balance --write-off N closes it"
                 )  # fmt: skip
    if found.before:
        lines.append(f"the database that was there is kept as {found.before}")
    return lines
