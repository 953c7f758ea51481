"""How well passages are found: by words, by meaning, by both; and how often a question without an answer is answered.

`python -m bench.retrieval FOLDER [SET …]`: the folder holds a folder for each set with corpus.jsonl and queries.jsonl
(id, text, relevant), score.py beside them, and clinc150/labelled.jsonl for questions about something else. Runs through
the product's own search on an embedded PostgreSQL in a temporary folder; prints a table.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from shared.embedded import DataFolder, Postgres
from shared.knowledge import search
from shared.knowledge.e5 import DIMENSION, LocalE5
from shared.knowledge.embed import Vector
from shared.knowledge.search import Meaning
from shared.model import Passage
from shared.store.db.migrate import migrate
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import documents as store
from shared.store.knowledge import embeddings
from shared.store.tenants import companies

SETS = (
    "mtrag", "doc2dial", "stackfaq", "xquad-en", "xquad-de", "xquad-es", "xquad-ru", "xquad-ar", "xquad-zh",
)  # fmt: skip
LANGUAGES = {"xquad-de": "german", "xquad-es": "spanish", "xquad-ru": "russian", "xquad-ar": "arabic"}
ELSEWHERE = 300
"""Questions about something else."""
THRESHOLD = 0.3
SHOWN = 6
"""Passages that an answer is made from."""
EMBEDDER = LocalE5(threads=2)


@dataclass(frozen=True, slots=True)
class Corpus:
    company_id: int
    model_id: int
    names: dict[int, str]


def main(folder: Path, names: Sequence[str]) -> None:
    score = _module(folder / "score.py").score
    elsewhere = [entry["text"] for entry in _lines(folder / "clinc150" / "labelled.jsonl")]
    elsewhere = elsewhere[:: max(1, len(elsewhere) // ELSEWHERE)][:ELSEWHERE]
    _say("| set | questions | words | meaning | both | answered, words | both | elsewhere, words | both |")
    _say("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as opened:
        with Postgres(opened, fsync=False) as server:
            migrate(server.database_admin_url)
            with psycopg.connect(server.database_admin_url) as conn:
                for name in names:
                    _say(_row(conn, folder / name, elsewhere, score))
                    conn.rollback()
        opened.discard()


def _row(conn: Conn, folder: Path, elsewhere: Sequence[str], score: Callable[..., dict[str, float]]) -> str:
    corpus = _load(conn, folder)
    asked = [query for query in _lines(folder / "queries.jsonl") if query.get("type", "first") == "first"]
    questions = _meanings([query["text"] for query in asked])
    ways: dict[str, Callable[[str, Meaning, int], list[Passage]]] = {
        "words": lambda text, _, limit: search.search(conn, corpus.company_id, text, limit),
        "meaning": lambda _, m, limit: embeddings.nearest(conn, corpus.company_id, corpus.model_id, m.vector, limit),
        "both": lambda text, m, limit: search.search(conn, corpus.company_id, text, limit, m),
    }
    cells = [folder.name, str(len(asked))]
    for way in ways.values():
        run = {q["id"]: [corpus.names[p.document_id] for p in way(*found, 10)] for q, found in
               zip(asked, questions, strict=True)}  # fmt: skip
        cells.append(f"{score(run, asked)['nDCG@10']:.3f}")
    sets = [questions, _meanings(elsewhere) if folder.name in ("mtrag", "stackfaq", "xquad-en", "doc2dial") else []]
    if (folder / "queries_without_answer.jsonl").exists():
        sets.append(_meanings([q["text"] for q in _lines(folder / "queries_without_answer.jsonl")]))
    shares = [[_answered(ways[way], each) for way in ("words", "both")] for each in sets]
    cells += [share for pair in shares[:2] for share in pair]
    row = "| " + " | ".join(cells) + " |"
    return row if len(shares) < 3 else f"{row} without an answer: {' → '.join(shares[2])}"


def _answered(way: Callable[[str, Meaning, int], list[Passage]], asked: Sequence[tuple[str, Meaning]]) -> str:
    """The share of questions for which some passage is relevant enough."""
    if not asked:
        return "–"
    known = sum(any(p.relevance >= THRESHOLD for p in way(text, meaning, SHOWN)) for text, meaning in asked)
    return f"{100 * known / len(asked):.0f} %"


def _load(conn: Conn, folder: Path) -> Corpus:
    """One passage, one chunk: the sets judge passages."""
    company_id = companies.ensure(conn, folder.name).id
    set_companies(conn, [company_id])
    # A transaction that computes between its statements.
    conn.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    names: dict[int, str] = {}
    for entry in _lines(folder / "corpus.jsonl"):
        title, text = entry.get("title") or "", entry["text"]
        added = store.add_document(
            conn, company_id, source=entry["id"], title=title, text=text, content_hash=b"",
            chunks=[store.NewChunk(title, text, 0)], language=LANGUAGES.get(folder.name, "english"),
        )  # fmt: skip
        names[added.document_id] = entry["id"]
    rows: list[Any] = conn.execute("SELECT id, title, text FROM chunks WHERE company_id = %s", (company_id,)).fetchall()
    model_id = embeddings.ensure_model(conn, EMBEDDER.model, DIMENSION)
    vectors = _embedded([f"{title}\n{text}" for _, title, text in rows], passages=True)
    embeddings.add(conn, company_id, model_id, [(row[0], vector) for row, vector in zip(rows, vectors, strict=True)])
    return Corpus(company_id, model_id, names)


def _meanings(texts: Sequence[str]) -> list[tuple[str, Meaning]]:
    vectors = _embedded(texts)
    return [
        (text, Meaning(EMBEDDER.model, vector, EMBEDDER.trust(text), EMBEDDER.baseline))
        for text, vector in zip(texts, vectors, strict=True)
    ]


def _embedded(texts: Sequence[str], *, passages: bool = False) -> list[Vector]:
    parts = [texts[at : at + 64] for at in range(0, len(texts), 64)]
    with ThreadPoolExecutor(2) as threads:
        return [
            vector for part in threads.map(lambda p: EMBEDDER.embed(p, passages=passages), parts) for vector in part
        ]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or SETS)
