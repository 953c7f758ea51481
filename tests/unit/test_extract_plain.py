"""Text, Markdown and tables, read in this process; that a child reads them is test_extract.py's."""

from __future__ import annotations

import pytest

from shared.knowledge.extract import plain
from shared.knowledge.extract.base import CHARS_MAX, TITLE_CHARS, Unreadable, decoded, joined
from shared.knowledge.extract.plain import CELL_CHARS, COLUMNS_MAX, FIELD_MAX, SAMPLE_CHARS, read_csv, read_markdown
from shared.knowledge.extract.plain import read_text as text_of


def _table(text: str) -> list[str]:
    return read_csv(text.encode()).text.split("\n\n")


def _unreadable(text: str) -> str:
    with pytest.raises(Unreadable) as error:
        read_csv(text.encode())
    return str(error.value)


# ------------------------------------------------------------------ text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_read_by_its_byte_order_mark(encoding: str) -> None:
    assert text_of("Käse 漢字".encode(encoding)).text == "Käse 漢字"
    assert decoded(b"\xfe\xff\x00K") == "K"


def test_a_text_in_another_encoding_is_refused() -> None:
    with pytest.raises(Unreadable, match="the text is not UTF-8: save it as UTF-8"):
        text_of("Käse".encode("latin-1"))


def test_a_text_is_bounded() -> None:
    assert len(text_of(b"a" * CHARS_MAX).text) == CHARS_MAX
    said = f"more than {CHARS_MAX} characters: divide the document"
    with pytest.raises(Unreadable, match=said):
        text_of(b"a" * (CHARS_MAX + 1))

    half = "a" * (CHARS_MAX // 2)
    assert len(joined([half, half[:-2]])) == CHARS_MAX
    with pytest.raises(Unreadable, match=said):
        joined([half, half[:-1]])
    assert joined(["a", "b"], "-") == "a-b"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Returns\nThirty days.", "Returns"),
        ("\n\n## Our  # returns \nThirty days.", "Our # returns"),
        ("Thirty days.\n# Returns", None),
        ("#\nThirty days.", None),
        (f"# {'a' * (TITLE_CHARS + 1)}", "a" * TITLE_CHARS),
        ("", None),
    ],
)
def test_a_markdown_s_title_is_a_heading_that_stands_first(text: str, title: str | None) -> None:
    found = read_markdown(text.encode())
    assert (found.text, found.title) == (text, title)


# ------------------------------------------------------------------ tables


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", ","])
def test_a_table_is_divided_by_what_divides_its_first_rows_alike(delimiter: str) -> None:
    rows = [["Product", "Price"], ["Shoe", "1"], ["Bag", "2"]]
    assert _table("\n".join(delimiter.join(row) for row in rows)) == [
        "Product: Shoe\nPrice: 1",
        "Product: Bag\nPrice: 2",
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # the comma stands in numbers: the semicolon divides as many rows, and comes first
        ("Size;Price\nS;1,50\nL;2,75", ["Size: S\nPrice: 1,50", "Size: L\nPrice: 2,75"]),
        # a semicolon in one row divides fewer of them
        ("Size,Note\nS,warm; dry\nL,cold", ["Size: S\nNote: warm; dry", "Size: L\nNote: cold"]),
        # as many rows, but into more cells
        ("a,b;c,d\n1,2;3,4", ["a: 1\nb;c: 2;3\nd: 4"]),
        # nothing divides
        ("Size\nS\nL", ["Size: S", "Size: L"]),
    ],
)
def test_what_stands_between_cells_is_guessed_from_the_first_rows(text: str, rows: list[str]) -> None:
    assert _table(text) == rows


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", "Sep=;\r\n\r\n"])
def test_a_table_may_say_what_stands_between_its_cells(line: str) -> None:
    assert _table(f"{line}Size;Price,net\r\nS;5") == ["Size: S\nPrice,net: 5"]


def test_a_first_row_that_only_looks_like_saying_so_is_a_row() -> None:
    assert _table("sep=;;\n1;2;3") == ["sep=: 1\ncolumn 2: 2\ncolumn 3: 3"]
    assert _table("sizes,a\n1,2") == ["sizes: 1\na: 2"]
    assert read_csv(b"sep=;").text == ""
    assert _table("sep=a\nxay\n1a2") == ["x: 1\ny: 2"]
    assert _table("sep=,\nsep=,,b\n1,2,3") == ["sep=: 1\ncolumn 2: 2\nb: 3"]


def test_blank_lines_before_a_table_are_no_row_of_names() -> None:
    assert _table("\n \t\nSize;Price\n\nS;5\n;\n") == ["Size: S\nPrice: 5"]


def test_cells_are_quoted_trimmed_and_put_on_one_line() -> None:
    assert _table('Size, "The\n note"\nS, "warm,\r\n  dry"') == ["Size: S\nThe note: warm, dry"]


def test_columns_without_a_name_are_numbered_and_long_names_cut() -> None:
    name = "n" * (CELL_CHARS + 1)
    assert _table(f"{name},,c\n1,2,3,4") == [f"{name[:-1]}: 1\ncolumn 2: 2\nc: 3\ncolumn 4: 4"]


def test_the_last_row_of_a_sample_may_be_cut_off_and_does_not_count() -> None:
    """Two rows of two cells, cut off where the third would have two as well: what stands before it decides."""
    row = "x;" + "y" * 5_000 + ",z"
    head = "a;b"
    text = "\n".join([head, row, row, "p;" + "q" * SAMPLE_CHARS])
    assert _table(text)[0].startswith("a: x\nb: yyy")


def test_rows_beyond_the_sample_do_not_count() -> None:
    text = "\n".join(["a,b"] + ["1,2"] * 19 + ["1,2;3"] * 200)
    assert _table(text)[0] == "a: 1\nb: 2"
    assert _table(text)[-1] == "a: 1\nb: 2;3"


def test_a_table_is_bounded_in_rows_columns_and_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    widest = ",".join("a" * COLUMNS_MAX)
    assert _table(f"{widest}\n1")[0] == "a: 1"
    assert _unreadable(f"{widest},a\n1") == f"more than {COLUMNS_MAX} columns: divide the table"
    assert _unreadable(f"a,b\n{'1' * (FIELD_MAX + 1)},2") == (
        f"not a valid table: field larger than field limit ({FIELD_MAX})"
    )
    monkeypatch.setattr(plain, "ROWS_MAX", 2)
    assert _table("a\n1\n2") == ["a: 1", "a: 2"]
    assert _unreadable("a\n1\n2\n3") == "more than 2 rows: divide the table"
