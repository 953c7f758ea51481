"""Charts, speaker notes, headers and footers: what office documents say beside their text."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference, ScatterChart, Series

from tests.unit.reading_documents import document_of
from tests.unit.test_extract import W, paragraph

R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
VALUES = '<pt idx="0"><v>0.19</v></pt><pt idx="1"><v>0.5</v></pt>'
LABELS = '<pt idx="0"><v>North</v></pt><pt idx="1"><v>South</v></pt>'
NORTH_SOUTH = (
    "Share by region\n| Category | 2024 | 2025 |\n| --- | --- | --- |\n| North | 19% | 20% |\n| South | 50% |  |"
)


def text(name: str, raw: bytes) -> str:
    return document_of(name, raw).text


def packed(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def related(**targets: str) -> str:
    """Relations by their ids, each `kind target`."""
    told = (f'<Relationship Id="{id_}" Type="{R}/{said.split()[0]}" Target="{said.split()[1]}"/>'
            for id_, said in targets.items())  # fmt: skip
    return f"<Relationships>{''.join(told)}</Relationships>"


def series(name: str, labels: str, values: str, form: str = "0%") -> str:
    said = f"<tx><strRef><strCache><pt idx='0'><v>{name}</v></pt></strCache></strRef></tx><cat>{labels}</cat>"
    return f"<ser>{said}<val><numRef><numCache><formatCode>{form}</formatCode>{values}</numCache></numRef></val></ser>"


def drawn(*of: str, title: str = "Share by region") -> str:
    said = f"<title><tx><rich><p><r><t>{title}</t></r></p></rich></tx></title>"
    return f"<chartSpace><chart>{said}<plotArea><barChart>{''.join(of)}</barChart></plotArea></chart></chartSpace>"


TWO = drawn(series("2024", LABELS, VALUES), series("2025", LABELS, '<pt idx="0"><v>0.2</v></pt>'))


def word(body: str, **more: str) -> bytes:
    return packed(**{"word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>", **more})


def test_a_chart_of_a_word_document_is_a_table_where_it_stands() -> None:
    drawing = '<w:p><w:r><w:drawing><c:chart r:id="rId4"/></w:drawing></w:r></w:p>'
    raw = word(paragraph("Before.") + drawing + paragraph("After."), **{
        "word/_rels/document.xml.rels": related(rId4="chart charts/chart1.xml"), "word/charts/chart1.xml": TWO,
    })  # fmt: skip
    assert text("docx", raw) == f"Before.\n\n{NORTH_SOUTH}\n\nAfter."


def test_a_slide_has_its_chart_and_what_the_speaker_noted() -> None:
    slide = ("<sld><cSld><spTree><graphicFrame><graphic><chart r:id='rId2'/></graphic></graphicFrame></spTree></cSld>"
             "</sld>")  # fmt: skip
    note = "<p><r><t>South doubled.</t></r></p><p><r><t>Then pause.</t></r></p>"
    notes = (
        "<notes><cSld><spTree><sp><nvPr><ph type='body'/></nvPr><txBody>"
        f"{note}</txBody></sp><sp><nvPr><ph type='sldNum'/></nvPr><txBody><p><r><t>7</t></r></p></txBody></sp>"
        "</spTree></cSld></notes>"
    )
    raw = packed(**{
        "ppt/presentation.xml": "<presentation/>", "ppt/slides/slide1.xml": slide, "ppt/charts/chart1.xml": TWO,
        "ppt/slides/_rels/slide1.xml.rels": related(rId2="chart ../charts/chart1.xml",
                                                    rId3="notesSlide ../notesSlides/notesSlide1.xml"),
        "ppt/notesSlides/notesSlide1.xml": notes,
    })  # fmt: skip
    assert text("pptx", raw) == f"{NORTH_SOUTH}\n\nSpeaker notes: South doubled.\nThen pause."


@pytest.mark.parametrize(
    ("chart", "expected"),
    [
        (drawn(title="Only a title"), "Only a title"),
        (
            drawn(series("A", LABELS, VALUES, "General"), series("B", '<pt idx="0"><v>East</v></pt>', VALUES, "0.00"),
                  title="T"),
            "T\n| Category | A |\n| --- | --- |\n| North | 0.19 |\n| South | 0.5 |\n\n"
            "T\n| Category | B |\n| --- | --- |\n| East | 0.19 |\n| 2 | 0.50 |",
        ),
        (
            drawn(series("A", "<lvl><pt idx='0'><v>Q1</v></pt><pt idx='1'><v>Q2</v></pt></lvl>"
                         "<lvl><pt idx='0'><v>2024</v></pt></lvl>", VALUES), title=""),
            "| Category | A |\n| --- | --- |\n| 2024 Q1 | 19% |\n| 2024 Q2 | 50% |",
        ),
    ],
)  # fmt: skip
def test_series_share_a_table_only_where_they_share_their_categories(chart: str, expected: str) -> None:
    drawing = '<w:p><w:r><w:drawing><c:chart r:id="rId4"/></w:drawing></w:r></w:p>'
    raw = word(drawing, **{
        "word/_rels/document.xml.rels": related(rId4="chart charts/chart1.xml"), "word/charts/chart1.xml": chart,
    })  # fmt: skip
    assert text("docx", raw) == expected


def test_a_workbook_s_charts_without_stored_values_are_their_titles() -> None:
    """openpyxl stores no values in a chart; Excel does when it saves."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Month", "Sold"], ["May", 5], ["June", 7]):
        sheet.append(row)
    bars = BarChart()
    bars.title = "Sold bikes"
    bars.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(bars, "D2")
    dots = ScatterChart()
    dots.series.append(Series(Reference(sheet, min_col=2, min_row=2, max_row=3), title="x"))
    sheet.add_chart(dots, "D20")
    file = io.BytesIO()
    book.save(file)
    assert text("xlsx", file.getvalue()) == "Month: May\nSold: 5\n\nMonth: June\nSold: 7\n\nSold bikes"


def test_headers_and_footers_are_told_once_and_without_the_numbers_of_pages() -> None:
    def field(instruction: str, result: str) -> str:
        return (f'<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> {instruction} </w:instrText></w:r>'
                f'<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{result}</w:t></w:r>'
                '<w:r><w:fldChar w:fldCharType="end"/></w:r>')  # fmt: skip

    def run(said: str) -> str:
        return f'<w:r><w:t xml:space="preserve">{said}</w:t></w:r>'

    header = f"<w:hdr {W}>{paragraph('ACME GmbH, terms of delivery 3.2')}</w:hdr>"
    numbers = f"<w:p>{run('Page ')}{field('PAGE', '3')}{run(' of ')}{field('NUMPAGES', '5')}</w:p>"
    kept = f"<w:p>{run('Valid from May 2024, sheet ')}{field('PAGE', '3')}</w:p>"
    raw = word(paragraph("We deliver within two days."), **{
        "word/_rels/document.xml.rels": related(rId1="header header1.xml", rId2="header header2.xml",
                                                rId3="footer footer1.xml"),
        "word/header1.xml": header, "word/header2.xml": header,
        "word/footer1.xml": f"<w:ftr {W}>{numbers}{kept}</w:ftr>",
        "word/comments.xml": f"<w:comments {W}>{paragraph('Ask legal!')}</w:comments>",
    })  # fmt: skip
    assert text("docx", raw) == (
        "We deliver within two days.\n\nACME GmbH, terms of delivery 3.2\n\nValid from May 2024, sheet"
    )
