"""Commands that measure the product's parts on data with known right answers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import click
import psycopg

from shared import settings
from shared.embedded import DataFolder, Postgres
from shared.knowledge import embed
from shared.llm.api import http_client
from shared.resilience.loop import Loop
from shared.store.db.migrate import migrate
from tasks.answers import reply
from tasks.knowledge import evaluation, measures
from tasks.knowledge.measures import Found
from workers.commands.printing import as_json_option, print_result

TOP = 10
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("eval")
def evaluate() -> None:
    """Measure on data of your own."""


@evaluate.command("retrieval")
@click.option("--corpus", "corpus_path", type=FILE, required=True, help="JSON lines: id, text, title, transcript_id.")
@click.option("--queries", "queries_path", type=FILE, required=True, help="JSON lines: id, text, relevant, history, …")
@click.option("--unanswerable", "unanswerable_path", type=FILE, help="Queries that nothing in the corpus answers.")
@click.option("--out", "out_path", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write the passages found to.")  # fmt: skip
@as_json_option
def retrieval(
    corpus_path: Path, queries_path: Path, unanswerable_path: Path | None, out_path: Path | None, as_json: bool
) -> None:
    """Load a corpus as one company, ask every question, and tell how good the passages are, by language.

    Each run has a PostgreSQL of its own in DATA_DIR, which is gone when it ends: a running system is not touched, and
    runs do not meet. A query is `id` and `text`, and, where they are known, `relevant` (the ids of the passages that
    answer it), `history`, `transcript_id` (the passages that come into question) and `lang`; the search sees none of
    `relevant` and `lang`. --out gets the ten best passages of each of --queries, {"query_id", "ranked": [ids],
    "relevance": […]} a line.
    """
    config = settings.load(of_running_system=False)
    rows, queries = evaluation.read_corpus(corpus_path), evaluation.read_queries(queries_path)
    others = evaluation.read_queries(unanswerable_path) if unanswerable_path is not None else []
    loop = Loop()
    loop.start()
    http = http_client(4)
    folder = DataFolder(config.system.data_dir / f"eval-{os.getpid()}")
    try:
        embedder = embed.from_settings(config, http, loop)
        with folder as opened:
            with Postgres(opened, fsync=False) as server:
                migrate(server.database_admin_url)
                with psycopg.connect(server.database_url, autocommit=True, prepare_threshold=None) as conn:
                    corpus = _load(server.database_admin_url, rows, embedder)
                    found = list(evaluation.ask(conn, corpus, [*queries, *others], embedder, TOP, given=reply.PASSAGES))
            opened.discard()
    finally:
        loop.run(http.aclose(), timeout_s=2)
        loop.stop()
    if out_path is not None:
        _write(out_path, queries, found[: len(queries)])
    answered, unanswered = found[: len(queries)], found[len(queries) :]
    threshold = config.answers.relevance_threshold
    figures = measures.by_language(
        [*evaluation.asked(queries, answered), *evaluation.asked(others, unanswered, answerable=False)], threshold
    )
    result = {
        "passages": len(rows), "questions": len(queries), "unanswerable": len(others), "threshold": threshold,
        "embedding_model": embedder.model, "out": out_path and str(out_path),
        "figures": {name: asdict(each) for name, each in figures.items()},
    }  # fmt: skip
    print_result(result, _told(len(rows), embedder.model, threshold, figures), as_json=as_json)


def _write(path: Path, queries: Sequence[evaluation.Query], found: Sequence[Found]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for query, each in zip(queries, found, strict=True):
            line = {
                "query_id": query.id, "ranked": list(each.ids), "relevance": [round(r, 4) for r in each.relevances],
            }  # fmt: skip
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _told(passages: int, model: str, threshold: float, figures: Mapping[str, measures.Figures]) -> str:
    """A line for each language under the names of the figures."""
    names = [field.name for field in fields(measures.Figures)]
    lines = [f"{passages} passages, {model}, relevance from {threshold:g}", "  ".join(["language".ljust(12), *names])]
    for language, each in figures.items():
        values = ["–" if value is None else str(value) for value in asdict(each).values()]
        cells = [value.rjust(len(name)) for name, value in zip(names, values, strict=True)]
        lines.append("  ".join([language.ljust(12), *cells]))
    return "\n".join(lines)


def _load(admin_url: str, rows: list[evaluation.Row], embedder: embed.Embedder) -> evaluation.Corpus:
    with psycopg.connect(admin_url, autocommit=True) as owner:
        return evaluation.load(owner, "evaluation", rows, embedder)
