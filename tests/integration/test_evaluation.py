"""A corpus as given: one row, one passage, one company, and what its questions find."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.errors import Permanent
from tasks.knowledge import evaluation
from tests.embedder import FakeEmbedder

CORPUS: list[dict[str, Any]] = [
    {"id": "open", "title": "Shops", "text": "Doors open at nine.", "relevant": ["never read"]},
    {"id": "return", "title": "Returns", "text": "Send parcels back within thirty days."},
    {"id": "a-0", "transcript_id": "a", "text": "Ann: the heating is broken"},
    {"id": "a-1", "transcript_id": "a", "text": "Bob: we send a technician"},
    {"id": "b-0", "transcript_id": "b", "text": "Cy: the heating works"},
]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", "utf-8")
    return path


def run(
    database: Database, tmp_path: Path, corpus: list[dict[str, Any]], asked: list[dict[str, Any]]
) -> list[list[str]]:
    rows = evaluation.read_corpus(write(tmp_path / "corpus.jsonl", corpus))
    queries = evaluation.read_queries(write(tmp_path / "queries.jsonl", asked))
    embedder = FakeEmbedder(known=0.0)
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        loaded = evaluation.load(owner, f"evaluation {tmp_path}", rows, embedder)
    with psycopg.connect(database.url, autocommit=True) as conn:
        return list(evaluation.ask(conn, loaded, queries, embedder, 10))


def test_each_question_finds_rows_of_its_corpus(database: Database, tmp_path: Path) -> None:
    history = [{"role": "user", "text": "Can I send parcels back?"}, {"role": "agent", "text": "Yes."}]
    by_words, by_meaning, follow_up, inside, nowhere = run(
        database, tmp_path, CORPUS,
        [
            {"id": "1", "text": "when do the doors open?", "relevant": ["return"]},
            {"id": "2", "text": "refund"},
            {"id": "3", "text": "within how many days?", "history": history},
            {"id": "4", "text": "heating", "transcript_id": "a", "doc_id": "b"},
            {"id": "5", "text": "heating", "transcript_id": "unknown"},
        ],
    )  # fmt: skip

    assert by_words[0] == "open"
    assert by_meaning[0] == "return"
    assert follow_up[0] == "return"
    assert sorted(inside) == ["a-0", "a-1"]
    assert nowhere == []
    assert all(len(set(found)) == len(found) for found in (by_words, by_meaning, follow_up))


def test_two_corpora_do_not_mix(database: Database, tmp_path: Path) -> None:
    (one, other) = (tmp_path / "one", tmp_path / "other")
    one.mkdir()
    other.mkdir()
    run(database, one, CORPUS, [])

    [found] = run(database, other, [{"id": "x", "text": "Doors."}], [{"id": "1", "text": "when do the doors open?"}])

    assert found == ["x"]


def test_what_is_no_corpus_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"id": "a", "text": "b"}\n{"id": 5}\n', "utf-8")
    with pytest.raises(Permanent, match="line 2"):
        evaluation.read_corpus(path)
    with pytest.raises(Permanent, match="twice"):
        evaluation.read_corpus(write(path, [{"id": "a", "text": "b"}] * 2))
