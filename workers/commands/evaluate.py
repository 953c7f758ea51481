"""Commands that measure the product's parts on data with known right answers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import psycopg

from shared import settings
from shared.embedded import DataFolder, Postgres
from shared.knowledge import embed
from shared.llm.api import http_client
from shared.resilience.loop import Loop
from shared.store.db.migrate import migrate
from tasks.knowledge import evaluation
from workers.commands.printing import as_json_option, print_result

TOP = 10
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("eval")
def evaluate() -> None:
    """Measure on data of your own."""


@evaluate.command("retrieval")
@click.option("--corpus", "corpus_path", type=FILE, required=True, help="JSON lines: id, text, title, transcript_id.")
@click.option("--queries", "queries_path", type=FILE, required=True, help="JSON lines: id, text, history, …")
@click.option("--out", "out_path", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="File to write the passages found to.")  # fmt: skip
@as_json_option
def retrieval(corpus_path: Path, queries_path: Path, out_path: Path, as_json: bool) -> None:
    """Load a corpus as one company, ask every question, and write the ten best passages of each.

    Each run has a PostgreSQL of its own in DATA_DIR, which is gone when it ends: a running system is not touched, and
    runs do not meet. Writes {"query_id", "ranked": [ids]} a line. Of a query its text, `history` and `transcript_id`
    (the passages that come into question) are used and nothing else.
    """
    config = settings.load(of_running_system=False)
    rows, queries = evaluation.read_corpus(corpus_path), evaluation.read_queries(queries_path)
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
                    ranked = list(evaluation.ask(conn, corpus, queries, embedder, TOP))
            opened.discard()
    finally:
        loop.run(http.aclose(), timeout_s=2)
        loop.stop()
    with out_path.open("w", encoding="utf-8") as file:
        for query, found in zip(queries, ranked, strict=True):
            file.write(json.dumps({"query_id": query.id, "ranked": found}, ensure_ascii=False) + "\n")
    print_result({"passages": len(rows), "questions": len(queries), "out": str(out_path)},
                 f"{len(rows)} passages, {len(queries)} questions: {out_path}", as_json=as_json)  # fmt: skip


def _load(admin_url: str, rows: list[evaluation.Row], embedder: embed.Embedder) -> evaluation.Corpus:
    with psycopg.connect(admin_url, autocommit=True) as owner:
        return evaluation.load(owner, "evaluation", rows, embedder)
