"""A data subject's data: found, read out, erased."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import psycopg

from shared import channels, settings
from shared.errors import NotFound, Permanent
from shared.store.db import objects
from shared.store.lifecycle import data_subjects, deletion
from tasks.lifecycle import data_subject as flow
from workers.commands.jobs import work_of
from workers.commands.naming import CompanyItem, company_of, company_option, located, place_argument
from workers.commands.ops import journal
from workers.commands.printing import as_json_option, limit_option, print_json, print_result, print_rows
from workers.commands.setup import as_owner


@click.group()
def contact() -> None:
    """Contacts of a company as data subjects: find one, export what is stored about them, erase it."""


@contact.command("find")
@click.argument("words")
@company_option()
@limit_option(50, most=10_000)
@as_json_option
def find(words: str, company: str, limit: int, as_json: bool) -> None:
    """Find contacts by their id on the platform or by words of their name."""
    with as_owner(settings.load()) as conn:
        rows = data_subjects.find(conn, company_of(conn, company).id, words, limit=limit + 1)
    if not rows:
        raise NotFound("contact", f"{company} has no contact of that id or name")
    print_rows(rows, _line, empty="", as_json=as_json, limit=limit)


def _line(row: data_subjects.Contact) -> str:
    who = f"{row.platform} {row.external_id}  {row.name or ''}"
    return f"{row.company_id}/{row.id}  {who}  since {row.created_at:%Y-%m-%d}"


@contact.command("export")
@place_argument("contact find")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@as_json_option
def export(place: CompanyItem, folder: Path, as_json: bool) -> None:
    """Export all that is stored about a contact into a new or empty FOLDER: data.json, and attachments in media/.

    `contact export acme/52 ada`. Only you can read the files. The folder appears when everything is in it.
    """
    config = settings.load()
    folder = folder.resolve()
    if folder.is_dir() and any(folder.iterdir()):
        raise Permanent("contact", f"{folder} is not empty: name a new folder, nothing was written")
    with as_owner(config) as conn:
        company_id, contact_id = located(conn, place)
        found = flow.export(work_of(conn, config), _contact(conn, company_id, contact_id))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # 0700
        try:
            missing = _write(half, found, company_id, objects.from_settings(config))
            half.rename(folder)  # takes an empty folder's place, and no other's
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
    except OSError as e:
        raise Permanent("contact", f"{folder} could not be written ({e.strerror}): nothing was left there") from e
    counts = {
        "messages": sum(len(conversation["messages"]) for conversation in found["conversations"]),
        "conversations": len(found["conversations"]), "attachments": len(found["attachments"]),
    }  # fmt: skip
    line = f"{folder}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items())
    if missing:
        line += f" ({len(missing)} of them are not in the media store any more)"
    print_result({"folder": str(folder), **counts, "missing": missing}, line, as_json=as_json)


def _write(folder: Path, found: Mapping[str, Any], company_id: int, store: objects.Objects) -> list[str]:
    """Return the hashes of attachments that the media store no longer has."""
    missing = []
    for sha256 in sorted({attachment["sha256"] for attachment in found["attachments"]}):
        content = store.get(company_id, sha256)
        if content is None:
            missing.append(sha256)
            continue
        (folder / "media").mkdir(mode=0o700, exist_ok=True)
        _write_private(folder / "media" / sha256, content)
    _write_private(folder / "data.json", json.dumps(found, ensure_ascii=False, indent=2).encode("utf-8"))
    return missing


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


@contact.command("erase")
@place_argument("contact find")
@click.option("--yes", is_flag=True, help="Confirm: it cannot be undone.")
@as_json_option
def erase(place: CompanyItem, yes: bool, as_json: bool) -> None:
    """Erase a contact everywhere, and keep a receipt of how much was erased. Erasing again shows the receipt."""
    config = settings.load()
    with as_owner(config) as conn:
        company_id, contact_id = located(conn, place)
        found = data_subjects.one(conn, company_id, contact_id)
        if found is not None:
            if not yes:
                raise Permanent(
                    "contact", f"{place}: this cannot be undone: export the contact first, then confirm with --yes"
                )
            with journal(config) as reader:
                waiting = flow.journalled(found, reader, channels.build(config.channels))
            if waiting:
                raise Permanent("contact", f"{place}: {waiting} of their requests are in the journal and not"
                                " stored yet: try again once intake has stored them")  # fmt: skip
            flow.erase(work_of(conn, config), found, by="hand")
        receipts = [r for r in deletion.receipts(conn, company_id, limit=1_000_000)
                    if (r.kind, r.subject) == ("contact", flow.subject(contact_id))]  # fmt: skip
    if not receipts:
        raise NotFound("contact", f"{place}: there is no such contact, nor was there: see `contact find`")
    [receipt] = receipts
    if as_json:
        print_json(receipt.counts)
        return
    counts = "  ".join(f"{name} {count}" for name, count in sorted(receipt.counts.items()) if count)
    click.echo(f"{place}  erased on {receipt.last_at:%Y-%m-%d %H:%M}  {counts}")


def _contact(conn: psycopg.Connection, company_id: int, contact_id: int) -> data_subjects.Contact:
    found = data_subjects.one(conn, company_id, contact_id)
    if found is None:
        raise NotFound("contact", f"there is no contact {company_id}/{contact_id}: see `contact find`")
    return found
