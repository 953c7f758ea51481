"""Word documents, read in this process."""

from __future__ import annotations

import io
import zipfile

import pytest

from shared.knowledge.extract import package
from shared.knowledge.extract.base import Unreadable
from shared.knowledge.extract.docx import read
from tests.unit.test_extract import docx, paragraph


def _said(raw: bytes) -> str:
    with pytest.raises(Unreadable) as error:
        read(raw)
    return str(error.value)


def _text(body: str) -> str:
    return read(docx(body)).text


def _packed(compression: int, name: str = "word/document.xml") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(name, "<document/>")
    return file.getvalue()


def test_a_file_that_is_no_word_document_is_refused_in_words() -> None:
    assert _said(b"PK\x03\x04") == "not a valid Word document (BadZipFile): save it as .docx"
    assert _said(_packed(zipfile.ZIP_STORED, "other.xml")) == "not a valid Word document (KeyError): save it as .docx"
    assert _said(_packed(zipfile.ZIP_BZIP2)) == ("not a valid Word document (compressed in another way): save it anew")
    assert _said(docx("\n<w:p>")) == "not a valid Word document (its XML is broken at line 2)"
    assert read(_packed(zipfile.ZIP_STORED)).text == read(_packed(zipfile.ZIP_DEFLATED)).text == ""


def test_a_document_is_bounded_by_what_it_unfolds_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "_READ", 7)  # read in several pieces
    raw = docx(paragraph("a" * 500))
    size = len(zipfile.ZipFile(io.BytesIO(raw)).read("word/document.xml"))
    monkeypatch.setattr(package, "UNPACKED_MAX", size)
    assert read(raw).text == "a" * 500
    monkeypatch.setattr(package, "UNPACKED_MAX", size - 1)
    assert _said(raw) == "the document unfolds to more than we read"


def test_a_paragraph_is_joined_from_its_runs_and_nothing_else_in_it_is_text() -> None:
    runs = (
        "<w:r><w:t> We </w:t><w:instrText>PAGE</w:instrText><w:t>open</w:t><w:tab/><w:t>at</w:t><w:br/>"
        "<w:t>nine </w:t></w:r>"
    )
    assert _text(f"before<w:p>{runs}</w:p>between<w:p><w:r><w:t/></w:r></w:p>") == "We open at\nnine"


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("Heading1", "# Our returns"), ("berschrift3", "### Our returns"), ("Titre 2", "## Our returns"),
        ("heading9", "###### Our returns"), ("BodyText", "Our\nreturns"), ("x" * 100 + "Heading1", "Our\nreturns"),
    ],
)  # fmt: skip
def test_a_heading_is_told_by_its_style_and_stands_on_one_line(style: str, text: str) -> None:
    assert _text(paragraph("Our</w:t><w:br/><w:t>returns", style)) == text


def test_a_style_and_a_list_are_a_paragraph_s_own() -> None:
    numbered = "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>".format
    body = paragraph("Returns", "Heading1") + numbered("shoes") + paragraph("Thirty days.")
    assert _text(body) == "# Returns\n\n- shoes\n\nThirty days."
    nameless = "<w:p><w:pPr><w:pStyle/></w:pPr><w:r><w:t>plain</w:t></w:r></w:p>"
    assert _text(nameless) == "plain"


def test_the_first_title_is_the_document_s_and_no_part_of_its_text() -> None:
    found = read(docx(paragraph("The handbook", "Titel") + paragraph("Part two", "TITLE") + paragraph("Text")))
    assert (found.title, found.text) == ("The handbook", "Text")
    assert read(docx(paragraph("Text"))).title is None


def test_a_table_with_one_inside_of_it_only_puts_text_beside_text() -> None:
    def row(*cells: str) -> str:
        return f"<w:tr>{''.join(f'<w:tc>{cell}</w:tc>' for cell in cells)}</w:tr>"

    inner = f"<w:tbl>{row(paragraph('c'), paragraph('d'))}</w:tbl>"
    two_lines = paragraph("a</w:t><w:br/><w:t>b")
    assert _text(f"<w:tbl>{row(two_lines, inner, paragraph('e'))}{row(paragraph('|'), paragraph(' '))}</w:tbl>") == (
        "a\nb\n\nc | d\n\ne\n\n|"
    )
