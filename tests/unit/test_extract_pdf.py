"""Tables of PDF pages: each value in its cell where the page leaves no doubt, lines everywhere else."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from random import Random

import pytest

from shared.knowledge.extract import pdf as module
from shared.knowledge.extract import pdf_tables, read_document
from shared.knowledge.extract.pdf_drawn import Rules

XS = (60, 200, 300)
PRICES = [("Item", "Stock", "Price"), ("Bell", "", "218,50"), ("Lamp", "9", "7,00"), ("Pump", "1", "")]
TABLE = "| Item | Stock | Price |\n| --- | --- | --- |\n| Bell |  | 218,50 |\n| Lamp | 9 | 7,00 |\n| Pump | 1 |  |"


def page_of(content: str) -> bytes:
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    fonts = DictionaryObject({
        NameObject(f"/{name}"): DictionaryObject({
            NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject(f"/{font}"),
        }) for name, font in (("F1", "Helvetica"), ("F2", "Helvetica-Bold"))
    })  # fmt: skip
    page = writer.add_blank_page(600, 800)
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(content.encode("latin-1"))
    page[NameObject("/Contents")] = writer._add_object(stream)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def at(x: float, y: float, text: str, font: str = "F1") -> str:
    return f"BT /{font} 10 Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET\n" if text else ""


def lined(rows: Iterable[Sequence[str]], top: int = 700, pitch: int = 14, head: str = "F1") -> str:
    return "".join(
        at(x, top - number * pitch, text, "F1" if number else head)
        for number, row in enumerate(rows) for x, text in zip(XS, row, strict=False)
    )  # fmt: skip


def rule(y: float, left: float = 50, right: float = 400) -> str:
    return f"{left} {y} m {right} {y} l S\n"


def text(content: str) -> str:
    return read_document("pdf", page_of(content), title=None, name="file").text


def test_aligned_columns_are_a_table_with_empty_cells_empty() -> None:
    around = at(60, 730, "What our parts cost in this year and in the next one, to all who buy them here.")
    assert text(around + lined(PRICES) + at(60, 600, "Prices include VAT.")) == (
        "What our parts cost in this year and in the next one, to all who buy them here.\n"
        f"{TABLE}\n\nPrices include VAT."
    )


def test_a_table_drawn_as_one_text_is_the_same() -> None:
    moves, here = [], (0, 0)
    for number, row in enumerate(PRICES):
        for x, said in zip(XS, row, strict=True):
            if said:
                moves.append(f"{x - here[0]} {700 - 14 * number - here[1]} Td ({said}) Tj")
                here = (x, 700 - 14 * number)
    assert text(f"BT /F1 10 Tf {' '.join(moves)} ET") == TABLE


def test_a_cell_of_several_lines_is_one_where_rules_divide_the_rows() -> None:
    content = at(60, 700, "Part") + at(200, 700, "Use") + at(300, 700, "Price") + rule(695)
    content += at(60, 680, "A-1") + at(200, 680, "City and") + at(200, 668, "tours") + at(300, 680, "5") + rule(660)
    content += at(60, 645, "A-2") + at(200, 645, "Racing") + at(300, 645, "7") + rule(640)
    assert (
        text(content)
        == "| Part | Use | Price |\n| --- | --- | --- |\n| A-1 | City and tours | 5 |\n| A-2 | Racing | 7 |"
    )


def test_a_last_column_goes_on_where_its_lines_are_closer_than_the_rows() -> None:
    content = lined([("Part", "Price", "Use")], 700, head="F2")
    content += lined([("A-1", "5", "City"), ("", "", "and tours")], 680, 11)
    content += lined([("A-2", "7", "Racing")], 649) + lined([("A-3", "9", "Gravel")], 629)
    assert text(content) == (
        "| Part | Price | Use |\n| --- | --- | --- |\n| A-1 | 5 | City and tours |\n| A-2 | 7 | Racing |\n"
        "| A-3 | 9 | Gravel |"
    )


LOREM = ["Lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing"]


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ("".join(
            at(x, 700 - 14 * n, said) for x, column in zip(XS, zip(*PRICES[:3], strict=True), strict=True)
            for n, said in enumerate(column)), "Item\nBell\nLamp"),  # column by column
        ("".join(at(60 + 240 * c, 700 - 12 * n, " ".join(LOREM[:6])) for n in range(9) for c in (0, 1)), LOREM[0]),
        (lined([("1.", "Open the box"), ("2.", "Charge it"), ("3.", "Ride")]), "Charge it"),
        ("".join(at(60, 700 - 14 * n, f"Chapter {n} ...................") + at(300, 700 - 14 * n, str(9 * n + 2))
                 for n in range(4)), "Chapter 2 ..................."),
        (at(60, 700, "One line") + at(300, 700, "and something beside it"), "One line"),
        (lined([*PRICES[:2], ("Lamp", "9", "7,00 with a"), ("", "", "longer remark")]), "longer remark"),
    ],
    ids=["by_column", "prose", "list", "contents", "one_line", "unclear_continuation"],
)  # fmt: skip
def test_what_may_be_no_table_is_none(content: str, left: str) -> None:
    found = text(content)
    assert "| --- |" not in found
    assert left in found


def test_rows_without_a_header_are_lines_with_bars() -> None:
    assert text(lined([("City", "Berlin 10115"), ("Phone", "030 1234"), ("Fax", "030 1235")])) == (
        "City | Berlin 10115\nPhone | 030 1234\nFax | 030 1235"
    )


def test_a_title_over_several_columns_stays_above_the_table() -> None:
    assert text(at(60, 714, "Prices of all the parts that we have on stock now") + lined(PRICES)) == (
        f"Prices of all the parts that we have on stock now\n{TABLE}"
    )


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_drawn_no_character_is_lost_or_moved_to_another_line_of_its_row(seed: int) -> None:
    """Words at places of chance, in an order of chance: the characters stay, and in their order."""
    random = Random(seed)
    words = [(random.choice(XS), 700 - 12 * random.randrange(8), f"w{n}{random.choice(('', ' 5', '.'))}")
             for n in range(30)]  # fmt: skip
    content = "".join(at(*word, random.choice(("F1", "F2"))) for word in words)
    content += "".join(rule(700 - 12 * random.randrange(9) - 3) for _ in range(random.randrange(5)))

    def plain(written: str) -> str:
        return "".join(written.replace("| --- ", "").replace("|", "").split())

    from pypdf import PdfReader

    said = PdfReader(io.BytesIO(page_of(content))).pages[0].extract_text()
    assert plain(text(content)) == plain(said)


def test_a_page_that_the_layout_does_not_understand_keeps_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> str:
        raise KeyError("font")

    monkeypatch.setattr(pdf_tables, "with_tables", stumble)
    assert "218,50" in module.read(page_of(lined(PRICES))).text


def test_lines_are_those_that_are_painted() -> None:
    rules = Rules()
    identity = [2.0, 0, 0, 2.0, 10, 0]
    drawn: list[tuple[bytes, list[float]]] = [
        (b"m", [0, 5]), (b"l", [100, 5]), (b"S", []), (b"re", [0, 20, 50, 30]), (b"n", []), (b"re", [0, 20, 50, 30]),
        (b"f", []), (b"m", [0, 0]), (b"l", [0, 90]), (b"S", []), (b"re", [1]),
    ]  # fmt: skip
    for operator, operands in drawn:
        rules.visit(operator, operands, identity, identity)
    assert [(one.y, one.left, one.right) for one in rules.found] == [(10, 10, 210), (40, 10, 110), (100, 10, 110)]
