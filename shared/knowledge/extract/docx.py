"""Word documents: paragraphs, headings, lists, tables, notes, text boxes and charts of the main part; headers and
footers once, at the end. Comments are left.

A walk of our own: python-docx knows neither notes nor text boxes, and no styles where the file's relations are missing
(docs/decisions/0019-which-readers.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.knowledge.extract import charts
from shared.knowledge.extract.base import Extracted, Unreadable, joined, title_cut
from shared.knowledge.extract.package import Node, opened
from shared.knowledge.extract.tables import CELLS_MAX, Grid

_MAIN = "word/document.xml"
_STYLED = re.compile(r"(?:heading|berschrift|titre|ttulo|titolo)\D{0,20}([1-9])", re.IGNORECASE)
_TITLES = ("title", "titel", "titre")
_STYLE_CHARS = 100
TINY_CHARS = 80
"""A document of pictures with less text than that is a scan."""
_BODY_LEVEL = 9
"""An outline level that says: no heading."""
_LEFT = frozenset(
    ("del", "moveFrom", "delText", "instrText", "rt", "pPr", "rPr", "sectPr", "Fallback", "commentReference")
)
"""What was struck out, field codes, readings above characters; of alternatives the second."""
_OFF = ("0", "false", "off", "none")
_COUNTED = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES|DATE|TIME|PRINTDATE|SAVEDATE)\b", re.IGNORECASE)
"""Fields of headers and footers whose results change from page to page or from day to day."""
PAGE_CHARS = 15
"""Letters that may stand beside a page's number in a line that says nothing else: `Página de`."""
_SYMBOLS = {
    "wingdings": {
        "fc": "✓", "fb": "✗", "fe": "☑", "fd": "☒", "a8": "☐", "6f": "☐", "e0": "→", "df": "←", "4a": "☺", "28": "☎",
    },
    "wingdings 2": {"50": "✓", "4f": "✗", "52": "☑", "51": "☒", "a3": "☐"},
    "symbol": {"b0": "°", "b1": "±", "b3": "≥", "a3": "≤", "b4": "×", "b9": "≠", "bb": "≈", "6d": "µ", "57": "Ω"},
}  # fmt: skip
RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


def read(raw: bytes) -> Extracted:
    with opened(raw, "Word document", ".docx") as package:
        main = next((r.target for r in package.relations("").values() if r.kind == "officeDocument"), _MAIN)
        main = main if main in package.names else _MAIN
        relations = package.relations(main)
        related = {r.kind: r.target for r in relations.values()}
        # A file without its relations has its parts all the same, where Word puts them.
        folder = main.rpartition("/")[0]
        part = {
            kind: package.tree_or_none(related.get(kind, f"{folder}/{kind}.xml"))
            for kind in ("styles", "footnotes", "endnotes")
        }
        body = package.tree(main).first("body")
        margins = [package.tree(r.target) for kind in ("header", "footer") for r in relations.values()
                   if r.kind == kind and r.target in package.names]  # fmt: skip
        room = [CELLS_MAX]
        drawn = charts.of(package, main, room)
        pictures = any(name.startswith(f"{folder}/media/") for name in package.names)
    reader = _Reader(_styles(part["styles"]), _notes(part["footnotes"]), _notes(part["endnotes"]), drawn, room=room)
    blocks = list(reader.blocks(body)) if body is not None else []
    text = joined([*blocks, *reader.notes_left()])
    if pictures and len(text) < TINY_CHARS:
        raise Unreadable(f"{len(text)} characters of text beside pictures: recognise the text that they show first")
    return Extracted(joined([text, *reader.margins(margins)]), reader.title)


@dataclass(frozen=True, slots=True)
class _Style:
    level: int | None = None
    title: bool = False
    listed: bool = False
    hidden: bool = False


def _styles(root: Node | None) -> dict[str, _Style]:
    """What styles say of a paragraph, by their ids; a style that says nothing does as the one that it is based on.

    Word writes the names of its own styles in English whatever language it speaks, and their ids in that language.
    """
    nodes = {node.get("styleId"): node for node in (root.elements("style") if root is not None else ())}
    found: dict[str, _Style] = {}
    for id_ in nodes:
        level: int | None = None
        title = listed = hidden = False
        at, seen = id_, set[str]()
        while at in nodes and at not in seen and len(seen) < 20:
            seen.add(at)
            node = nodes[at]
            name = _value(node.first("name"))[:_STYLE_CHARS]
            written = _value(node.first("pPr", "outlineLvl")) or ""
            if level is None and written.isdecimal():
                level = int(written[:3])
            elif level is None and (named := _STYLED.match(name)):
                level = int(named[1]) - 1
            title |= name.lower() in _TITLES
            listed |= node.first("pPr", "numPr") is not None
            hidden |= _is_on(node.first("rPr"), "vanish")
            at = _value(node.first("basedOn"))
        found[id_] = _Style(None if level is None or level >= _BODY_LEVEL else level, title, listed, hidden)
    return found


def _notes(root: Node | None) -> dict[str, Node]:
    """Foot- or endnotes by their ids, without the lines that separate them from the text."""
    found: dict[str, Node] = {}
    for place, node in enumerate(root.elements("footnote", "endnote") if root is not None else ()):
        if node.get("w:type") not in ("separator", "continuationSeparator", "continuationNotice"):
            found[node.get("w:id") or f"unnamed {place}"] = node
    return found


def _value(node: Node | None) -> str:
    return "" if node is None else node.get("val")


def _is_on(properties: Node | None, *names: str) -> bool:
    return properties is not None and any(_value(node).lower() not in _OFF for node in properties.elements(*names))


@dataclass(slots=True)
class _Reader:
    styles: dict[str, _Style]
    footnotes: dict[str, Node]
    endnotes: dict[str, Node]
    charts: dict[str, list[str]]
    """By the ids of their relations."""
    title: str | None = None
    told: set[str] = field(default_factory=set)
    """Notes that stand in the text already."""
    room: list[int] = field(default_factory=lambda: [CELLS_MAX])

    def blocks(self, parent: Node) -> Iterator[str]:
        """Paragraphs and tables, also those inside of content controls and the like."""
        for node in parent.elements():
            match node.name:
                case "p":
                    yield from self._paragraph(node)
                case "tbl":
                    yield from self._table(node)
                case "AlternateContent":
                    yield from self._alternatives(node)
                case name if name not in _LEFT:
                    yield from self.blocks(node)

    def notes_left(self) -> Iterator[str]:
        """Notes that nothing in the text refers to."""
        for kind, notes in (("f", self.footnotes), ("e", self.endnotes)):
            for id_ in list(notes):
                if (text := self._note(kind, notes, id_)) is not None:
                    yield text

    def margins(self, parts: list[Node]) -> Iterator[str]:
        """What headers and footers say, each text once, without the numbers of pages."""
        told = set[str]()
        for part in parts:
            for paragraph in part.every("p"):
                numbered = _without_page_numbers(paragraph)
                text = " ".join("".join(self._inline(paragraph, [])).split())
                letters = sum(map(str.isalpha, text))
                if text not in told and letters and not (numbered and letters <= PAGE_CHARS):
                    told.add(text)
                    yield text

    # -------------------------------------------------------------- paragraphs
    def _paragraph(self, node: Node) -> Iterator[str]:
        style, level, listed = self._kind(node)
        boxes: list[Node] = []
        text = "".join(self._inline(node, boxes)).strip()
        if text and not style.hidden:
            if style.title and level is None:
                self.title = self.title or title_cut(text)
            elif level is not None:
                yield f"{'#' * min(level + 1, 6)} {' '.join(text.split())}"
            else:
                yield f"- {text}" if listed else text
        for box in boxes:
            yield from self.charts.pop(box.get("r:id"), []) if box.name == "chart" else self.blocks(box)

    def _kind(self, node: Node) -> tuple[_Style, int | None, bool]:
        """Its style, its level if it is a heading, and whether it is an item of a list."""
        id_ = _value(node.first("pPr", "pStyle"))
        style = self.styles.get(id_)
        if style is None:
            named = _STYLED.search(id_[:_STYLE_CHARS])
            style = _Style(int(named[1]) - 1 if named else None, id_.lower() in _TITLES)
        own = _value(node.first("pPr", "outlineLvl"))
        level = style.level
        if own.isdecimal():
            level = int(own[:3]) if int(own[:3]) < _BODY_LEVEL else None
        numbered = node.first("pPr", "numPr")
        listed = style.listed if numbered is None else _value(numbered.first("numId")) != "0"
        return style, level, listed

    def _inline(self, node: Node, boxes: list[Node]) -> Iterator[str]:
        """The words of a paragraph or run. boxes: gets the text boxes that hang on it, each once."""
        for child in node.elements():
            match child.name:
                case "r":
                    yield from self._run(child, boxes)
                case "txbxContent" | "chart":
                    boxes.append(child)
                case "AlternateContent":
                    chosen = self._chosen(child)
                    if chosen is not None:
                        yield from self._inline(chosen, boxes)
                case name if name in _LEFT:
                    pass
                case _:
                    yield self._mark(child) or "".join(self._inline(child, boxes))

    def _run(self, node: Node, boxes: list[Node]) -> Iterator[str]:
        properties = node.first("rPr")
        if _is_on(properties, "strike", "dstrike", "vanish"):
            return  # not to be read: a price that was, a text that is hidden
        text = "".join(self._inline(node, boxes))
        raised = _value(properties.first("vertAlign")) if properties is not None else ""
        yield shifted(text, raised)

    def _mark(self, node: Node) -> str:
        """What an element says by itself."""
        match node.name:
            case "t":
                return node.text()
            case "tab" | "ptab":
                return " "
            case "br" | "cr":
                return "\n"
            case "noBreakHyphen":
                return "-"
            case "sym":
                return _symbol(node)
            case "footnoteReference":
                return self._referred("f", self.footnotes, node)
            case "endnoteReference":
                return self._referred("e", self.endnotes, node)
        return ""

    def _referred(self, kind: str, notes: dict[str, Node], node: Node) -> str:
        text = self._note(kind, notes, node.get("w:id"))
        return f" ({text})" if text is not None else ""

    def _note(self, kind: str, notes: dict[str, Node], id_: str) -> str | None:
        """A note on one line, the first time that it is asked for."""
        if kind + id_ in self.told or id_ not in notes:
            return None
        self.told.add(kind + id_)
        return " ".join(" ".join(self.blocks(notes[id_])).split()) or None

    # ---------------------------------------------------------- alternatives
    def _alternatives(self, node: Node) -> Iterator[str]:
        chosen = self._chosen(node)
        if chosen is not None:
            yield from self.blocks(chosen)

    def _chosen(self, node: Node) -> Node | None:
        """Of drawings that are there for several versions of Word the first that says something."""
        options = list(node.elements("Choice", "Fallback"))
        return next((one for one in options if any(True for _ in one.every("t"))), None)

    # --------------------------------------------------------------- tables
    def _table(self, table: Node) -> Iterator[str]:
        rows = [row for row in _rows(table) if row.first("trPr", "del") is None]
        cells = [list(_unwrapped(row, "tc")) for row in rows]
        if _is_layout(cells):
            for cell in (cell for row in cells for cell in row):
                yield from self.blocks(cell)
            return
        grid = Grid(self.room)
        caption = table.first("tblPr", "tblCaption")
        grid.captions += [_value(caption)] if caption is not None else []
        for row, its_cells in zip(rows, cells, strict=True):
            grid.begin_row(header=_is_on(row.first("trPr"), "tblHeader"))
            grid.skip(_number(row.first("trPr", "gridBefore"), 0))
            for cell in its_cells:
                merged = cell.first("tcPr", "vMerge")
                goes_on = merged is not None and _value(merged) != "restart"
                text = "; ".join(block.lstrip("# ") for block in self.blocks(cell))
                grid.cell(grid.above() if goes_on and not text else text, _number(cell.first("tcPr", "gridSpan"), 1))
        yield from grid.blocks()


def _without_page_numbers(paragraph: Node) -> bool:
    """Empty the fields that count pages; whether there were any."""
    found = counted = result = False
    for node in paragraph.every("fldSimple", "fldChar", "instrText", "t"):
        if node.name == "fldSimple" and _COUNTED.match(node.get("instr")):
            found = True
            node.children.clear()
        elif node.name == "instrText":
            counted = counted or _COUNTED.match(node.text()) is not None
            found = found or counted
        elif node.name == "fldChar":
            kind = node.get("fldCharType")
            result = counted and kind == "separate"
            counted = counted and kind != "end"
        elif node.name == "t" and result:
            node.children.clear()
    return found


def _rows(table: Node) -> Iterator[Node]:
    return _unwrapped(table, "tr")


def _unwrapped(parent: Node, name: str) -> Iterator[Node]:
    """Rows or cells, also those inside of content controls and of insertions."""
    for node in parent.elements(name, "sdt", "sdtContent", "ins", "customXml", "smartTag"):
        if node.name == name:
            yield node
        else:
            yield from _unwrapped(node, name)


def _is_layout(cells: list[list[Node]]) -> bool:
    """A table that only puts text beside text: of one column, or with tables or several headings inside."""
    return all(len(row) < 2 for row in cells) or any(cell.first("tbl") is not None for row in cells for cell in row)


def _number(node: Node | None, default: int) -> int:
    written = _value(node)
    return int(written[:6]) if written.isascii() and written.isdecimal() else default


def _symbol(node: Node) -> str:
    """A character of a font that has pictures where others have letters; one that we do not know as a bullet."""
    known = _SYMBOLS.get(node.get("font").lower(), {})
    return known.get(node.get("char").lower()[-2:], "•")


def shifted(text: str, place: str) -> str:
    """Digits that are written above or below the line stay apart from those on it: 10² is not 102."""
    bare = text.strip()
    if place in ("superscript", "subscript") and bare and all(c in "0123456789+-" for c in bare):
        return text.translate(RAISED if place == "superscript" else LOWERED)
    return text
