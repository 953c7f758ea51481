"""Commands for the archive: preview, run, restore, delete, and show what it holds."""

from __future__ import annotations

from dataclasses import asdict

import click

from shared import settings
from shared.errors import NothingDone, Permanent
from shared.store.lifecycle import archive_runs as store
from shared.store.lifecycle import deletion
from tasks.lifecycle import archive as flow
from tasks.operations import jobs
from workers.commands.jobs import run_to_the_end, show_preview, work_of
from workers.commands.naming import ID, CompanyItem, PlaceType, company_id_of, company_of, company_option, located_now
from workers.commands.printing import as_json_option, limit_option, print_json, print_result, print_rows
from workers.commands.setup import as_owner

of_company = company_option("Of this company alone.", required=False)


@click.group()
def archive() -> None:
    """Old messages of quiet conversations, compressed. They are read by the same commands and addresses as before."""


@archive.command("preview")
@of_company
@as_json_option
def preview(company: str | None, as_json: bool) -> None:
    """Show exactly which rows and bytes would be archived. Changes nothing."""
    config = settings.load()
    with as_owner(config) as conn:
        found = jobs.preview(flow.moving(company_id_of(conn, company)), work_of(conn, config))
    show_preview(found, as_json=as_json)


@archive.command("run")
@of_company
@as_json_option
def run(company: str | None, as_json: bool) -> None:
    """Archive old messages now."""
    config = settings.load()
    with as_owner(config) as conn:
        ran = run_to_the_end(flow.moving(company_id_of(conn, company)), work_of(conn, config))
    if not ran.rows:
        raise NothingDone("archive", "nothing to archive: no quiet conversation has messages that are old enough")
    print_result(asdict(ran), f"moved {ran.rows} rows, {ran.size} bytes, in {ran.seconds:.1f} s", as_json=as_json)


@archive.command("restore")
@click.option("--conversation", metavar="COMPANY/ID", type=PlaceType("conversations list"),
              help="Only this conversation, as `conversations list` prints it.")  # fmt: skip
@click.option(
    "--run",
    "run_id",
    type=ID,
    help="What this run archived, and what was archived after it in the same conversations (`archive stats`).",
)
@of_company
@click.option("--all", "everything", is_flag=True, help="Everything in the archive.")
@as_json_option
def restore(
    conversation: CompanyItem | None, run_id: int | None, company: str | None, everything: bool, as_json: bool
) -> None:
    """Move archived messages back into their tables. The next monthly run archives them again, unless somebody has
    written there since."""
    if sum((conversation is not None, run_id is not None, company is not None, everything)) != 1:
        raise Permanent("archive", "give --conversation COMPANY/ID, --run N, --company COMPANY or --all")
    config = settings.load()
    with as_owner(config) as conn:
        company_id, conversation_id = (
            located_now(conn, conversation) if conversation else (company_id_of(conn, company), None)
        )
        back = flow.restore(
            work_of(conn, config), run_id=run_id, company_id=company_id, conversation_id=conversation_id
        )
    if not back:
        raise NothingDone("archive", "nothing in the archive matches: see `archive stats`")
    print_result({"messages": back}, f"{back} messages are back", as_json=as_json)


@archive.command("stats")
@as_json_option
def stats(as_json: bool) -> None:
    """Show what is archived, by company, and the newest runs."""
    with as_owner(settings.load()) as conn:
        companies, runs = store.statistics(conn), store.runs(conn)
    if as_json:
        print_json({"companies": [asdict(c) for c in companies], "runs": [asdict(r) for r in runs]})
        return
    for c in companies:
        click.echo(
            f"company {c.company_id}  conversations {c.conversations}  messages {c.messages}  rows {c.rows}"
            f"  {c.hot_bytes} bytes in {c.bytes}  {c.oldest_at:%Y-%m-%d} to {c.newest_at:%Y-%m-%d}"
        )
    for r in runs:
        click.echo(
            f"run {r.id}  {r.started_at:%Y-%m-%d %H:%M}  {'done' if r.finished_at else 'unfinished'}"
            f"  messages {r.messages}  rows {r.rows}  {r.bytes_before} bytes in {r.bytes_after}  restored {r.restored}"
        )
    if not companies and not runs:
        click.echo("nothing is archived yet")


@archive.command("terms")
@company_option()
@click.option(
    "--after-days",
    type=click.IntRange(30, 36_500),
    help="Archive conversations that were quiet for this long. Default: as for everybody.",
)
@click.option(
    "--delete-after-days",
    type=click.IntRange(60, 36_500),
    help="Delete archived messages of this age. Default: as for everybody.",
)
@click.option("--as-everybody", is_flag=True, help="Remove the company's own terms.")
@as_json_option
def terms(
    company: str, after_days: int | None, delete_after_days: int | None, as_everybody: bool, as_json: bool
) -> None:
    """Set a company's own terms: `archive terms --company acme --after-days 90`."""
    if as_everybody == (after_days is not None or delete_after_days is not None):
        raise click.UsageError("give --after-days DAYS, --delete-after-days DAYS or both, or --as-everybody alone")
    with as_owner(settings.load()) as conn:
        company_id = company_of(conn, company).id
        if store.terms(conn, company_id) == (after_days, delete_after_days):
            raise NothingDone("archive", f"{company} has these terms already")
        store.set_terms(conn, company_id, after_days=after_days, delete_after_days=delete_after_days)
    print_result(
        {"company_id": company_id, "after_days": after_days, "delete_after_days": delete_after_days},
        f"{company}: archived after {after_days or 'the usual'} days,"
        f" deleted after {delete_after_days or 'the usual'} days",
        as_json=as_json,
    )


@archive.command("delete")
@click.option("--older-than", "days", type=click.IntRange(60, 36_500), required=True, metavar="DAYS",
              help="Delete what is older than this many days.")  # fmt: skip
@of_company
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; change nothing.")
@click.option("--yes", is_flag=True, help="Confirm: it cannot be undone.")
@as_json_option
def delete(days: int, company: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete archived messages for good, with a receipt for each company."""
    config = settings.load()
    with as_owner(config) as conn:
        job = flow.deleting(company_id_of(conn, company), days, by="hand")
        work = work_of(conn, config)
        if dry_run:
            show_preview(jobs.preview(job, work), as_json=as_json)
            return
        if not yes:
            raise Permanent(
                "archive", "this cannot be undone: see what would go with --dry-run, then confirm with --yes"
            )
        ran = run_to_the_end(job, work)
    if not ran.rows:
        raise NothingDone("archive", f"nothing archived is older than {days} days")
    print_result(asdict(ran), f"deleted {ran.rows} rows, {ran.size} bytes: see `archive receipts`", as_json=as_json)


@archive.command("receipts")
@limit_option(100, most=100_000)
@as_json_option
def receipts(limit: int, as_json: bool) -> None:
    """Show how much was deleted for good, and when."""
    with as_owner(settings.load()) as conn:
        rows = deletion.receipts(conn, limit=limit + 1)
    print_rows(rows, _receipt, empty="nothing was deleted", as_json=as_json, limit=limit)


def _receipt(row: deletion.Receipt) -> str:
    counts = "  ".join(f"{kind} {n}" for kind, n in sorted(row.counts.items()))
    return (
        f"{row.last_at:%Y-%m-%d %H:%M}  company {row.company_id}  {row.kind}  {row.subject}  by {row.requested_by}"
        f"  {counts}"
    )
