"""HTML made into Markdown-like text: headings, paragraphs, lists, rows of tables. Scripts and menus are left."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

from shared.knowledge.extract.base import Extracted, Unreadable, joined, title_cut

_LEFT = {
    "script",
    "style",
    "noscript",
    "template",
    "svg",
    "nav",
    "footer",
    "form",
    "iframe",
    "select",
    "button",
    "aside",
}
_BLOCKS = {
    "p", "div", "section", "article", "main", "header", "ul", "ol", "dl", "dt", "dd", "table", "blockquote", "figure",
    "pre", "address", "details", "summary", "figcaption", "hr", "body",
}  # fmt: skip
_NOT_OF_THE_WEB = frozenset(("punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7"))
_HEADING = re.compile(r"h([1-6])")
_CHARSET = re.compile(rb"""charset=["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)


def read(raw: bytes) -> Extracted:
    parser = _Reader()
    parser.feed(_decoded(raw))
    parser.close()
    return Extracted(parser.text(), parser.title())


def _decoded(raw: bytes) -> str:
    """By its byte order mark, else what it says of itself, else UTF-8, else what browsers take."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    named = _CHARSET.search(raw[:2048])
    for encoding in (_named(named[1].decode("ascii")) if named else "utf-8", "utf-8", "windows-1252"):
        try:
            return raw.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("utf-8", "replace")


def _named(encoding: str) -> str:
    """What a page calls its encoding, if a browser reads it: Python knows others, some of which take hours."""
    try:
        found = codecs.lookup(encoding).name
    except LookupError:
        return "utf-8"
    return "utf-8" if found in _NOT_OF_THE_WEB else found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._prefix = ""
        self._left: list[str] = []
        self._title: list[str] = []
        self._in_title = False
        self._in_pre = 0

    def text(self) -> str:
        self._end_block()
        return joined(self._blocks)

    def title(self) -> str | None:
        return title_cut("".join(self._title))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LEFT:
            self._left.append(tag)
            if len(self._left) > 500:
                raise Unreadable("nested too deeply")
        elif tag == "title" and not self._title:
            self._in_title = True
        elif heading := _HEADING.fullmatch(tag):
            self._end_block()
            self._prefix = "#" * int(heading[1]) + " "
        elif tag in _BLOCKS:
            self._end_block()
            self._in_pre += tag == "pre"
        elif tag == "li":
            self._end_line("- ")
        elif tag in ("br", "tr"):
            self._end_line("")
        elif tag in ("td", "th") and self._line and not self._line[-1].endswith("\n"):
            self._line.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._left:
            while self._left.pop() != tag:
                pass
        elif tag == "title":
            self._in_title = False
        elif tag in _BLOCKS or _HEADING.fullmatch(tag):
            self._end_block()
            self._in_pre -= tag == "pre" and self._in_pre > 0

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._title.append(data)
        elif not self._left:
            self._line.append(data if self._in_pre else re.sub(r"\s+", " ", data))

    def _end_line(self, following: str) -> None:
        self._line.append("\n" + following)

    def _end_block(self) -> None:
        lines = [line.rstrip() for line in "".join(self._line).split("\n")]
        body = "\n".join(line if self._in_pre else line.strip() for line in lines if line.strip(" -"))
        if body.strip():
            self._blocks.append(self._prefix + (body if not self._prefix else " ".join(body.split())))
        self._line, self._prefix = [], ""
