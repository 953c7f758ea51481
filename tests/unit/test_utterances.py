"""The table of utterances: what customers of seventeen languages write is taken for what it is, without a model."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from shared.triage import texts
from shared.triage.classify import Triage, classify

TABLE = Path(__file__).with_name("utterances.txt")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "eval"
_LINE = re.compile(r"([a-z]{2}) ([a-z]+): (.*)")
RIGHT_SHARE = 0.97
COURTESIES = {"greeting", "goodbye", "thank_you"}
"""Labels of clinc150 under which nothing is asked for."""
OF_WHAT_WAS_SAID = {"yes", "no", "maybe", "repeat"}
"""Labels under which it depends on what was said before: these are left out."""


def _utterances() -> list[tuple[str, str, str]]:
    """(language, class, text)"""
    found = []
    for line in TABLE.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            read = _LINE.fullmatch(line)
            assert read is not None, line
            text = re.sub(r"\\u([0-9a-f]{4})", lambda escaped: chr(int(escaped[1], 16)), read[3])
            found.append((read[1], read[2], text))
    return found


def _class_of(triage: Triage) -> str:
    if triage.what == "person":
        return "person"
    return "remark" if triage.kind in ("remark", "upset") else triage.kind


UTTERANCES = _utterances()


def test_the_table_has_three_hundred_utterances_of_every_class_in_every_language() -> None:
    classes = {"courtesy", "acknowledgement", "command", "person", "remark", "question"}

    assert len(UTTERANCES) >= 300
    assert len(set(UTTERANCES)) == len(UTTERANCES)
    assert {(language, name) for language, name, _ in UTTERANCES} == {
        (language, name) for language in texts.LANGUAGES for name in classes
    }


def test_nearly_every_utterance_is_taken_for_what_it_is() -> None:
    wrong = [
        (language, name, found, text)
        for language, name, text in UTTERANCES
        if (found := _class_of(classify(text))) != name
    ]

    assert 1 - len(wrong) / len(UTTERANCES) >= RIGHT_SHARE, wrong


def test_no_question_is_met_with_silence() -> None:
    silent = [text for _, name, text in UTTERANCES if name == "question" and classify(text).kind == "acknowledgement"]

    assert silent == []


def test_no_language_is_much_worse_than_the_others() -> None:
    every = Counter(language for language, _, _ in UTTERANCES)
    right = Counter(language for language, name, text in UTTERANCES if _class_of(classify(text)) == name)

    assert [language for language in every if right[language] < 0.9 * every[language]] == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled questions are not here")
@pytest.mark.parametrize("name", ["banking77", "clinc150"])
def test_of_the_public_intent_sets_it_is_told_what_is_a_question(name: str) -> None:
    with open(SHARED / name / "labelled.jsonl", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["label"] not in OF_WHAT_WAS_SAID]
    found = [(row, classify(row["text"]).kind) for row in rows]
    right = [row for row, kind in found if (kind == "question") != (row["label"] in COURTESIES)]

    assert len(right) / len(rows) >= RIGHT_SHARE
    assert [row["text"] for row, kind in found if kind == "acknowledgement"] == []
