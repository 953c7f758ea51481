"""A company's knowledge from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import click
import psycopg

from shared import settings
from shared.clock import SystemClock
from shared.errors import NotFound, NothingDone, Permanent
from shared.knowledge import extract
from shared.knowledge import search as knowledge
from shared.knowledge.embedding_models import Understood, understood
from shared.llm import made_calls
from shared.store.db.pool import set_companies
from shared.store.knowledge import documents as store
from shared.store.knowledge import embedding_models, embeddings, names
from shared.store.knowledge import imports as queue
from shared.store.models import usage
from shared.store.operations import partitions
from tasks.knowledge import imports
from workers.commands.candidates import OUTCOMES, UNKNOWN_TYPE, Candidate, Outcome, candidates_of, left
from workers.commands.embedding_models import embedders_of
from workers.commands.naming import CompanyItem, company_of, company_option, place_argument
from workers.commands.printing import as_json_option, counted, print_json, print_result
from workers.commands.setup import as_owner

BULK_FILES = 20
"""From so many on what the planner knows of the tables is no longer true."""


LIST_PAGE = 1_000
ADDRESS_CHARS = 2_000
QUESTION_CHARS = 1_000
"""As over HTTP."""
FAILED_SHOWN = 100


@click.group()
def documents() -> None:
    """The documents that answers are made from: files, transcripts and websites."""


DESCRIBED = (
    company_option(),
    click.option("--language", help="Text search configuration (english, german, …). Default: detected from the text."),
    click.option(
        "--collection",
        default="default",
        show_default=True,
        help="Name of a group of documents, by which searches can be filtered.",
    ),
    click.option("--category", help="A category, by which searches can be filtered."),
)


def _described(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(DESCRIBED):
        command = option(command)
    return command


@documents.command("add")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@_described
@click.option("--date", "dated_at", type=click.DateTime(), help="When it was said or written, UTC.")
@click.option("--prune", is_flag=True, help="Delete documents of files that are no longer in the folders named.")
@as_json_option
def add(
    paths: tuple[Path, ...], company: str, language: str | None, collection: str, category: str | None,
    dated_at: datetime | None, prune: bool, as_json: bool,
) -> None:  # fmt: skip
    """Add files, or all files of folders: text, Markdown, HTML, PDF, Word, Excel, PowerPoint, OpenDocument, EPUB, CSV,
    and transcripts as WebVTT, SRT or JSON.

    `documents add handbook/ --company acme`. A file of a folder is known by its path in it. Every file is named with
    what became of it: added, changed, unchanged (the same text was there already, perhaps under another name), skipped
    or FAILED, with the reason. What has left the folder since is named, too, and with --prune deleted. Exits 1 if
    no file was found that could be read, and if a file failed or one that was named itself was skipped.
    """
    config = settings.load()
    when = dated_at.replace(tzinfo=UTC).isoformat() if dated_at else None
    described = {"language": language, "collection": collection, "category": category, "dated_at": when}
    with as_owner(config) as conn:
        company_id = company_of(conn, company).id
        with conn.transaction():
            set_companies(conn, [company_id])
            known = names.folders(conn, company_id)
        candidates = candidates_of(paths, known)
        done: list[Outcome] = []
        for number, candidate in enumerate(candidates, 1):
            outcome = add_candidate(conn, company_id, candidate, described)
            done.append(outcome)
            reason = f": {outcome.reason}" if outcome.reason else ""
            shown = "FAILED" if outcome.outcome == "failed" else outcome.outcome
            click.echo(f"[{number}/{len(candidates)}] {candidate.path}  {shown}{reason}", err=as_json)
        counts = {kind: sum(one.outcome == kind for one in done) for kind in OUTCOMES}
        gone = left(candidates, paths, known)
        deleted = _part_with(conn, company_id, gone, prune=prune, as_json=as_json)
        written = counts["added"] + counts["changed"] + deleted
        if written >= BULK_FILES:
            partitions.analyze(conn, partitions.KNOWLEDGE)
    if written:
        _ring_index(config)
    if as_json:
        print_json({**counts, "deleted": deleted, "gone": gone, "files": [asdict(one) for one in done]})
    else:
        ending = f", {deleted} deleted" if prune else ""
        click.echo(", ".join(f"{count} {kind}" for kind, count in counts.items()) + ending)
        if any(one.reason == UNKNOWN_TYPE for one in done):
            click.echo(f"files that are read end in {', '.join(sorted(extract.SUFFIXES))}")
    _exit_of(done, written)


def _part_with(conn: psycopg.Connection, company_id: int, gone: Sequence[str], *, prune: bool, as_json: bool) -> int:
    """Name files that have left their folder; with prune, let go of them. Returns how many documents were deleted."""
    told = "deleted" if prune else "its document is still there: --prune deletes it"
    for name in gone:
        click.echo(f"{name}  is not in the folder any more: {told}", err=as_json)
    if not prune or not gone:
        return 0
    with conn.transaction():
        set_companies(conn, [company_id])
        return names.forget(conn, company_id, gone)


def _exit_of(done: Sequence[Outcome], written: int) -> None:
    missed = [one for one in done if one.outcome == "failed" or (one.outcome == "skipped" and one.named)]
    if missed:
        raise SystemExit(f"{len(missed)} of {len(done)} files could not be added")
    if not written and not any(one.outcome == "unchanged" for one in done):
        raise NothingDone("document", "nothing was added: there is no file that can be read")


def add_candidate(
    conn: psycopg.Connection, company_id: int, candidate: Candidate, described: Mapping[str, str | None]
) -> Outcome:
    """Add one file, unless something speaks against it."""
    path, named = str(candidate.path), candidate.named
    if candidate.skip is not None:
        return Outcome(path, "skipped", candidate.skip, named)
    with conn.transaction():
        set_companies(conn, [company_id])
        known = names.is_known(conn, company_id, candidate.source)
    try:
        added = add_file(
            conn, company_id, candidate.path, source=candidate.source, folder=candidate.folder, **described
        )
    except Permanent as e:
        return Outcome(path, "failed", str(e), named)
    if added.stored_as is not None:
        return Outcome(path, "unchanged", f"the same text is there already, as {added.stored_as}", named)
    if not added.changed:
        return Outcome(path, "unchanged", "the same text is there already", named)
    return Outcome(path, "changed" if known else "added", None, named)


def _ring_index(config: settings.Settings) -> None:
    """Have what is new read and embedded now; without a broker, or a wake-up that is lost, the timetable has it
    done."""
    if config.redis.broker_url is None and config.redis.url is None:
        return
    # Celery takes a second to import, and only this needs it.
    from tasks.knowledge.tasks import embed_due, import_due
    from tasks.wakeups import wake_up

    wake_up(import_due)
    wake_up(embed_due)


def add_file(
    conn: psycopg.Connection, company_id: int, path: Path, *, source: str | None = None, folder: str | None = None,
    **described: str | None,
) -> store.Added:  # fmt: skip
    """Add one file. source: what its document is known by, else its name; folder: that it is from. described: title,
    language, collection, category, dated_at. Raises Permanent with the reason, which is written down beside the
    file's name."""
    source = source or path.name
    note = partial(queue.note, company_id=company_id, source=source, name=path.name, folder=folder)
    added: store.Added | None = None
    reason: str | None = None
    try:
        if path.stat().st_size > extract.BYTES_MAX:
            raise Permanent("document", f"more than {extract.BYTES_MAX // 1024 // 1024} MB: divide the document")
        parsed = imports.read(path.name, None, path.read_bytes(), title=described.get("title"))
        with conn.transaction():
            set_companies(conn, [company_id])
            added = imports.add(conn, company_id, source, parsed, described)
            note(conn, document_id=added.document_id, reason=None)
    except OSError as e:
        reason = f"cannot be read ({type(e).__name__})"
    except (Permanent, extract.ReaderLost) as e:
        reason = str(e)
    if added is not None:
        return added
    with conn.transaction():
        set_companies(conn, [company_id])
        note(conn, document_id=None, reason=reason)
    raise Permanent("document", reason or "")


@documents.command("add-site")
@click.argument("sitemap")
@_described
@as_json_option
def add_site(
    sitemap: str, company: str, language: str | None, collection: str, category: str | None, as_json: bool
) -> None:  # fmt: skip
    """Read a website by the address of its sitemap.xml. robots.txt is obeyed; up to 2,000 pages of the sitemap's own
    host; never an address of a private network. The pages are read by the index worker: `documents progress`."""
    site_address(sitemap)
    config = settings.load()
    described = {"language": language, "collection": collection, "category": category}
    with as_owner(config) as conn:
        company_id = company_of(conn, company).id
        with conn.transaction():
            set_companies(conn, [company_id])
            queued = queue.queue_site(conn, company_id, sitemap, described)
    _ring_index(config)
    told = f"queued: `documents progress --company {company}` shows what becomes of it, also if it cannot be read"
    print_result({"import": queued}, told, as_json=as_json)


def site_address(sitemap: str) -> None:
    """Raise UsageError for an address that cannot be a sitemap's."""
    try:
        parts = urlsplit(sitemap)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not sitemap.isprintable() or " " in sitemap:
        raise click.UsageError(
            f"SITEMAP {sitemap!r} is not a web address: write it as https://acme.example/sitemap.xml"
        )
    if len(sitemap) > ADDRESS_CHARS:
        raise click.UsageError(f"SITEMAP has more than {ADDRESS_CHARS} characters")


@documents.command("progress")
@company_option()
@as_json_option
def progress(company: str, as_json: bool) -> None:
    """Show how many files and pages wait, are done or have failed (these with their reason), and what waits for
    vectors."""
    with _of_company(company) as (conn, company_id):
        counts, failed = queue.counts(conn, company_id), queue.listed(conn, company_id, "failed", limit=FAILED_SHOWN)
        waiting = embeddings.waiting(conn, company_id)
    if as_json:
        rows = [asdict(row) for row in failed]
        print_json({"counts": counts, "documents_without_vectors": waiting, "imports": rows})
        return
    states = ", ".join(f"{counts.get(state, 0)} {state}" for state in queue.STATES)
    click.echo(f"files and pages: {states}; documents that wait for vectors: {waiting}")
    for row in failed:
        click.echo(f"{row.id}  {row.source}  {row.reason}")
    if (more := counts.get("failed", 0) - len(failed)) > 0:
        click.echo(f"and {more} more that failed", err=True)


@contextmanager
def _of_company(word: str) -> Iterator[tuple[psycopg.Connection, int]]:
    """Open a transaction of the owner role that works for one company."""
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id = company_of(conn, word).id
        set_companies(conn, [company_id])
        yield conn, company_id


@documents.command("retry")
@company_option()
@as_json_option
def retry(company: str, as_json: bool) -> None:
    """Read failed imports again. Files that were read by this command have to be added again."""
    with _of_company(company) as (conn, company_id):
        count = queue.retry_failed(conn, company_id)
        left = queue.counts(conn, company_id).get("failed", 0)
        if not count:
            raise NothingDone("import", "no failed import can be read again: see `documents progress`")
    _ring_index(settings.load())
    told = f"{count} queued again"
    if left:
        told += f"; {left} not, because their contents are not kept: add these files again with `documents add`"
    print_result({"queued": count, "not_queued": left}, told, as_json=as_json)


@documents.command("clear-failed")
@company_option()
@click.option("--reason", help="Only those whose reason contains this text.")
@click.option("--dry-run", is_flag=True, help="Show what would be cleared; change nothing.")
@as_json_option
def clear_failed(company: str, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Delete failed imports, with the files that were sent for them: `documents clear-failed --company acme
    --reason PDF`. Documents stay."""
    if reason is not None and (not reason.strip() or "\x00" in reason):
        raise click.UsageError("--reason is empty: `documents progress` shows the reasons")
    with _of_company(company) as (conn, company_id):
        cleared = queue.clear_failed(conn, company_id, reason, dry_run=dry_run)
        if not cleared:
            raise NothingDone("import", "no failed import matches: see `documents progress`")
    shown = [{"id": id_, "source": source, "reason": why} for id_, source, why in cleared]
    lines = [f"{id_}  {source}  {why}" for id_, source, why in cleared]
    end = f"{len(cleared)} would be cleared; nothing was changed" if dry_run else f"{len(cleared)} cleared"
    print_result({"cleared": 0 if dry_run else len(cleared), "imports": shown}, *lines, end, as_json=as_json)


@documents.command("delete")
@place_argument("documents list")
@as_json_option
def delete(place: CompanyItem, as_json: bool) -> None:
    """Delete a document with its chunks and vectors: `documents delete acme/12`. Searches stop finding it at once."""
    with _of_company(place.company) as (conn, company_id):
        if not store.delete_document(conn, company_id, place.id):
            raise NotFound("document", f"there is no document {place}: `documents list` shows them")
    print_result({"company_id": company_id, "id": place.id, "deleted": True}, f"{place}  deleted", as_json=as_json)


@documents.command("list")
@company_option()
@as_json_option
def list_(company: str, as_json: bool) -> None:
    """List the company's documents, with how many of their chunks have vectors."""
    with _of_company(company) as (conn, company_id):
        rows: list[store.Document] = []
        while page := store.list_documents(conn, company_id, after_id=rows[-1].id if rows else 0, limit=LIST_PAGE):
            rows += page
        vectors = embeddings.counts(conn, company_id)
    if as_json:
        print_json([{**asdict(row), "vectors": vectors.get(row.id, 0)} for row in rows])
        return
    for row in rows:
        found = vectors.get(row.id, 0)
        chunks = f"{counted(row.chunk_count, 'chunk')}, {found} with vectors"
        also = f" (also {', '.join(row.also)})" if row.also else ""
        click.echo(f"{company_id}/{row.id}  {row.source}{also}  {row.title}  {chunks}")
    if not rows:
        click.echo("no documents yet: documents add PATH --company COMPANY")


@documents.command("search")
@click.argument("question")
@company_option()
@as_json_option
def search(question: str, company: str, as_json: bool) -> None:
    """Show the passages that a question finds, with their scores by words and by meaning."""
    if not question.strip() or len(question) > QUESTION_CHARS:
        raise click.UsageError(f"QUESTION should be a text of 1 to {QUESTION_CHARS} characters")
    config = settings.load()
    with as_owner(config) as conn:
        company_id = company_of(conn, company).id
        with made_calls.collected() as made:
            meaning = _understood(conn, config, question).meanings.get(question)
        with conn.transaction():
            set_companies(conn, [company_id])
            passages = knowledge.search(conn, company_id, question, meaning=meaning)
            usage.add(conn, company_id, made)
    needed = config.answers.relevance_threshold
    if as_json:
        print_json([{**asdict(passage), "relevant": passage.relevance >= needed} for passage in passages])
    for number, passage in enumerate([] if as_json else passages, 1):
        sides = f"bm25 {_shown(passage.bm25)}  cosine {_shown(passage.cosine)}"
        click.echo(f"[{number}] {passage.title}  relevance {passage.relevance:.2f}  {sides}"
                   f"{'' if passage.relevance >= needed else '  too low for an answer'}")  # fmt: skip
        click.echo(f"    {passage.text[:200]!r}")
    if not passages:
        raise NotFound("passage", "nothing found")
    if all(passage.relevance < needed for passage in passages):
        click.echo(f"no answer would use any of these: RELEVANCE_THRESHOLD is {needed:g}", err=True)


def _understood(conn: psycopg.Connection, config: settings.Settings, question: str) -> Understood:
    """Embed a question; prints a line if the active embedding model was not used."""
    with embedders_of(config) as embedders:
        found = understood(
            embedding_models.every(conn),
            embedders,
            [question],
            clock=SystemClock(),
            deadline_s=config.embeddings.deadline_s,
        )
    if found.how != "active":
        click.echo(
            f"searched with {found.embedding_model}" if found.embedding_model else "searched by words only", err=True
        )
    return found


def _shown(score: float | None) -> str:
    return "–" if score is None else f"{score:.2f}"
