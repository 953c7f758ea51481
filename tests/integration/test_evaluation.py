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
            {"id": "4", "text": "Where are your shops?", "relevant": ["gone"], "lang": "en"},
        ],
    )
    nothing = write(tmp_path / "nothing.jsonl", [{"id": "3", "text": "Who wrote Hamlet?", "lang": "en"}])
    run = command_line(monkeypatch, capsysbinary, {"DATA_DIR": str(tmp_path / "data")})

    ended = run(
        "eval", "retrieval", "--corpus", corpus, "--queries", queries, "--unanswerable", nothing,
        "--out", tmp_path / "out.jsonl", "--show", "missed", "--json",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    told = ended.json
    assert (told["passages"], told["questions"], told["unanswerable"]) == (2, 3, 1)
    assert (told["embedding_model"], list(told["figures"])) == ("multilingual-e5-small", ["all", "de", "en"])
    english, german = told["figures"]["en"], told["figures"]["de"]
    assert (english["ndcg_at_10"], english["right_given"], english["auc"]) == (0.5, 0.5, 1.0)
    assert (german["ndcg_at_10"], german["unanswerable"], german["auc"]) == (1.0, 0, None)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["query_id"], line["ranked"][0]) for line in lines] == [
        ("1", "open"), ("2", "return"), ("4", "open"),
    ]  # fmt: skip
    assert all(len(line["relevance"]) == len(line["ranked"]) for line in lines)
    assert told["unknown_relevant"] == ["gone"]
    assert ended.err == "an id in `relevant` is not in the corpus: gone\n"
    assert [(missed["id"], missed["relevant"]) for missed in told["missed"]] == [("4", ["gone"])]
    assert not list((tmp_path / "data").glob("eval-*"))


def test_sets_are_measured_in_one_table_each_type_by_itself(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    shops, returns = tmp_path / "sets" / "shops", tmp_path / "sets" / "returns"
    asked = [
        {"id": "1", "text": "When do the doors open?", "relevant": ["open"], "type": "first"},
        {"id": "2", "text": "And the doors?", "relevant": ["open"], "type": "follow-up"},
    ]
    for folder, queries in ((shops, asked), (returns, [{"id": "1", "text": "Parcels?", "relevant": ["return"]}] * 3)):
        folder.mkdir(parents=True)
        write(folder / "corpus.jsonl", CORPUS[:2])
        write(folder / "queries.jsonl", queries)
    write(shops / "queries_without_answer.jsonl", [{"id": "3", "text": "Who wrote Hamlet?"}])
    run = command_line(monkeypatch, capsysbinary, {"DATA_DIR": str(tmp_path / "data")})

    told = run("eval", "sets", tmp_path / "sets", "--at-most", 2, "--json").json["sets"]

    counted = {
        name: {kind: (each["questions"], each["unanswerable"]) for kind, each in of.items()}
        for name, of in told.items()
    }  # fmt: skip
    assert counted == {
        "returns": {"all": (2, 0)}, "shops": {"all": (2, 1), "first": (1, 0), "follow-up": (1, 0)},
    }  # fmt: skip
    assert told["shops"]["all"]["ndcg_at_10"] == 1.0

    shown = run("eval", "sets", tmp_path / "sets", "shops")
    assert [line.split()[0] for line in shown.lines] == ["set", "shops", "first", "follow-up"]

    refused = run("eval", "sets", tmp_path / "sets", "parcels")
    assert (refused.code, "parcels/corpus.jsonl" in refused.err) == (2, True)
