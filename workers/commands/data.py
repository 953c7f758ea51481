"""A company's knowledge from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
import psycopg

from shared import settings
from shared.clock import SystemClock
from shared.errors import Permanent
from shared.flow import imports
from shared.knowledge import extract
from shared.knowledge import search as knowledge
from shared.knowledge.spaces import Understood, understood
from shared.store import companies, embeddings, maintenance, spaces
from shared.store import imports as queue
from shared.store import knowledge as store
from shared.store.pool import set_companies
from workers.commands.setup import as_owner
from workers.commands.spaces import embedders_of

BULK_FILES = 20
"""From so many on what the planner knows of the tables is no longer true."""


@click.group()
def documents() -> None:
    """What answers are made from: files, transcripts and websites."""


DESCRIBED = (
    click.option("--company", "company_name", required=True),
    click.option("--language", help="As PostgreSQL names it (english, german, …); default: what the text looks like."),
    click.option("--collection", default="default", show_default=True),
    click.option("--category", help="What searches can be narrowed to."),
)


def _described(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(DESCRIBED):
        command = option(command)
    return command


@documents.command("add")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@_described
@click.option("--date", "dated_at", type=click.DateTime(), help="When it was said or written, UTC.")
def add(
    paths: tuple[Path, ...], company_name: str, language: str | None, collection: str, category: str | None,
    dated_at: datetime | None,
) -> None:  # fmt: skip
    """Add files, or all files of folders that can be read: text, Markdown, HTML, PDF, DOCX, CSV, and transcripts as
    WebVTT, SRT or JSON. Adding the same again changes nothing. A file that cannot be read is named with the reason
    and the others go on; the command then ends with 1."""
    config = settings.load()
    when = dated_at.replace(tzinfo=UTC).isoformat() if dated_at else None
    described = {"language": language, "collection": collection, "category": category, "dated_at": when}
    changed = parked = 0
    with as_owner(config) as conn:
        company_id = _company(conn, company_name)
        files = _files(paths)
        for number, path in enumerate(files, 1):
            try:
                outcome = "added" if add_file(conn, company_id, path, **described) else "unchanged"
            except Permanent as e:
                outcome = f"PARKED: {e}"
                parked += 1
            changed += outcome == "added"
            click.echo(f"[{number}/{len(files)}] {path}  {outcome}")
        if changed >= BULK_FILES:
            maintenance.analyze(conn, maintenance.KNOWLEDGE)
    if changed:
        _ring_index(config)
    if parked:
        raise SystemExit(f"{parked} of {len(files)} files could not be read")


def _ring_index(config: settings.Settings) -> None:
    """Have what is new read and embedded now; without a broker, or a ring that is lost, the timetable has it done."""
    if config.broker_url is None and config.redis_url is None:
        return
    # Celery takes a second to import, and only this needs it.
    from tasks.doorbell import ring
    from tasks.index import embed_due, import_due

    ring(import_due)
    ring(embed_due)


def add_file(conn: psycopg.Connection, company_id: int, path: Path, **described: str | None) -> bool:
    """Add one file under its name as source; whether anything changed. described: title, language, collection,
    category, dated_at. Raises Permanent with the reason, which is written down beside the file's name."""
    added: store.Added | None = None
    reason: str | None = None
    try:
        if path.stat().st_size > extract.BYTES_MAX:
            raise Permanent("document", f"more than {extract.BYTES_MAX // 1024 // 1024} MB: divide the document")
        extracted = imports.read(path.name, None, path.read_bytes())
        with conn.transaction():
            set_companies(conn, [company_id])
            added = imports.add(conn, company_id, path.name, path.name, extracted, described)
    except OSError as e:
        reason = f"cannot be read ({type(e).__name__})"
    except Permanent as e:
        reason = str(e)
    with conn.transaction():
        set_companies(conn, [company_id])
        document_id = None if added is None else added.document_id
        queue.note(conn, company_id, source=path.name, name=path.name, document_id=document_id, reason=reason)
    if added is None:
        raise Permanent("document", reason or "")
    return added.changed


@documents.command("add-site")
@click.argument("sitemap")
@_described
def add_site(sitemap: str, company_name: str, language: str | None, collection: str, category: str | None) -> None:
    """Read a website by the address of its sitemap.xml. robots.txt is obeyed; up to 2,000 pages of the sitemap's own
    host; never an address of a private network. The pages are read by the index worker: `documents progress`."""
    config = settings.load()
    described = {"language": language, "collection": collection, "category": category}
    with as_owner(config) as conn:
        company_id = _company(conn, company_name)
        with conn.transaction():
            set_companies(conn, [company_id])
            queue.queue_site(conn, company_id, sitemap, described)
    _ring_index(config)
    click.echo("queued")


@documents.command("progress")
@click.option("--company", "company_name", required=True)
@click.option("--json", "as_json", is_flag=True)
def progress(company_name: str, as_json: bool) -> None:
    """How many files and pages wait, are done, are parked; what is parked with its reason; what waits for vectors."""
    config = settings.load()
    with as_owner(config) as conn, conn.transaction():
        company_id = _company(conn, company_name)
        set_companies(conn, [company_id])
        counts, parked = queue.counts(conn, company_id), queue.listed(conn, company_id, "parked")
        waiting = embeddings.waiting(conn, company_id)
    if as_json:
        rows = [asdict(row) for row in parked]
        click.echo(json.dumps({"imports": counts, "documents_without_vectors": waiting, "parked": rows}, default=str))
        return
    states = ", ".join(f"{counts.get(state, 0)} {state}" for state in ("queued", "done", "parked"))
    click.echo(f"files and pages: {states}; documents that wait for vectors: {waiting}")
    for row in parked:
        click.echo(f"{row.id}  {row.source}  {row.reason}")


@documents.command("retry")
@click.option("--company", "company_name", required=True)
def retry(company_name: str) -> None:
    """Read again what is parked; files of this command's machine have to be added again."""
    config = settings.load()
    with as_owner(config) as conn, conn.transaction():
        company_id = _company(conn, company_name)
        set_companies(conn, [company_id])
        count = queue.retry_parked(conn, company_id)
    _ring_index(config)
    click.echo(f"{count} queued again")


@documents.command("delete")
@click.argument("document_id", type=int)
@click.option("--company", "company_name", required=True)
def delete(document_id: int, company_name: str) -> None:
    """Delete a document with its chunks and vectors; it is found by nobody from then on."""
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id = _company(conn, company_name)
        set_companies(conn, [company_id])
        if not store.delete_document(conn, company_id, document_id):
            raise Permanent("document", f"the company has no document {document_id}")
    click.echo("deleted")


@documents.command("list")
@click.option("--company", "company_name", required=True)
@click.option("--json", "as_json", is_flag=True)
def list_(company_name: str, as_json: bool) -> None:
    """The company's documents, and how many of their chunks can be found by meaning."""
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id = _company(conn, company_name)
        set_companies(conn, [company_id])
        rows = store.list_documents(conn, company_id)
        vectors = embeddings.counts(conn, company_id)
    if as_json:
        listed = [{**asdict(row), "vectors": vectors.get(row.id, 0)} for row in rows]
        click.echo(json.dumps(listed, default=str, ensure_ascii=False))
        return
    for row in rows:
        found = vectors.get(row.id, 0)
        click.echo(f"{row.id}  {row.source}  {row.title}  {row.chunk_count} chunks, {found} with vectors")


@documents.command("search")
@click.argument("question")
@click.option("--company", "company_name", required=True)
def search(question: str, company_name: str) -> None:
    """The passages that a question finds, with what words and meaning say of each."""
    config = settings.load()
    with as_owner(config) as conn:
        company_id = _company(conn, company_name)
        meaning = _understood(conn, config, question).meanings.get(question)
        with conn.transaction():
            set_companies(conn, [company_id])
            passages = knowledge.search(conn, company_id, question, meaning=meaning)
    for number, passage in enumerate(passages, 1):
        sides = f"bm25 {_shown(passage.bm25)}  cosine {_shown(passage.cosine)}"
        click.echo(f"[{number}] {passage.title}  relevance {passage.relevance:.2f}  {sides}")
        click.echo(f"    {passage.text[:200]!r}")
    if not passages:
        click.echo("nothing found")


def _understood(conn: psycopg.Connection, config: settings.Settings, question: str) -> Understood:
    """In the space that ranks; a line says so where that is not the active one."""
    with embedders_of(config) as embedders:
        found = understood(
            spaces.every(conn), embedders, [question], clock=SystemClock(), deadline_s=config.embedding_deadline_s
        )
    if found.how != "active":
        click.echo("by words only" if found.space is None else f"in the space {found.space}", err=True)
    return found


def _shown(score: float | None) -> str:
    return "–" if score is None else f"{score:.2f}"


def _company(conn: psycopg.Connection, name: str) -> int:
    found = companies.by_name(conn, name)
    if found is None:
        raise Permanent("company", f"no company is named {name!r}: make it with `company create`")
    return found.id


def _files(paths: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in extract.SUFFIXES)
        found.extend(inside if path.is_dir() else [path])
    return found
