"""A company's knowledge from the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
import psycopg

from shared import settings
from shared.errors import ModelUnavailable, Permanent
from shared.knowledge import embed, minilm
from shared.knowledge import search as knowledge
from shared.llm.provider import http_client
from shared.resilience.loop import Loop
from shared.store import companies, embeddings
from shared.store import knowledge as store
from shared.store.pool import set_companies
from workers.commands.setup import as_owner

SUFFIXES = (".md", ".markdown", ".txt")


@click.group()
def documents() -> None:
    """What answers are made from: text and Markdown files."""


@documents.command("add")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--company", "company_name", required=True)
@click.option("--language", default="english", show_default=True)
@click.option("--collection", default="default", show_default=True)
def add(paths: tuple[Path, ...], company_name: str, language: str, collection: str) -> None:
    """Add files, or all text and Markdown files of folders. Adding the same again changes nothing."""
    config = settings.load()
    any_changed = False
    with as_owner(config) as conn:
        company_id = _company(conn, company_name)
        for path in _files(paths):
            changed = add_file(conn, company_id, path, language=language, collection=collection)
            any_changed |= changed
            click.echo(f"{path}  {'added' if changed else 'unchanged'}")
    if any_changed:
        _ring_index(config)


def _ring_index(config: settings.Settings) -> None:
    """Have the new chunks embedded now; without a broker, or a ring that is lost, the timetable has it done."""
    if config.broker_url is None and config.redis_url is None:
        return
    # Celery takes a second to import, and only this needs it.
    from tasks.doorbell import ring
    from tasks.index import embed_due

    ring(embed_due)


def add_file(
    conn: psycopg.Connection, company_id: int, path: Path, *, language: str = "english", collection: str = "default"
) -> bool:
    """Add one file under its name as source; whether anything changed. Raises Permanent naming the file."""
    try:
        text = path.read_text("utf-8")
    except (UnicodeDecodeError, OSError) as e:
        raise Permanent("document", f"{path}: cannot be read as UTF-8 text ({type(e).__name__})") from None
    first = text.lstrip().split("\n", 1)[0]
    title = first.lstrip("# ").strip() if first.startswith("#") else path.stem.replace("-", " ").replace("_", " ")
    try:
        with conn.transaction():
            set_companies(conn, [company_id])
            added = knowledge.add(
                conn, company_id, source=path.name, title=title, text=text, language=language, collection=collection
            )
    except ValueError as e:
        raise Permanent("document", f"{path}: {e}") from None
    return added.changed


@documents.command("list")
@click.option("--company", "company_name", required=True)
@click.option("--json", "as_json", is_flag=True)
def list_(company_name: str, as_json: bool) -> None:
    """The company's documents, and how many of their chunks can be found by meaning."""
    config = settings.load()
    model = config.embeddings_model or minilm.MODEL
    with as_owner(config) as conn, conn.transaction():
        company_id = _company(conn, company_name)
        set_companies(conn, [company_id])
        rows = store.list_documents(conn, company_id)
        vectors = embeddings.counts(conn, company_id, model)
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
        meaning = _understood(config, question)
        with conn.transaction():
            set_companies(conn, [company_id])
            passages = knowledge.search(conn, company_id, question, meaning=meaning)
    for number, passage in enumerate(passages, 1):
        sides = f"bm25 {_shown(passage.bm25)}  cosine {_shown(passage.cosine)}"
        click.echo(f"[{number}] {passage.title}  relevance {passage.relevance:.2f}  {sides}")
        click.echo(f"    {passage.text[:200]!r}")
    if not passages:
        click.echo("nothing found")


def _understood(config: settings.Settings, question: str) -> knowledge.Meaning | None:
    """None, and a line that says so, where it cannot be embedded: the words find something too."""
    loop = Loop()
    loop.start()
    http = http_client(1)
    try:
        embedder = embed.from_settings(config, http, loop)
        found = knowledge.understand(embedder, [question], deadline_s=config.embedding_deadline_s)
        return found.get(question)
    except (ModelUnavailable, Permanent) as e:
        click.echo(f"by words only: {e}", err=True)
        return None
    finally:
        loop.run(http.aclose(), timeout_s=2)
        loop.stop()


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
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        found.extend(inside)
    return found
