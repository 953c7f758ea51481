"""How questions within conversations are ranked and judged: those that follow up, and those about something else.

`python -m bench.follow_ups FOLDER [SET …]`: the folder holds sets whose queries have a `history` (doc2dial, mtrag), and
banking77 and clinc150, whose questions are asked behind the sets' conversations: nothing answers them. First questions
are also asked behind another conversation. `--vectors FILE` keeps the vectors. Prints how many questions of each kind
get an answer and how well their passages are ranked, all together and by whether they can stand alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg

from bench.relevance_questions import Remembering, elsewhere
from shared.embedded import DataFolder, Postgres
from shared.knowledge import follow_up
from shared.store.db.migrate import migrate
from tasks.knowledge import evaluation, measures
from tasks.knowledge.evaluation import Query

SETS = ("mtrag", "doc2dial")
FOREIGN = 150
"""Questions of each kind about something else."""
TOP, GIVEN = 10, 6
THRESHOLD = 0.3


def questions(folder: Path, name: str) -> list[Query]:
    """Return a set's questions, and those that are asked behind its conversations."""
    asked = evaluation.read_queries(folder / name / "queries.jsonl")
    talks = [query for query in asked if len(query.history) > 1]
    chance = random.Random(9)
    found = list(asked)
    without = folder / name / "queries_without_answer.jsonl"
    if without.exists():
        found += [replace(query, kind="without an answer") for query in evaluation.read_queries(without)]
    for query in asked:
        others = [talk.history for talk in talks if not set(talk.relevant) & set(query.relevant)]
        if not query.history and others:
            found.append(replace(query, kind="first, behind another", history=chance.choice(others)))
    for kind, seed, label in (("banking77", 3, None), ("clinc150", 4, "oos")):
        for other in elsewhere(folder / kind, kind, seed, label)[:FOREIGN]:
            found.append(Query(kind, other.text, chance.choice(talks).history, None, kind=kind))
    return found


def table(queries: Sequence[Query], found: Sequence[measures.Found]) -> Iterator[str]:
    """Yield a line for each kind of question."""
    parts: defaultdict[tuple[str, str], list[tuple[Query, measures.Found]]] = defaultdict(list)
    for query, each in zip(queries, found, strict=True):
        parts[query.kind, "all"].append((query, each))
        if query.history:
            parts[query.kind, follow_up.stands(query.text).value].append((query, each))
    yield "| kind | can stand | questions | answered | nDCG@10 |"
    yield "|---|---|---|---|---|"
    for (kind, stands), part in sorted(parts.items()):
        answered = sum(each.best >= THRESHOLD for _, each in part) / len(part)
        ranked = [measures.ndcg(each.ids, query.relevant) for query, each in part if query.relevant]
        mean = f"{sum(ranked) / len(ranked):.3f}" if ranked else ""
        yield f"| {kind} | {stands} | {len(part)} | {100 * answered:.1f} % | {mean} |"


def measure(folder: Path, names: Sequence[str], vectors: Path) -> None:
    embedder = Remembering(vectors)
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as opened:
        with Postgres(opened, fsync=False) as server:
            migrate(server.database_admin_url)
            with (
                psycopg.connect(server.database_admin_url, autocommit=True) as owner,
                psycopg.connect(server.database_url, autocommit=True, prepare_threshold=None) as conn,
            ):
                for name in names:
                    rows = evaluation.read_corpus(folder / name / "corpus.jsonl")
                    corpus = evaluation.load(owner, name, rows, embedder)
                    asked = questions(folder, name)
                    found = list(evaluation.ask(conn, corpus, asked, embedder, TOP, given=GIVEN))
                    sys.stdout.write("\n".join([f"## {name}", *table(asked, found)]) + "\n")
                    sys.stdout.flush()
        opened.discard()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures questions within conversations.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--vectors", type=Path, help="keep vectors in this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(given.folder, given.sets or SETS, given.vectors or Path(folder) / "vectors.db")


if __name__ == "__main__":
    main()
