"""Which questions the bench asks within conversations, and what it tells of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.follow_ups import questions, table
from shared.model import ChatLine
from tasks.knowledge.evaluation import Query
from tasks.knowledge.measures import Found

TALK = [{"role": "user", "text": "Do you ship abroad?"}, {"role": "agent", "text": "Yes."}]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")


def test_questions_about_something_else_are_asked_behind_a_conversation(tmp_path: Path) -> None:
    write(
        tmp_path / "shop" / "queries.jsonl",
        [
            {"id": "1", "text": "When do you open?", "relevant": ["hours"], "type": "first"},
            {"id": "2", "text": "How long does it take?", "relevant": ["ship"], "type": "followup", "history": TALK},
        ],
    )
    write(tmp_path / "shop" / "queries_without_answer.jsonl", [{"id": "3", "text": "And to Mars?", "history": TALK}])
    write(tmp_path / "banking77" / "labelled.jsonl", [{"text": "Why was my card declined?", "label": "card"}])
    write(
        tmp_path / "clinc150" / "labelled.jsonl",
        [{"text": "Who wrote Hamlet?", "label": "oos"}, {"text": "Set an alarm", "label": "alarm"}],
    )

    found = {query.kind: query for query in questions(tmp_path, "shop")}

    assert set(found) == {
        "first", "followup", "without an answer", "first, behind another", "banking77", "clinc150",
    }  # fmt: skip
    assert not found["first"].history
    assert found["first, behind another"].relevant == ("hours",)
    assert all(len(query.history) == 2 for kind, query in found.items() if kind != "first")
    assert found["clinc150"].text == "Who wrote Hamlet?"


def test_shares_are_told_by_kind_and_by_whether_a_line_can_stand_alone() -> None:
    history = (ChatLine("customer", "Do you ship abroad?"),)
    asked = [
        Query("1", "Do you deliver parcels to Norway?", history, None, ("a",), kind="followup"),
        Query("2", "how much?", history, None, ("a",), kind="followup"),
        Query("3", "Who wrote Hamlet?", (), None, kind="clinc150"),
    ]
    found = [Found(["a"], [0.4], 6), Found(["b", "a"], [0.2, 0.1], 6), Found(["a"], [0.31], 6)]

    assert list(table(asked, found))[2:] == [
        "| clinc150 | all | 1 | 100.0 % |  |",
        "| followup | all | 2 | 50.0 % | 0.815 |",
        "| followup | alone | 1 | 100.0 % | 1.000 |",
        "| followup | not | 1 | 0.0 % | 0.631 |",
    ]
