"""HTML made into Markdown: headings, paragraphs, lists, tables. Scripts, menus and cookie banners are left.

Lexbor parses as browsers do, so that what is not closed ends where a browser ends it. What of the page is content is
decided here: forms, buttons, asides and what is folded in are, because shops and helpdesks put their answers there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.knowledge.extract import charsets
from shared.knowledge.extract.base import Extracted, Unreadable, joined, title_cut
from shared.knowledge.extract.docx import shifted
from shared.knowledge.extract.page import Element, parsed
from shared.knowledge.extract.tables import CELLS_MAX, Grid

TINY_CHARS, SCRIPTS_CHARS = 80, 2_000
"""A page of less text than that and of more scripts shows its text by them."""
OPTIONS_MAX = 50
BANNER_CHARS = 3_000

_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font", "i", "ins", "kbd",
    "mark", "nobr", "q", "ruby", "rb", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
))  # fmt: skip
_APART = frozenset(("button", "label", "option", "input", "select", "output", "meter", "progress", "img"))
"""Within a line, and apart from what stands beside them."""
_HEADING = re.compile(r"h([1-6])")
_SPACE = re.compile(r"[ \t\n\r\f]+")
_MENUS = frozenset(
    ["nav", "navbar", "navigation", "menu", "menubar", "breadcrumb", "breadcrumbs", "pagination", "sitemap"]
)
_CONSENT = frozenset(
    [
        "cookie",
        "cookies",
        "consent",
        "gdpr",
        "dsgvo",
        "onetrust",
        "didomi",
        "usercentrics",
        "cookiebot",
        "cybotcookiebotdialog",
        "cookiebanner",
        "cookieconsent",
        "cookienotice",
        "cookiebar",
        "truste",
        "trustarc",
        "klaro",
        "osano",
        "quantcast",
        "iubenda",
    ]
)
_BANNERS = frozenset(
    [
        "banner",
        "bar",
        "notice",
        "dialog",
        "modal",
        "popup",
        "overlay",
        "message",
        "info",
        "box",
        "consent",
        "cookiebanner",
        "cookieconsent",
        "cookienotice",
        "cookiebar",
        "sdk",
        "wrapper",
        "alert",
        "toast",
    ]
)
_ACCEPTS = re.compile(
    r"accept|agree|allow|got it|ok\b|reject|decline|zustimm|akzept|ablehn|einverstanden|erlaub|accepte|refuse|autoris"
    r"|acept|rechaz|accett|rifiut|aceit|recus|akkoord|weiger|godk|tillad|afvis|hyväksy|akcept|zgadzam|odrzu|souhlas"
    r"|přijm|elfogad|kabul|принять|соглас|отклон|同意|接受|拒绝|許可|동의|قبول|موافق", re.IGNORECASE)  # fmt: skip
_COOKIES = re.compile(r"cookie|куки|クッキー|쿠키|ملفات تعريف", re.IGNORECASE)


def read(raw: bytes, label: str | None = None) -> Extracted:
    """label: the encoding that it was sent with, if that was said."""
    text = charsets.of_page(raw, label)
    root, title = parsed(text)
    if not root.chars and "<title" in text.lower() and "</title" not in text.lower():
        # A title that never ends has swallowed the page.
        place = text.lower().index("<title")
        end = text.find("<", place + 1)
        if end > 0:
            root, title = parsed(text[:end] + "</title>" + text[end:])
    written = _Writer(root).text() or _Writer(root, everything=True).text()
    if len(written) < TINY_CHARS and root.scripts >= SCRIPTS_CHARS:
        raise Unreadable(
            f"{len(written)} characters of text beside scripts of {root.scripts}: they may show the rest; save what "
            "the browser shows, or send the text"
        )
    return Extracted(written, title_cut(title))


def _is_dense(element: Element) -> bool:
    """Mostly links."""
    return element.links > 1 and element.linked * 2 >= element.chars


class _Writer:
    def __init__(self, root: Element, *, everything: bool = False) -> None:
        self._root = root
        self._everything = everything
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._prefix = ""
        self._in_pre = 0
        self._room = [CELLS_MAX]

    def text(self) -> str:
        self._inside(self._root, chrome=False, content=False)
        self._end_block()
        return joined(self._blocks)

    # ------------------------------------------------------------ what is left out
    def _is_left(self, element: Element, chrome: bool, content: bool) -> bool:
        """chrome: inside of the page's own head or foot; content: inside of an article or of the main part."""
        if self._everything or element is self._root:
            return False
        role = element.get("role").lower()
        if element.name in ("nav", "menu") or role in ("navigation", "menu", "menubar"):
            return _is_dense(element) or element.chars - element.linked < 200
        if element.name in _INLINE:
            return False
        words = element.words()
        outside = element.name in ("header", "footer") and not content
        if (words & _MENUS or outside) and _is_dense(element):
            return True
        if chrome and element.links and element.linked * 5 >= element.chars * 4:
            return True
        if chrome and element.chars < 300 and _is_imprint(element):
            return True
        return self._is_consent(element, words, role)

    def _is_consent(self, element: Element, words: set[str], role: str) -> bool:
        """A banner that asks for consent to cookies: named so, or saying so, with something to press."""
        if not 0 < element.chars < BANNER_CHARS or element.chars * 3 > self._root.chars * 2:
            return False
        presses = [one for one in element.every() if one.name == "button" or "button" in one.get("role").lower()
                   or (one.name == "input" and one.get("type").lower() in ("button", "submit"))
                   or (one.name == "a" and {"btn", "button"} & one.words())]  # fmt: skip
        named = bool(words & _CONSENT) or any(word.startswith("cookie") for word in words)
        if named and (presses or role in ("dialog", "alertdialog") or words & _BANNERS):
            return True
        accepts = any(_ACCEPTS.search(one.plain()[:60] or one.get("value")[:60]) for one in presses)
        return accepts and element.chars < 1_500 and _COOKIES.search(element.plain()) is not None

    # ------------------------------------------------------------ what is written
    def _inside(self, element: Element, chrome: bool, content: bool) -> None:
        for child in element.children:
            if isinstance(child, str):
                self._line.append(child if self._in_pre else _SPACE.sub(" ", child))
            elif not self._is_left(child, chrome, content):
                self._element(child, chrome, content)

    def _element(self, element: Element, chrome: bool, content: bool) -> None:
        name = element.name
        content = content or name in ("article", "main", "section") or element.get("role") in ("main", "article")
        chrome = chrome or (name in ("footer", "header") and not content)
        if name in ("sup", "sub"):
            self._line.append(shifted(element.plain(), "superscript" if name == "sup" else "subscript"))
        elif name in _INLINE:
            self._inside(element, chrome, content)
        elif name == "br":
            self._line.append("\n")
        elif name in _APART:
            self._control(element, chrome, content)
        elif name == "li":
            self._line.append("\n- ")
            self._inside(element, chrome, content)
        elif name == "table":
            self._end_block()
            self._table(element, chrome, content)
        elif heading := _HEADING.fullmatch(name):
            self._end_block()
            self._prefix = "#" * int(heading[1]) + " "
            self._inside(element, chrome, content)
            self._end_block()
            self._prefix = ""
        else:
            self._block(element, chrome, content)

    def _block(self, element: Element, chrome: bool, content: bool) -> None:
        item = bool(self._line) and self._line[-1] == "\n- "  # a paragraph in an item begins on its line
        if not item:
            self._end_block()
        self._in_pre += element.name == "pre"
        self._inside(element, chrome, content)
        if element.name == "dt":
            self._line.append("\n")
        elif self._in_pre or not item:
            self._end_block()
        self._in_pre -= element.name == "pre"

    def _control(self, element: Element, chrome: bool, content: bool) -> None:
        self._line.append(" ")
        if element.name == "select":
            options = [one.plain() for one in element.every() if one.name == "option"]
            self._line.append(", ".join(option for option in options[:OPTIONS_MAX] if option))
        elif element.name == "input":
            if element.get("type").lower() in ("button", "submit"):
                self._line.append(element.get("value"))
        else:
            self._inside(element, chrome, content)
        self._line.append(" ")

    def _end_block(self) -> None:
        lines = [line.rstrip() for line in "".join(self._line).split("\n")]
        body = "\n".join(line if self._in_pre else _SPACE.sub(" ", line.strip()) for line in lines if line.strip(" -"))
        self._line = []
        if body.strip():
            self._blocks.append(self._prefix + (" ".join(body.split()) if self._prefix else body))
            self._prefix = ""

    # ------------------------------------------------------------ tables
    def _table(self, table: Element, chrome: bool, content: bool) -> None:
        rows = list(_rows(table))
        if _is_layout(table, rows):
            for row in rows:
                for cell in _cells(row):
                    self._block(cell, chrome, content)
            return
        grid = Grid(self._room)
        grid.captions += [one.plain() for one in table.children if isinstance(one, Element) and one.name == "caption"]
        for row in rows:
            cells = list(_cells(row))
            if not cells:
                continue
            grid.begin_row(header=row.get("in") == "thead" or all(cell.name == "th" for cell in cells))
            for cell in cells:
                grid.cell(self._cell(cell), _span(cell, "colspan"), _span(cell, "rowspan"))
        self._blocks += grid.blocks()

    def _cell(self, cell: Element) -> str:
        """What stands in it, its paragraphs one behind the other; of a picture alone what it is said to show."""
        inner = _Writer(cell, everything=self._everything)
        inner._room = self._room
        text = "; ".join(line.lstrip("-# ") for line in inner.text().split("\n") if line.strip("-# "))
        if text:
            return text
        for one in cell.every():
            said = one.get("alt") or one.get("aria-label") or one.get("title")
            if said:
                return said
            if one.name == "input" and one.get("type").lower() in ("checkbox", "radio"):
                return "✓" if "checked" in one.attributes else "✗"
        return ""


def _is_imprint(element: Element) -> bool:
    """A line that claims rights and tells nothing else."""
    text = element.plain().lower()
    return "©" in text or "copyright" in text or "all rights reserved" in text


def _rows(table: Element) -> Iterator[Element]:
    """Rows of a table; the parser puts each into a part of it."""
    for child in table.children:
        if isinstance(child, Element) and child.name in ("thead", "tbody", "tfoot"):
            for row in child.children:
                if isinstance(row, Element) and row.name == "tr":
                    row.attributes = {**row.attributes, "in": child.name}
                    yield row


def _cells(row: Element) -> Iterator[Element]:
    return (child for child in row.children if isinstance(child, Element) and child.name in ("td", "th"))


def _is_layout(table: Element, rows: list[Element]) -> bool:
    """A table that puts text beside text: it says so, has one column, or whole sections in its cells."""
    if table.get("role") in ("presentation", "none"):
        return True
    if all(sum(1 for _ in _cells(row)) < 2 for row in rows):
        return True
    inside = (one for row in rows for cell in _cells(row) for one in cell.every())
    return any(one.name == "table" or _HEADING.fullmatch(one.name) for one in inside)


def _span(cell: Element, name: str) -> int:
    written = cell.get(name).strip()
    return int(written[:5]) if written.isascii() and written.isdecimal() else 1
