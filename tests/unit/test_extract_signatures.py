"""Files whose names say something else than they are, that are empty or have a password: the reason says what to do."""

from __future__ import annotations

import io

import openpyxl
import pytest

from shared.knowledge.extract import Unreadable, read_document
from tests.unit.test_extract import docx, paragraph, pdf


def workbook() -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.active["A1"] = "value"
    book.save(file)
    return file.getvalue()


def with_password() -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("Hello"))))
    writer.encrypt("secret", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
PAGE = b"\xef\xbb\xbf\n<HTML><table><tr><td>a</td></tr></table></HTML>"


@pytest.mark.parametrize(
    ("kind", "raw", "reason"),
    [
        ("docx", pdf("Hello"), "the file is a PDF: give it the ending .pdf"),
        ("text", pdf("Hello"), "the file is a PDF"),
        ("xlsx", docx(paragraph("Hello")), "the file is a Word document: give it the ending .docx"),
        ("csv", workbook(), "the file is an Excel workbook: give it the ending .xlsx"),
        ("pdf", workbook(), "the file is an Excel workbook"),
        ("docx", PAGE, "the file is a web page: give it the ending .html"),
        ("xlsx", OLD + "EncryptedPackage".encode("utf-16-le"), "the file is encrypted: save it without a password"),
        ("pdf", with_password(), "the PDF is encrypted: save it without a password"),
        ("docx", OLD, "an older version of Office: save it as .docx"),
        ("docx", b"{\\rtf1 Hello}", "the file is RTF: save it as .docx"),
        ("pdf", b"\x89PNG\r\n\x1a\n" + bytes(99), "the file is a picture"),
        ("text", b"PK\x03\x04" + bytes(99), "the file is an archive"),
        *((kind, b"", "the file is empty") for kind in ("text", "csv", "html", "pdf", "docx", "xlsx", "transcript")),
        ("markdown", b" \n\t", "the file is empty"),
    ],
)
def test_a_file_that_is_something_else_says_what(kind: str, raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_document(kind, raw, title=None, name="file")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "raw"), [("docx", docx(paragraph("Hello"))), ("xlsx", workbook()), ("pdf", pdf("Hello")), ("html", PAGE)]
)
def test_a_file_that_is_what_its_name_says_is_read(kind: str, raw: bytes) -> None:
    assert read_document(kind, raw, title=None, name="file").text
