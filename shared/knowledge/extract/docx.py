"""Word documents: paragraphs, headings, lists and tables of the main part."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from xml.parsers import expat

from shared.knowledge.extract.base import UNPACKED_MAX, Extracted, Unreadable, XmlReader, joined, title_cut

_MAIN = "word/document.xml"
_HEADING = re.compile(r"(?:heading|berschrift|titre|ttulo|titolo)\D{0,20}([1-6])", re.IGNORECASE)
_TITLES = ("title", "titel", "titre")
_READ = 64 * 1024
STYLE_CHARS = 100


def read(raw: bytes) -> Extracted:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            body = _unpacked(archive, _MAIN)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError, zlib.error, EOFError) as e:
        raise Unreadable(f"not a valid Word document ({type(e).__name__}): save it as .docx") from None
    reader = _Reader()
    try:
        reader.parse(body)
    except expat.ExpatError as e:
        raise Unreadable(f"not a valid Word document (its XML is broken at line {e.lineno})") from None
    return Extracted(joined(reader.blocks), reader.title)


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    """One member, however small it was made; the size that the archive says of itself is not believed."""
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Word uses no other, and the others unfold a block at once, however large.
        raise Unreadable("not a valid Word document (compressed in another way): save it as .docx")
    found = bytearray()
    with archive.open(name) as member:
        while piece := member.read(_READ):
            found += piece
            if len(found) > UNPACKED_MAX:
                raise Unreadable("the document unfolds to more than we read")
    return bytes(found)


class _Reader(XmlReader):
    """WordprocessingML as a stream: w:p is a paragraph, w:t its text, w:pStyle its kind, w:tr a row."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.title: str | None = None
        self._text: list[str] = []
        self._style = ""
        self._listed = self._taking = False
        self._cells: list[list[str]] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "pStyle":
                self._style = next((v for k, v in attributes.items() if k.endswith(":val")), "")[:STYLE_CHARS]
            case "numPr":
                self._listed = True
            case "t":
                self._taking = True
            case "tab":
                self._text.append(" ")
            case "br":
                self._text.append("\n")
            case "tr":
                self._cells.append([])

    def _data(self, data: str) -> None:
        if self._taking:
            self._text.append(data)

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "t":
                self._taking = False
            case "p":
                self._end_paragraph()
            case "tr" if self._cells:
                row = " | ".join(self._cells.pop())
                if row.strip(" |"):
                    (self._cells[-1] if self._cells else self.blocks).append(row)

    def _end_paragraph(self) -> None:
        text = "".join(self._text).strip()
        style, listed = self._style, self._listed
        self._text, self._style, self._listed = [], "", False
        if not text:
            return
        if self._cells:
            self._cells[-1].append(" ".join(text.split()))
        elif heading := _HEADING.search(style):
            self.blocks.append(f"{'#' * int(heading[1])} {' '.join(text.split())}")
        elif style.lower() in _TITLES:
            self.title = self.title or title_cut(text)
        else:
            self.blocks.append(f"- {text}" if listed else text)
