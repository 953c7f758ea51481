"""Commands that measure the product's parts on data with known right answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import click
import psycopg

from shared import settings
from shared.embedded import DataFolder, Postgres
from shared.errors import Permanent
from shared.knowledge import embed
from shared.llm.api import http_client
from shared.resilience.loop import Loop
from shared.store.db.migrate import migrate
from tasks.answers import reply
from tasks.knowledge import evaluation, measures
from tasks.knowledge.measures import Found
from workers.commands.printing import as_json_option, print_json, print_result

TOP = 10
SET_FILES = ("corpus.jsonl", "queries.jsonl")
UNKNOWN_SHOWN = 5
TEXT_CHARS = 100
FIRST_CHARS = 14
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
@click.option("--show", type=click.Choice(("missed", "passed")),
              help="List queries that got no right passage, or unanswerable ones that were answered.")  # fmt: skip
@as_json_option
def retrieval(
    corpus_path: Path, queries_path: Path, unanswerable_path: Path | None, out_path: Path | None, show: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Load a corpus as one company, ask every question, and tell how good the passages are, by language.

    Each run has a PostgreSQL of its own in DATA_DIR, which is gone when it ends: a running system is not touched, and
    runs do not meet. A query is `id` and `text`, and, where they are known, `relevant` (the ids of the passages that
    answer it), `history`, `transcript_id` (the passages that come into question) and `lang`; the search sees none of
    `relevant` and `lang`. --out gets the ten best passages of each of --queries, {"query_id", "ranked": [ids],
    "relevance": […]} a line.
    """
    rows, queries = evaluation.read_corpus(corpus_path), evaluation.read_queries(queries_path)
    others = evaluation.read_queries(unanswerable_path) if unanswerable_path is not None else []
    unknown = evaluation.unknown_ids(rows, queries)
    _warn(unknown, "")
    with _measuring() as bench:
        found = bench.ask("evaluation", rows, [*queries, *others])
    if out_path is not None:
        _write(out_path, queries, found[: len(queries)])
    asked = evaluation.asked(queries, found[: len(queries)])
    unanswered = evaluation.asked(others, found[len(queries) :], answerable=False)
    figures = measures.by_language([*asked, *unanswered], bench.threshold)
    shown = _shown(show, [*queries, *others], [*asked, *unanswered], bench.threshold)
    result = {
        "passages": len(rows), "questions": len(queries), "unanswerable": len(others), "threshold": bench.threshold,
        "embedding_model": bench.embedder.model, "out": out_path and str(out_path), "unknown_relevant": unknown,
        "figures": {name: asdict(each) for name, each in figures.items()},
        **({} if show is None else {show: shown}),
    }  # fmt: skip
    told = _told(len(rows), bench.embedder.model, bench.threshold, figures)
    print_result(result, told, *map(_query_line, shown), as_json=as_json)


@evaluate.command("sets")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("names", metavar="[SET]...", nargs=-1)
@click.option("--at-most", default=200, show_default=True, type=click.IntRange(1, 100_000),
              help="Ask at most this many questions of each file, spread over it.")  # fmt: skip
@as_json_option
def sets(folder: Path, names: Sequence[str], at_most: int, as_json: bool) -> None:
    """Measure several sets in one table: each is a folder in FOLDER with corpus.jsonl, queries.jsonl, and
    queries_without_answer.jsonl where it has some.

    The files are those of `eval retrieval`. Where a set's queries have a `type`, each type has a line of its own.
    Without SET all are measured.
    """
    chosen = [folder / name for name in names] or sorted(path.parent for path in folder.glob("*/queries.jsonl"))
    lacking = [str(one / name) for one in chosen for name in SET_FILES if not (one / name).is_file()]
    if lacking or not chosen:
        raise Permanent("sets", f"not there: {', '.join(lacking)}" if lacking else f"{folder} has no set")
    results: dict[str, dict[str, measures.Figures]] = {}
    with _measuring() as bench:
        for one in chosen:
            results[one.name] = _of_set(bench, one, at_most)
            if not as_json:
                click.echo(_set_lines(one.name, results[one.name], names=len(results) == 1))
    if as_json:
        print_json({
            "threshold": bench.threshold, "embedding_model": bench.embedder.model,
            "sets": {name: {kind: asdict(each) for kind, each in of.items()} for name, of in results.items()},
        })  # fmt: skip


def _of_set(bench: _Bench, folder: Path, at_most: int) -> dict[str, measures.Figures]:
    rows = evaluation.read_corpus(folder / "corpus.jsonl")
    queries = _spread(evaluation.read_queries(folder / "queries.jsonl"), at_most)
    without = folder / "queries_without_answer.jsonl"
    others = _spread(evaluation.read_queries(without), at_most) if without.is_file() else []
    _warn(evaluation.unknown_ids(rows, queries), f"{folder.name}: ")
    found = bench.ask(folder.name, rows, [*queries, *others])
    asked = evaluation.asked(queries, found[: len(queries)])
    unanswered = evaluation.asked(others, found[len(queries) :], answerable=False)
    kinds = sorted({query.kind for query in queries})
    parts = {
        kind: [each for query, each in zip(queries, asked, strict=True) if query.kind == kind]
        for kind in (kinds if len(kinds) > 1 else ())
    }
    return {"all": measures.figures([*asked, *unanswered], bench.threshold)} | {
        kind: measures.figures(part, bench.threshold) for kind, part in parts.items()
    }


def _spread(queries: list[evaluation.Query], at_most: int) -> list[evaluation.Query]:
    """So many of the queries at most, from the whole of the file."""
    step = max(1.0, len(queries) / at_most)
    return [queries[int(place * step)] for place in range(min(at_most, len(queries)))]


@dataclass(frozen=True, slots=True)
class _Bench:
    """A database of its own, and what relevance is compared with."""

    admin_url: str
    conn: psycopg.Connection
    embedder: embed.Embedder
    threshold: float

    def ask(self, name: str, rows: list[evaluation.Row], queries: Sequence[evaluation.Query]) -> list[Found]:
        """Load rows as a company of that name, and ask it."""
        with psycopg.connect(self.admin_url, autocommit=True) as owner:
            corpus = evaluation.load(owner, name, rows, self.embedder)
        return list(evaluation.ask(self.conn, corpus, queries, self.embedder, TOP, given=reply.PASSAGES))


@contextmanager
def _measuring() -> Iterator[_Bench]:
    """An embedder and a PostgreSQL, which are gone at the end."""
    config = settings.load(of_running_system=False)
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
                    yield _Bench(server.database_admin_url, conn, embedder, config.answers.relevance_threshold)
            opened.discard()
    finally:
        loop.run(http.aclose(), timeout_s=2)
        loop.stop()


def _warn(unknown: Sequence[str], where: str) -> None:
    """Tell of ids that no passage has: a query that names only those is a miss whatever is found."""
    if unknown:
        named = ", ".join(unknown[:UNKNOWN_SHOWN]) + (", …" if len(unknown) > UNKNOWN_SHOWN else "")
        ids = "an id in `relevant` is" if len(unknown) == 1 else f"{len(unknown)} ids in `relevant` are"
        click.echo(f"{where}{ids} not in the corpus: {named}", err=True)


def _shown(
    show: str | None, queries: Sequence[evaluation.Query], asked: Sequence[measures.Asked], threshold: float
) -> list[dict[str, Any]]:
    """The queries that --show asks for. relevance: the best passage's; ranked: what was found, best first."""
    return [
        {
            "id": query.id, "text": query.text, "relevance": round(each.found.best, 4),
            "ranked": list(each.found.ids), "relevant": list(query.relevant),
        }
        for query, each in zip(queries, asked, strict=True)
        if show is not None and each.answerable == (show == "missed") and each.is_wrong(threshold)
    ]  # fmt: skip


def _query_line(query: dict[str, Any]) -> str:
    text = " ".join(query["text"].split())
    first = f"  found {query['ranked'][0]}" if query["ranked"] else "  found nothing"
    return f"{query['id']}  relevance {query['relevance']:.2f}{first}  {text[:TEXT_CHARS]}"


def _write(path: Path, queries: Sequence[evaluation.Query], found: Sequence[Found]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for query, each in zip(queries, found, strict=True):
            line = {
                "query_id": query.id, "ranked": list(each.ids), "relevance": [round(r, 4) for r in each.relevances],
            }  # fmt: skip
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _told(passages: int, model: str, threshold: float, figures: Mapping[str, measures.Figures]) -> str:
    """A line for each language under the names of the figures."""
    lines = [f"{passages} passages, {model}, relevance from {threshold:g}", _names("language")]
    return "\n".join([*lines, *(_figures(language, each) for language, each in figures.items())])


def _set_lines(name: str, figures: Mapping[str, measures.Figures], *, names: bool) -> str:
    """names: with the names of the figures above."""
    lines = [_figures(name if kind == "all" else f"  {kind}", each) for kind, each in figures.items()]
    return "\n".join([_names("set"), *lines] if names else lines)


def _names(first: str) -> str:
    return "  ".join([first.ljust(FIRST_CHARS), *(field.name for field in fields(measures.Figures))])


def _figures(first: str, figures: measures.Figures) -> str:
    cells = [("–" if value is None else str(value)).rjust(len(name)) for name, value in asdict(figures).items()]
    return "  ".join([first.ljust(FIRST_CHARS), *cells])
