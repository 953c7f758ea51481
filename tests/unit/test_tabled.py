"""Tables that are longer than a chunk: every part says what its columns are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.chunk import TAIL_CHARS, TARGET_CHARS, parsed
from shared.knowledge.tabled import with_headers

HEADER = "| part | price EUR | days |"
ROWS = [f"| collet {number} | {number}.50 | {number % 20} |" for number in range(100, 180)]
LONG = "\n".join(["# Spare parts", "", "Prices per piece.", "", HEADER, "|---|---|---|", *ROWS, "", "Ask us for more."])


def test_every_chunk_of_a_table_has_its_caption_and_its_header_and_every_row_is_there_once() -> None:
    chunks = [chunk.text for chunk in parsed("Shop", LONG).chunks]

    with_rows = [text for text in chunks if "| collet" in text]
    assert len(with_rows) > 2
    assert all(text.startswith(f"Prices per piece.\n{HEADER}\n") for text in with_rows)
    assert [line for text in chunks for line in text.split("\n") if line.startswith("| collet")] == ROWS
    assert all(len(text) <= TARGET_CHARS + TAIL_CHARS for text in chunks)
    assert "Ask us for more." in chunks[-1]


def test_a_table_without_outer_bars_is_one_too() -> None:
    text = "a | b\n--- | ---\n" + "\n".join(f"x{number} | {'y' * 40}" for number in range(60))
    assert all(chunk.text.startswith("a | b\n---") for chunk in parsed("T", text).chunks)


def test_a_row_that_does_not_fit_beside_its_header_says_its_columns_in_words() -> None:
    words = " ".join(f"word{number}" for number in range(300))
    text = f"Rules.\n| topic | what holds |\n|---|---|\n| pets | {words} |\n| bikes | at night |"
    chunks = [chunk.text for chunk in parsed("T", text).chunks]

    assert all("Rules." in chunk for chunk in chunks)
    assert all("topic: pets" in chunk and "what holds: " in chunk for chunk in chunks if "word" in chunk)
    assert " ".join(chunks).count("word299") == 1


@pytest.mark.parametrize("text", ["a | b\nc | d", "```\n| a |\n|---|\n" + "| x |\n" * 400 + "```", "---\n| a | b |"])
def test_what_is_no_table_stays_as_it_is(text: str) -> None:
    assert with_headers(text, 100) == text


@given(
    st.lists(st.sampled_from(["| a | b |", "|---|---|", "x | y", "text", "", "# h", "```", "| long " * 9]), max_size=40)
)
def test_no_line_is_lost(lines: list[str]) -> None:
    kept = with_headers("\n".join(lines), 60).split()
    assert set(" ".join(lines).replace("|", " ").split()) - {"---"} <= {
        word.strip("|:") for part in kept for word in [part, *part.split("|")]
    } | {"```"}
