"""Text, Markdown and tables, read in this process; that a child reads them is test_extract.py's."""

from __future__ import annotations

import pytest

from shared.knowledge.extract import sheets
from shared.knowledge.extract.base import CHARS_MAX, TITLE_CHARS, Unreadable, joined
from shared.knowledge.extract.plain import FIELD_MAX, read_csv, read_markdown
from shared.knowledge.extract.plain import read_text as text_of
from shared.knowledge.extract.sheets import COLUMNS_MAX, NAME_CHARS


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
    assert text_of(b"\xfe\xff\x00K").text == "K"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Мы открыты с девяти", "cp1251"), ("Příliš žluťoučký kůň", "cp1250"), ("Zażółć gęślą jaźń", "cp1250"),
        ("Käse, Öl", "cp850"), ("crème brûlée, père", "latin-1"), ("ışık", "cp1254"),
    ],
)  # fmt: skip
def test_a_text_in_an_encoding_that_would_be_guessed_is_refused(text: str, encoding: str) -> None:
    with pytest.raises(Unreadable, match="the text is not UTF-8: save it as UTF-8"):
        text_of(text.encode(encoding))


def test_what_windows_writes_is_read_where_no_byte_could_mean_something_else() -> None:
    assert text_of("Bürste – 5,00 €, „größer“".encode("cp1252")).text == "Bürste – 5,00 €, „größer“"


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
    ("text", "left", "title"),
    [
        ("---\ntitle: 'Our hours'\ntags: [a, b]\n---\n\nWe open at nine.", "\nWe open at nine.", "Our hours"),
        ("---\nWe open at nine.\n---\nAnd ten.", "---\nWe open at nine.\n---\nAnd ten.", None),
        ("````\n```\n# code\n```\n````\n# Refunds\nNine days.", "    # code\n# Refunds\nNine days.", None),
        ("~~~sh\n# a\n\nb\n~~~\nAfter", "    # a\n\n    b\nAfter", None),
        ("a <!-- a note\nof ours --> b", "a  b", None),
    ],
)
def test_front_matter_fences_and_comments_are_no_text(text: str, left: str, title: str | None) -> None:
    found = read_markdown(text.encode())
    assert (found.text, found.title) == (left, title)


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


@pytest.mark.parametrize(
    ("text", "left", "title"),
    [
        ('+++\ntitle = "A: b"\n+++\nText', "Text", "A: b"),
        ("---\ntitle: a: b = c\n---\nText", "Text", "a: b = c"),
        ("---\nTitle:  Ours \n--- \nText", "Text", "Ours"),
        ("---\ntitle: Ours\n...\nText", "Text", "Ours"),
        ("---\ntitle: Ours\n---", "", "Ours"),
        ("---\ndate: 1\n---\n# Heading", "# Heading", "Heading"),
        ("---\nlast_change: 1\nde-title: no\n---\nText", "Text", None),
        # a list, a comment, a value on several lines
        ("---\ntags:\n- a\n  b\n\tc\n# d\n[e\n]\n\ntitle: x\n---\nText", "Text", "x"),
    ],
)
def test_front_matter_ends_at_its_second_line_and_may_name_the_title(text: str, left: str, title: str | None) -> None:
    found = read_markdown(text.encode())
    assert (found.text, found.title) == (left, title)


@pytest.mark.parametrize(
    "text",
    [
        "---\n---\ntitle: x",  # nothing is told
        "---\ntitle: x",  # no end
        "---\ntitle: x\n",
        "--- \ntitle: x\n---",
        "---\na b: c\n---\nText",  # not a name
        "---\n!: c\n---\nText",
        "+++\ntitle: x\n+++\nText",
        "---\ntitle = x\n---\nText",
        "---\ntitle: x\n +++\n...more\nText",
        "***\ntitle: x\n***\nText",
        "---\n" + "a: 1\n" * 200 + "---\nText",
    ],
)
def test_what_only_looks_like_front_matter_is_text(text: str) -> None:
    found = read_markdown(text.encode())
    assert (found.text, found.title) == (text, None)


def test_front_matter_has_200_lines_at_most() -> None:
    assert read_markdown(("---\n" + "a: 1\n" * 199 + "---\nText").encode()).text == "Text"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<!-- a --><!-- b -->c<!---->d", "cd"),
        ("a --> b <!-- c --> d --> e", "a --> b  d --> e"),
        ("a <!-- b", "a <!-- b"),
        ("a <!--> b --> c", "a  c"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("``` not `code` ```\n# a", "``` not `code` ```\n# a"),
        ("~~~ with `marks`\n# a\n~~~\nb", "    # a\nb"),
        ("```\na\n~~~\n``` b\n`````  \nc", "    a\nc"),
        ("   ```\na\n   ```\nb", "    a\nb"),
        ("    ```\na", "    ```\na"),
        ("```\na\n```\nb\n```\nc\n```", "    a\nb\n    c"),
        ("```\na", "    a"),
    ],
)
def test_comments_and_the_marks_around_code_are_left_out(text: str, left: str) -> None:
    assert read_markdown(text.encode()).text == left


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  # Returns #1\nx\ny", "Returns #1"),
        ("    # code", None),
        ("X# no heading", None),
        ("# X\n# Y", "X"),
        ("# XX", "XX"),
    ],
)
def test_a_heading_is_moved_in_by_three_blanks_at_most(text: str, title: str | None) -> None:
    assert read_markdown(text.encode()).title == title


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
    assert _table("sep=;;\n1;2;3") == ["# sep=", "1 | 2 | 3"]
    assert _table("sizes,a\n1,2") == ["sizes: 1\na: 2"]
    assert read_csv(b"sep=;").text == ""
    assert _table("sep=a\nxay\n1a2") == ["x: 1\ny: 2"]
    assert _table("sep=,\nsep=,,b\n1,2,3") == ["sep=: 1\ncolumn 2: 2\nb: 3"]


def test_blank_lines_before_a_table_are_no_row_of_names() -> None:
    assert _table("\n \t\nSize;Price\n\nS;5\n;\n") == ["Size: S\nPrice: 5"]


def test_cells_are_quoted_trimmed_and_put_on_one_line() -> None:
    assert _table('Size, "The\n note"\nS, "warm,\r\n  dry"') == ["Size: S\nThe note: warm, dry"]


def test_columns_without_a_name_are_numbered_and_long_names_cut() -> None:
    name = "n" * (NAME_CHARS + 1)
    assert _table(f"{name},,c\n1,2,3,4") == [f"{name[:-1]}: 1\ncolumn 2: 2\nc: 3\ncolumn 4: 4"]


def test_the_whole_file_decides_what_stands_between_cells() -> None:
    text = "\n".join(["Name, first;Price"] + ["Lee, Ann;1"] * 19 + ["Bob;2"] * 200)
    assert _table(text)[-1] == "Name, first: Bob\nPrice: 2"


def test_what_stands_above_a_table_is_its_heading() -> None:
    assert _table("Price list 2026;;\nvalid from May;;\n\nArt;Size;Price\nA;x;1,50\n") == [
        "# Price list 2026 – valid from May", "Art: A\nSize: x\nPrice: 1,50",
    ]  # fmt: skip


def test_a_first_row_of_figures_names_no_columns() -> None:
    assert _table("KX-1;Oil;12,90\nKX-2;Knife;31,00") == ["KX-1 | Oil | 12,90", "KX-2 | Knife | 31,00"]
    assert _table("Product,2023,2024\nShoe,1,2") == ["Product: Shoe\n2023: 1\n2024: 2"]


def test_a_quote_that_is_alone_means_inches() -> None:
    assert _table('Size;Price\n5" pipe;1\n"6 inch;2\n"7";3') == [
        'Size: 5" pipe\nPrice: 1', 'Size: "6 inch\nPrice: 2', 'Size: 7\nPrice: 3',
    ]  # fmt: skip


def test_a_backslash_escapes_a_quote_where_none_is_doubled() -> None:
    assert _table('a,b\n"say \\"yes\\", please",1') == ['a: say "yes", please\nb: 1']


def test_a_table_is_bounded_in_rows_columns_and_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    widest = ",".join("a" * COLUMNS_MAX)
    assert _table(f"{widest}\n1")[0] == "a: 1"
    assert _unreadable(f"{widest},a\n1") == f"more than {COLUMNS_MAX} columns: divide the table"
    assert _unreadable(f"a,b\n{'1' * (FIELD_MAX + 1)},2") == (
        f"not a valid table: field larger than field limit ({FIELD_MAX})"
    )
    monkeypatch.setattr(sheets, "ROWS_MAX", 2)
    assert _table("a\n1\n2") == ["a: 1", "a: 2"]
    assert _unreadable("a\n1\n2\n3") == "more than 2 rows: divide the table"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # doubled quotes are quotes, whatever backslashes do
        ('a,b\n"say ""yes"", please",C:\\"x', ['a: say "yes", please\nb: C:\\"x']),
        ('a,b\n"x \\"",1', ['a: x "\nb: 1']),
        # a cell of a quote, and one of two
        ('a;b\n";1\n"";2', ['a: "\nb: 1', "b: 2"]),
        # every comma stands in a number, and something else divides
        ("a|b,5\n1|2\n3,5|4", ["a: 1\nb,5: 2", "a: 3,5\nb,5: 4"]),
        ("1,5\n2,5", ["1 | 5", "2 | 5"]),
        # rows of one cell divide nothing
        ("a\nb;c\nd\ne,f\ng,h", ["# a – b;c – d", "e: g\nf: h"]),
        # not quoted to the end
        ('a,b\n"1,2\n3,4', ['a: "1\nb: 2', "a: 3\nb: 4"]),
        # as good with quotes as without: the quotes are quotes
        ('a,b\n"1",2"\n"3",4', ['a: 1\nb: 2"', "a: 3\nb: 4"]),
        ("sep=\n1,2", ["# sep=", "1 | 2"]),
        ("\nsep=;\n1;2", ["# sep=", "1 | 2"]),
    ],
)
def test_quotes_and_commas_mean_what_makes_the_rows_alike(text: str, rows: list[str]) -> None:
    assert _table(text) == rows


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_text_in_utf_16_without_its_mark_is_read_by_its_blanks_and_figures(encoding: str) -> None:
    text = "Доставка занимает 2 дня.\nПо субботам тоже."
    assert text_of(text.encode(encoding)).text.strip() == text


@pytest.mark.parametrize("raw", [bytes(99), b"ab\0\0cd" * 9, "Один два три".encode("utf-16-le") + b"a"])
def test_a_file_of_many_nul_bytes_is_no_text(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="no text"):
        text_of(raw)
