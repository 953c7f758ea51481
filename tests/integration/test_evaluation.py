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
from tests.integration.command_line import command_line

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
        return [list(found.ids) for found in evaluation.ask(conn, loaded, queries, embedder, 10, given=6)]


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


def test_the_command_tells_what_is_ranked_given_and_refused_by_language(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """With the local model, and a database of its own."""
    corpus = write(tmp_path / "corpus.jsonl", CORPUS[:2])
    queries = write(
        tmp_path / "queries.jsonl",
        [
            {"id": "1", "text": "When do the doors of your shops open?", "relevant": ["open"], "lang": "en"},
            {"id": "2", "text": "Wie lange kann ich Pakete zurückschicken?", "relevant": ["return"], "lang": "de"},
        ],
    )
    nothing = write(tmp_path / "nothing.jsonl", [{"id": "3", "text": "Who wrote Hamlet?", "lang": "en"}])
    run = command_line(monkeypatch, capsysbinary, {"DATA_DIR": str(tmp_path / "data")})

    ended = run(
        "eval", "retrieval", "--corpus", corpus, "--queries", queries, "--unanswerable", nothing,
        "--out", tmp_path / "out.jsonl", "--json",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    told = ended.json
    assert (told["passages"], told["questions"], told["unanswerable"]) == (2, 2, 1)
    assert (told["embedding_model"], list(told["figures"])) == ("multilingual-e5-small", ["all", "de", "en"])
    english, german = told["figures"]["en"], told["figures"]["de"]
    assert (english["ndcg_at_10"], english["right_given"], english["auc"]) == (1.0, 1.0, 1.0)
    assert (german["ndcg_at_10"], german["unanswerable"], german["auc"]) == (1.0, 0, None)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["query_id"], line["ranked"][0]) for line in lines] == [("1", "open"), ("2", "return")]
    assert all(len(line["relevance"]) == len(line["ranked"]) for line in lines)
    assert not list((tmp_path / "data").glob("eval-*"))
