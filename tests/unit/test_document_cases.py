"""Inputs like those that people reported, each with the values that have to come of it; and the cases beside the
project, where they are."""

from __future__ import annotations

import io
import zipfile
from datetime import date, time
from pathlib import Path

import openpyxl
import pytest

from shared.knowledge.extract import Parsed, Unreadable, format_of
from tasks.knowledge import imports
from tests.unit.reading_documents import document_of
from tests.unit.test_extract import W, docx, paragraph

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "documents"


def read(name: str, raw: bytes) -> Parsed:
    kind = format_of(name)
    assert kind is not None
    return document_of(kind, raw)


def page(body: str, head: str = "") -> str:
    return read("a.html", f"<html><head>{head}</head><body>{body}</body></html>".encode()).text


def packed(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


# ------------------------------------------------------------------ Word


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{text}</w:tc>"


def test_a_word_table_keeps_empty_and_merged_cells_and_several_paragraphs_in_their_columns() -> None:
    empty, p = "<w:p/>", paragraph
    table = "".join(f"<w:tr>{row}</w:tr>" for row in (
        cell(p("Country")) + cell(p("Standard")) + cell(p("Express")),
        cell(p("Norvania"), '<w:vMerge w:val="restart"/>') + cell(empty) + cell(p("19 EUR") + p("from 2 kg")),
        cell(empty, "<w:vMerge/>") + cell(p("6 EUR"), '<w:gridSpan w:val="2"/>'),
    ))  # fmt: skip
    assert read("a.docx", docx(f"<w:tbl>{table}</w:tbl>")).text == (
        "| Country | Standard | Express |\n| --- | --- | --- |\n| Norvania |  | 19 EUR; from 2 kg |\n"
        "| Norvania | 6 EUR | 6 EUR |"
    )


def test_a_word_document_in_another_language_has_its_headings_and_notes_and_each_box_once() -> None:
    styles = (
        f'<w:styles {W}><w:style w:styleId="Nagwek1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr>'
        '</w:style><w:style w:styleId="Moj"><w:basedOn w:val="Nagwek1"/></w:style></w:styles>'
    )
    box = "<w:txbxContent><w:p><w:r><w:t>Keep cool.</w:t></w:r></w:p></w:txbxContent>"
    body = (
        paragraph("Zwroty", "Moj")
        + "<w:p><w:r><w:t>Code AB</w:t><w:noBreakHyphen/><w:t>7713</w:t><w:cr/><w:t>10</w:t></w:r><w:r><w:rPr>"
        '<w:vertAlign w:val="superscript"/></w:rPr><w:t>2</w:t></w:r><w:r><w:footnoteReference w:id="1"/></w:r>'
        "<w:r><w:rPr><w:strike/></w:rPr><w:t> 99 EUR</w:t></w:r><w:del><w:r><w:t>gone</w:t></w:r></w:del>"
        f"<w:r><w:AlternateContent><w:Choice>{box}</w:Choice><w:Fallback>{box}</w:Fallback></w:AlternateContent></w:r></w:p>"
    )
    raw = packed(**{
        "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>", "word/styles.xml": styles,
        "word/footnotes.xml": f'<w:footnotes {W}><w:footnote w:id="1">{paragraph("Not for cards.")}</w:footnote></w:footnotes>',
    })  # fmt: skip
    assert read("a.docx", raw).text == "# Zwroty\n\nCode AB-7713\n10² (Not for cards.)\n\nKeep cool."


# ------------------------------------------------------------------ pages


def test_forms_buttons_asides_and_what_is_folded_in_are_content() -> None:
    assert page(
        '<form><input type="hidden" name="x" value="y"><h1>Shipping</h1><p>4 days.</p></form><h2><button>Pay later?</button>'
        "</h2><div hidden><p>Companies only.</p></div><aside><p>Never above 6 bar.</p></aside>"
        "<details><summary>Lamps?</summary>Ten years.</details>"
    ) == (
        "# Shipping\n\n4 days.\n\n## Pay later?\n\nCompanies only.\n\nNever above 6 bar.\n\nLamps?\n\nTen years."
    )  # fmt: skip


def test_menus_and_cookie_banners_are_not_content_and_a_section_about_cookies_is() -> None:
    links = "<ul>" + "".join(f'<li><a href="/{n}">Part {n}</a></li>' for n in range(9)) + "</ul>"
    banner = "<p>We use cookies to improve the site.</p><button>Accept all</button>"
    assert page(
        f'<div class="main-menu">{links}</div><div id="cookie-banner">{banner}</div><div class="x7">{banner}</div>'
        '<section id="cookies"><h2>Cookies</h2><p>We keep one cookie for the basket, for a week. It holds no name and no '
        "address, and nobody else reads it.</p></section>"
    ).startswith("## Cookies\n\nWe keep one cookie")  # fmt: skip


def test_what_is_not_closed_ends_where_a_browser_ends_it() -> None:
    assert page("<nav><a href=/>Home</a><h1>Prices</h1><p>" + "The pump costs 218.50. " * 12).count("218.50") == 12
    assert page("<table><tr><td>Pool<td><td>4<tr><td>Sauna<td>9<td></table>") == (
        "| Pool |  | 4 |\n| --- | --- | --- |\n| Sauna | 9 |  |"
    )
    unended = read("a.html", b"<title>Prices<body><p>The pump costs 218.50.</p>")
    assert (unended.title, unended.text) == ("Prices", "The pump costs 218.50.")


def test_a_page_s_table_keeps_spans_captions_and_groups() -> None:
    assert page(
        "<table><caption>Rates</caption><tr><th rowspan=2>Zone<th colspan=2>Price<tr><th>Summer<th>Winter<tr><td>A<td>1<td>2"
        "<tr><td colspan=3>Islands<tr><td>B<td rowspan=2>7<td>8<tr><td>C<td>9</table>"
    ) == (
        "Rates\n| Zone | Price / Summer | Price / Winter |\n| --- | --- | --- |\n| A | 1 | 2 |\n\n"
        "Rates – Islands\n| Zone | Price / Summer | Price / Winter |\n| --- | --- | --- |\n| B | 7 | 8 |\n| C | 7 | 9 |"
    )  # fmt: skip


@pytest.mark.parametrize(("label", "text"), [("iso-8859-1", "49 € – d’été"), ("latin5", "ığş €"), ("shift_jis", "①円")])
def test_labels_of_encodings_mean_what_they_mean_to_browsers(label: str, text: str) -> None:
    encoding = {"iso-8859-1": "cp1252", "latin5": "cp1254", "shift_jis": "cp932"}[label]
    raw = f'<meta http-equiv="Content-Type" content="text/html; charset={label}"><p>{text}'.encode(encoding)
    assert read("a.html", raw).text == text


def test_what_a_page_is_sent_with_wins_over_what_it_says_of_itself() -> None:
    raw = '<meta charset="iso-8859-1"><p>Łódź'.encode("iso-8859-2")
    assert imports.read("about.php", "text/html; charset=ISO-8859-2", raw).text == "Łódź"


def test_prices_that_were_and_marks_of_notes_do_not_become_figures() -> None:
    assert page("<p><del>99</del> 79 EUR<sup>1</sup></p>") == "79 EUR¹"


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("a.html", b"<body><div id=root></div><script src=a.js></script>", "script"),
        ("a.html", b"<body><p>Loading</p><script>" + b"x = 1;" * 500 + b"</script>", "scripts"),
        ("a.md", b"---\ntitle: x\n---\n", "no text"),
        ("a.docx", docx("<w:p/>"), "no text"),
        ("a.txt", "Часы работы".encode("cp1251"), "UTF-8"),
        ("a.csv", b";;\n;;\n", "no text"),
    ],
)
def test_what_comes_out_empty_fails_with_the_reason(name: str, raw: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read(name, raw)


# ------------------------------------------------------------------ workbooks, slides, open documents, books


def test_a_workbook_s_values_are_those_that_it_shows() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Prices"
    for row in (["Price list"], ["Art", "Name", "Price", "VAT", "From"], [42, "Oil", 12.9, 0.19, date(2026, 5, 1)],
                [7, "Knife", None, 0.07, None]):  # fmt: skip
        sheet.append(row)
    sheet.merge_cells("A1:E1")
    for place in (3, 4):
        sheet.cell(place, 1).number_format, sheet.cell(place, 3).number_format = "0000", '#,##0.00 "EUR"'
        sheet.cell(place, 4).number_format = "0%"
    hours = book.create_sheet("Hours")
    for row in (["Day", "Opens"], ["Monday", time(9, 30)]):
        hours.append(row)
    hours["B2"].number_format = "h:mm"
    hidden = book.create_sheet("Costs")
    hidden.append(["secret"])
    hidden.sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)

    assert read("a.xlsx", file.getvalue()).text == (
        "# Prices\n\n## Price list\n\nArt: 0042\nName: Oil\nPrice: 12.90 EUR\nVAT: 19%\nFrom: 2026-05-01\n\n"
        "Art: 0007\nName: Knife\nVAT: 7%\n\n# Hours\n\nDay: Monday\nOpens: 09:30"
    )

    sheet["F3"] = "=C3*2"
    file = io.BytesIO()
    book.save(file)
    with pytest.raises(Unreadable, match="formulas without their results"):
        read("a.xlsx", file.getvalue())


def test_slides_come_in_their_order_with_titles_lists_and_tables() -> None:
    def slide(title: str, rest: str, show: str = "") -> str:
        shape = f'<p:sp><p:nvPr><p:ph type="title"/></p:nvPr><p:txBody><a:p><a:r><a:t>{title}</a:t></a:r></a:p></p:txBody></p:sp>'
        return f"<p:sld {show}><p:cSld><p:spTree>{shape}{rest}</p:spTree></p:cSld></p:sld>"

    def texts(tag: str, *lines: str) -> str:
        return f"<{tag}>" + "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines) + f"</{tag}>"

    body = f'<p:sp><p:nvPr><p:ph idx="1"/></p:nvPr>{texts("p:txBody", "Nine days", "No fee")}</p:sp>'
    cells = [[f"<a:tc>{texts('a:txBody', one)}</a:tc>" for one in row] for row in (("Size", "Price"), ("S", "5"))]
    rows = "".join(f"<a:tr>{''.join(row)}</a:tr>" for row in cells)
    table = f"<p:graphicFrame><a:tbl>{rows}</a:tbl></p:graphicFrame>"
    ids = "".join(f'<p:sldId id="{n}" r:id="r{n}"/>' for n in (2, 1, 3))
    relations = "".join(f'<Relationship Id="r{n}" Type="x/slide" Target="slides/slide{n}.xml"/>' for n in (1, 2, 3))
    raw = packed(**{
        "ppt/presentation.xml": f"<p:presentation><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": f"<Relationships>{relations}</Relationships>",
        "ppt/slides/slide1.xml": slide("Prices", table), "ppt/slides/slide2.xml": slide("Refunds", body),
        "ppt/slides/slide3.xml": slide("Secret", body, 'show="0"'),
    })  # fmt: skip
    found = read("a.pptx", raw)
    assert (found.title, found.text) == (
        "Refunds", "## Refunds\n\n- Nine days\n- No fee\n\n## Prices\n\n| Size | Price |\n| --- | --- |\n| S | 5 |",
    )  # fmt: skip


def odf(body: str) -> bytes:
    return packed(
        **{"content.xml": f"<office:document-content><office:body>{body}</office:body></office:document-content>"}
    )


def test_an_open_document_keeps_headings_lists_notes_and_tables() -> None:
    one = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>".format
    table = (
        f"<table:table><table:table-header-rows><table:table-row>{one('', 'Zone')}{one('', 'Summer')}{one('', 'Winter')}"
        f"</table:table-row></table:table-header-rows><table:table-row>{one('', 'A')}"
        f"<table:table-cell/>{one('', '9')}</table:table-row></table:table>"
    )
    found = read("a.odt", odf(
        '<office:text><text:h text:outline-level="2">Returns</text:h><text:p>Within<text:s text:c="2"/>30 days'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Not cards.</text:p></text:note-body>"
        f"</text:note></text:p><text:list><text:list-item><text:p>shoes</text:p></text:list-item></text:list>{table}</office:text>"
    ))  # fmt: skip
    assert found.text == (
        "## Returns\n\nWithin  30 days (Not cards.)\n\n- shoes\n\n| Zone | Summer | Winter |\n| --- | --- | --- |\n| A |  | 9 |"
    )
    sheet = (
        f'<office:spreadsheet><table:table table:name="P"><table:table-row>{one("", "Art")}{one("", "VAT")}</table:table-row>'
        f"<table:table-row>{one('', 'Oil')}{one('', '19 %')}</table:table-row>"
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/>'
        "</table:table-row></table:table></office:spreadsheet>"
    )
    assert read("a.ods", odf(sheet)).text == "Art: Oil\nVAT: 19 %"


def test_a_book_is_read_in_the_order_of_its_spine() -> None:
    raw = packed(**{
        "META-INF/container.xml": '<container><rootfile full-path="b/p.opf"/></container>',
        "b/p.opf": '<package><dc:title>Handbook</dc:title><item id="a" href="a%201.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="b" href="b.xhtml" media-type="application/xhtml+xml"/><itemref idref="b"/><itemref idref="a"/></package>',
        "b/a 1.xhtml": "<html><body><h1>Two</h1><p>Ten days.</p></body></html>",
        "b/b.xhtml": "<html><body><h1>One</h1><p>Nine days.</p></body></html>",
    })  # fmt: skip
    found = read("a.epub", raw)
    assert (found.title, found.text) == ("Handbook", "# One\n\nNine days.\n\n# Two\n\nTen days.")


@pytest.mark.parametrize(
    "raw",
    [
        packed(**{"ppt/presentation.xml": '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'}),
        packed(**{"ppt/presentation.xml": "<a>" * 1_000 + "</a>" * 1_000}),
        packed(**{"ppt/presentation.xml": "x" * 61_000_000}),
        b"PK\x03\x04",
    ],
)
def test_an_archive_that_means_harm_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable, match=r"entities|deeply|unfolds|not a valid"):
        read("a.pptx", raw)


def test_a_span_of_a_billion_columns_is_refused() -> None:
    row = cell(paragraph("a"), '<w:gridSpan w:val="1000000000"/>') + cell(paragraph("b"))
    with pytest.raises(Unreadable, match="columns"):
        read("a.docx", docx(f"<w:tbl><w:tr>{row}</w:tr></w:tbl>"))


# ------------------------------------------------------------------ the cases beside the project

EXPECTED = {
    "docx/empty_cells.docx": ("| Norvania |  | 19 EUR |", "| Sudlandia | 6 EUR |  |"),
    "docx/localised_heading.docx": ("# Zwroty towarów\n\nMasz 21 dni", "# Reklamacje\n\nOdpowiadamy"),
    "docx/special_runs.docx": (
        "AB-7713",
        "First line\nsecond line",
        "Not valid for gift cards.",
        "keep below 40 degrees",
    ),
    "html/aspnet.html": ("Parcels to Ostria take 4 working days.",),
    "html/accordion.html": (
        "## Can I pay by invoice?\n\nOnly registered",
        "## Do you repair old lamps?\n\nYes, for ten",
    ),
    "html/aside_note.html": ("Never open the valve above 6 bar.",),
    "html/empty_lead.html": ("| Pool | 06-22 |  |", "| Sauna |  | 10-21 |", "|  | Summer | Winter |"),
    "html/latin1_euro.html": ("coûte 49 € par mois – c’est « tout compris »",),
    "html/softhyphen.html": ("Die Rückgabefrist beträgt siebzehn Tage.", "QX-4471", "Zusatzversicherung"),
    "csv/export_sep.csv": ("Article: QR-5510\nStock: 14\nPrice: 7,25",),
    "csv/preise_bom.csv": (
        "Artikel: KX-1187\nBezeichnung: Kettenöl, 1 Liter\nPreis: 12,90",
        'Messer "Profi", rostfrei',
    ),
    "csv/cp1252.csv": ("Artikel: Bürste\nPreis: 5,00 €",),
    "md/fence4.md": ("Refunds take nine days.", "Gift wrap costs 2 EUR.", "code"),
    "md/front_matter.md": ("The depot opens at 06:45.",),
    "uni/nfd.md": ("Die Gebühr für übergroße Möbel",),
    "uni/ligature_control.md": ("final refill of the flask is confirmed by the officer",),
}


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
@pytest.mark.parametrize("name", EXPECTED)
def test_the_cases_come_out_as_they_are_expected(name: str) -> None:
    found = read(name, (CASES / name).read_bytes())
    assert [each for each in EXPECTED[name] if each not in found.text] == []
    assert not [each for each in ("sep=", "title:", "```", "````", "\u00ad", "\u200b") if each in found.text]
    assert found.text.count("Boxed note") <= 1


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
def test_every_chunk_of_the_long_table_says_its_columns() -> None:
    chunks = read("a.docx", (CASES / "docx/long_table.docx").read_bytes()).chunks
    assert len(chunks) > 2
    assert all("| Model | Battery life | Warranty |" in chunk.text for chunk in chunks)
