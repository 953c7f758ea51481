"""What is quoted of tables: the row that is asked for, with its columns and caption, within the limits of a part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.knowledge import chunk
from shared.knowledge.quote import QUOTE_MAX_CHARS, quote
from shared.model import Passage

PARTS = [
    f"| {name} {n} | series {n % 7} | {n}.50 | {n % 20} |" for n in range(100, 180) for name in ("spindle", "guard")
]
TABLE = "\n".join(["Prices with tax.", "", "| part | fits | price EUR | delivery days |", "|---|---|---|---|", *PARTS])


def passage(text: str, identifiers: tuple[str, ...] = (), relevance: float = 0.9) -> Passage:
    return Passage(1, 1, "Parts", 0, text, 1.0, relevance, identifiers=identifiers)


@pytest.mark.parametrize("n", [100, 123, 179])
def test_each_row_of_a_long_table_is_quoted_with_caption_and_columns(n: int) -> None:
    [holding] = [part.text for part in chunk.parsed("Parts", TABLE).chunks if f"guard {n} " in part.text]
    said = quote([passage(holding)], f"How long does delivery of guard {n} take?", "Found:")
    assert said == (
        f"Found:\n“Prices with tax. – part: guard {n}; fits: series {n % 7}; price EUR: {n}.50; "
        f"delivery days: {n % 20}” [1]"
    )


def test_a_record_of_a_list_is_quoted_whole_and_no_other_ones_value() -> None:
    text = "sku: AX-1000-A\nproduct: drill\nprice EUR: 20.00\n\nsku: AX-1001-A\nproduct: drill\nprice EUR: 30.00"
    assert quote([passage(text)], "price of the drill ax1001a in EUR", "") == (
        "\n“sku: AX-1001-A; product: drill; price EUR: 30.00” [1]"
    )


def test_two_codes_in_one_question_are_both_quoted_and_no_third() -> None:
    one, two, three = (f"| code | price |\n|---|---|\n| AX-100{n}-A | {n}.00 |" for n in range(3))
    found = [passage(one, ("AX-1000-A",)), passage(two, ("ax1001a",)), passage(three)]
    assert quote(found, "AX-1000-A or ax1001a?", "") == (
        "\n“code: AX-1000-A; price: 0.00” [1]\n“code: AX-1001-A; price: 1.00” [2]"
    )
    assert "[2]" not in quote([found[0], replace(found[1], identifiers=())], "AX-1000-A?", "")


def test_a_row_that_is_too_long_keeps_its_name_and_what_is_asked_for() -> None:
    names = " | ".join(f"column {n}" for n in range(40))
    row = " | ".join(["guard 7", *(f"value {n} of many words" for n in range(1, 40))])
    said = quote([passage(f"| {names} |\n|{'---|' * 40}\n| {row} |")], "what is column 39 of guard 7", "Found:")
    assert len(said) <= QUOTE_MAX_CHARS
    assert "column 0: guard 7" in said
    assert "column 39: value 39 of many words" in said
    assert "…" in said


def test_what_is_not_said_of_the_rows_is_not_quoted_beside_the_one_that_is() -> None:
    text = "# Rates\nPer night.\n\n| month | single | double |\n|---|---|---|\n| March | 80 | 120 |\n| May | 90 | 130 |"
    said = quote([passage(text)], "How much is a double room in March?", "")
    assert "month: March; single: 80; double: 120" in said
    assert "May" not in said


PRICES = (
    "Service price list 2026\n\nAll prices net, plus VAT.\n\n| Service | Price EUR |\n|---|---|\n"
    "| Emergency call at night | 240 |\n| Cleaning of a tank | 310 |"
)
HOURS = "Opening hours\n\n| Day | Opens |\n|---|---|\n| Monday | 8 |\n| Saturday | 9 |"


@pytest.mark.parametrize("question", ["service price list 2026", "Wieviel kostet ein Notdienst in der Nacht?"])
def test_a_title_is_no_answer_and_a_short_table_is_quoted_whole_where_no_row_is_meant(question: str) -> None:
    assert quote([passage(PRICES)], question, "") == (
        "\n“All prices net, plus VAT. – Service: Emergency call at night; Price EUR: 240; "
        "Service: Cleaning of a tank; Price EUR: 310” [1]"
    )


def test_a_row_that_is_meant_is_quoted_alone_under_a_title() -> None:
    assert quote([passage(PRICES)], "What does a tank cleaning cost?", "") == (
        "\n“All prices net, plus VAT. – Service: Cleaning of a tank; Price EUR: 310” [1]"
    )


def test_a_question_in_another_language_is_given_all_rows_and_not_the_first() -> None:
    assert quote([passage(HOURS)], "Ist die Werkstatt samstags geöffnet?", "") == (
        "\n“Opening hours – Day: Monday; Opens: 8; Day: Saturday; Opens: 9” [1]"
    )


@pytest.mark.parametrize("text", ["# Service price list 2026", "Parts", "## Prices\n\n### Services"])
def test_titles_alone_are_not_quoted(text: str) -> None:
    assert quote([passage(text)], "service price list 2026", "Found:") == ""
    assert quote([passage(text), passage("We serve.", relevance=0.8)], "service", "Found:") == (
        "Found:\n“We serve.” [2]"
    )


def test_a_caption_stands_once_before_several_rows_and_is_no_sentence_beside_them() -> None:
    caption = "Delivery in working days. All prices net."
    text = f"{caption}\n\n| Part | Price |\n|---|---|\n| ET 5003/1 | 12 |\n| ET 5006/2 | 9 |\n| ET 5007/2 | 8 |"
    said = quote([passage(text)], "prices net and delivery in working days: ET 5003/1 and ET 5006/2", "")
    assert said == f"\n“{caption} – Part: ET 5003/1; Price: 12; Part: ET 5006/2; Price: 9” [1]"


def test_a_long_table_of_which_no_row_is_meant_is_quoted_within_the_limit() -> None:
    rows = "\n".join(f"| thing {n} | {n} |" for n in range(100))
    assert len(quote([passage(f"| Name | Price |\n|---|---|\n{rows}")], "Wieviel?", "")) < QUOTE_MAX_CHARS


def test_where_nothing_shares_a_word_the_beginning_is_quoted_and_says_that_it_goes_on() -> None:
    text = " ".join(f"The {name} floor holds many old things." for name in ("first", "second", "third", "fourth"))
    assert quote([passage(text)], "Was kann man dort sehen?", "") == f"\n“{text}” [1]"

    long = " ".join(f"Room {n} shows what was made in the city long ago." for n in range(40))
    said = quote([passage(long)], "Was kann man dort sehen?", "")
    assert said.startswith("\n“Room 0 shows what was made in the city long ago. Room 1 shows")
    assert said.endswith("long ago. …” [1]")
    assert 500 < len(said) <= QUOTE_MAX_CHARS
