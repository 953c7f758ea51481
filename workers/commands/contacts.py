"""A person's data: found, read out, erased."""

from __future__ import annotations

import json
from pathlib import Path

import click
import psycopg

from shared import channels, settings
from shared.errors import Permanent
from shared.flow import person as flow
from shared.store import deletion, objects, persons
from workers.commands.companies import company_named
from workers.commands.jobs import work_of
from workers.commands.ops import journal
from workers.commands.printing import as_json_option, print_json, print_rows, split_place
from workers.commands.setup import as_owner


@click.group()
def contact() -> None:
    """One person who wrote to a company: find them, read out what is kept, erase it."""


@contact.command("find")
@click.argument("words")
@click.option("--company", "company_name", required=True)
@as_json_option
def find(words: str, company_name: str, as_json: bool) -> None:
    """By their id on the platform, or words of their name."""
    with as_owner(settings.load()) as conn:
        rows = persons.find(conn, company_named(conn, company_name).id, words)
    print_rows(rows, _line, empty="nobody of that id or name", as_json=as_json)


def _line(row: persons.Contact) -> str:
    who = f"{row.platform} {row.external_id}  {row.name or ''}"
    return f"{row.company_id}/{row.id}  {who}  since {row.created_at:%Y-%m-%d}"


@contact.command("export")
@click.argument("place", metavar="COMPANY/ID")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def export(place: str, folder: Path) -> None:
    """Write all that is kept of a contact into a folder: data.json, and their attachments under media/."""
    config = settings.load()
    with as_owner(config) as conn:
        found = flow.export(work_of(conn, config), _contact(conn, place))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "data.json").write_text(json.dumps(found, ensure_ascii=False, indent=2), "utf-8")
    company_id, store = int(place.partition("/")[0]), objects.from_settings(config)
    for sha256 in {attachment["sha256"] for attachment in found["attachments"]}:
        content = store.get(company_id, sha256)
        if content is not None:
            (folder / "media").mkdir(exist_ok=True)
            (folder / "media" / sha256).write_bytes(content)
    messages = sum(len(conversation["messages"]) for conversation in found["conversations"])
    click.echo(f"{folder}: {messages} messages of {len(found['conversations'])} conversations,"
               f" {len(found['attachments'])} attachments")  # fmt: skip


@contact.command("erase")
@click.argument("place", metavar="COMPANY/ID")
@click.option("--yes", is_flag=True, help="It cannot be undone.")
@as_json_option
def erase(place: str, yes: bool, as_json: bool) -> None:
    """Erase a contact everywhere, and keep a receipt of how much went. Erasing somebody twice shows the receipt."""
    config = settings.load()
    company_id, contact_id = split_place(place, "contact find")
    with as_owner(config) as conn:
        found = persons.one(conn, company_id, contact_id)
        if found is not None:
            if not yes:
                raise Permanent("contact", f"{place}: this cannot be undone: export it first, then say --yes")
            with journal(config) as reader:
                waiting = flow.journalled(found, reader, channels.build(config))
            if waiting:
                raise Permanent("contact", f"{place}: {waiting} requests of theirs lie in the journal and are not"
                                " stored yet: let intake store them, then come back")  # fmt: skip
            flow.erase(work_of(conn, config), found, by="hand")
        receipts = [r for r in deletion.receipts(conn, company_id, limit=1_000_000)
                    if (r.kind, r.subject) == ("contact", flow.subject(contact_id))]  # fmt: skip
    if not receipts:
        raise Permanent("contact", f"{place}: there is no such contact, nor was there: see `contact find`")
    [receipt] = receipts
    if as_json:
        print_json(receipt.counts)
        return
    counts = "  ".join(f"{name} {count}" for name, count in sorted(receipt.counts.items()) if count)
    click.echo(f"{place}  erased on {receipt.last_at:%Y-%m-%d %H:%M}  {counts}")


def _contact(conn: psycopg.Connection, place: str) -> persons.Contact:
    company_id, contact_id = split_place(place, "contact find")
    found = persons.one(conn, company_id, contact_id)
    if found is None:
        raise Permanent("contact", f"{place}: there is no such contact: see `contact find`")
    return found
