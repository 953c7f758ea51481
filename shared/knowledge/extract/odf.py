"""OpenDocument: texts (ODT), presentations (ODP) and tables (ODS) of LibreOffice and others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.knowledge.extract import sheets
from shared.knowledge.extract.base import CHARS_MAX, Extracted, Unreadable, joined, title_cut
from shared.knowledge.extract.docx import shifted
from shared.knowledge.extract.package import Node, opened
from shared.knowledge.extract.tables import CELLS_MAX, COLUMNS_MAX, Grid

_LEFT = frozenset((
    "tracked-changes", "annotation", "annotation-end", "sequence-decls", "note-citation", "ruby-text", "forms",
    "desc", "title", "event-listeners", "table-of-content", "named-expressions",
))  # fmt: skip
BLANKS_MAX = 1_000


def read(raw: bytes) -> Extracted:
    with opened(raw, "OpenDocument file", ".odt") as package:
        content = package.tree("content.xml")
        styles = package.tree_or_none("styles.xml")
        meta = package.tree_or_none("meta.xml")
    title = next((node.text() for node in meta.every("title")), "") if meta is not None else ""
    body = content.first("body")
    inside = next(body.elements(), None) if body is not None else None
    if inside is None:
        raise Unreadable("not a valid OpenDocument file (it has no body): save it anew")
    reader = _Reader(_hidden(content, styles))
    parts = reader.sheets(inside) if inside.name == "spreadsheet" else reader.blocks(inside)
    return Extracted(joined(parts), reader.title or title_cut(title))


def _hidden(*roots: Node | None) -> dict[str, tuple[str, bool]]:
    """By a style's name: whether text of it stands above or below the line, and whether it is struck out or hidden."""
    found = {}
    for root in roots:
        for style in root.every("style") if root is not None else ():
            text, table = style.first("text-properties"), style.first("table-properties")
            place, left = "", table is not None and table.get("display") == "false"
            if text is not None:
                position = text.get("text-position")
                place = (
                    "superscript" if position.startswith("super") else "subscript" if position.startswith("sub") else ""
                )
                struck = text.get("text-line-through-style") not in ("", "none")
                left |= struck or text.get("text:display") == "none"
            if place or left:
                found[style.get("style:name")] = (place, left)
    return found


@dataclass(slots=True)
class _Reader:
    styles: dict[str, tuple[str, bool]]
    title: str | None = None
    room: list[int] = field(default_factory=lambda: [CELLS_MAX])
    chars: int = 0

    def blocks(self, parent: Node, listed: bool = False) -> Iterator[str]:
        for node in parent.elements():
            match node.name:
                case "h" | "p":
                    yield from self._paragraph(node, listed)
                case "list":
                    yield from self.blocks(node, True)
                case "table":
                    yield from self._table(node)
                case "notes":
                    said = list(self.blocks(node))
                    yield from ["Speaker notes: " + "\n".join(said)] if said else []
                case "page" if len(list(node.elements())):
                    yield from self.blocks(node)
                case name if name not in _LEFT:
                    yield from self.blocks(node, listed)

    def _paragraph(self, node: Node, listed: bool) -> Iterator[str]:
        boxes: list[Node] = []
        text = "".join(self._inline(node, boxes)).strip()
        if text and node.name == "h":
            level = node.get("outline-level") or "1"
            yield f"{'#' * min(max(int(level[:2]) if level.isdecimal() else 1, 1), 6)} {' '.join(text.split())}"
        elif text and node.get("style-name") == "Title":
            self.title = self.title or title_cut(text)
        elif text:
            yield f"- {text}" if listed else text
        for box in boxes:
            yield from self.blocks(box)

    def _inline(self, node: Node, boxes: list[Node]) -> Iterator[str]:
        for child in node.children:
            if isinstance(child, str):
                yield " ".join(f"|{child}|".split())[1:-1]
                continue
            match child.name:
                case "s":
                    count = child.get("c") or "1"
                    yield " " * min(int(count[:6]) if count.isdecimal() else 1, BLANKS_MAX)
                case "tab":
                    yield " "
                case "line-break":
                    yield "\n"
                case "text-box":
                    boxes.append(child)
                case "note":
                    body = child.first("note-body")
                    said = " ".join(" ".join(self.blocks(body)).split()) if body is not None else ""
                    yield f" ({said})" if said else ""
                case "span":
                    place, left = self.styles.get(child.get("style-name"), ("", False))
                    yield "" if left else shifted("".join(self._inline(child, boxes)), place)
                case name if name not in _LEFT:
                    yield from self._inline(child, boxes)

    # ------------------------------------------------------------ tables
    def _rows(self, parent: Node, header: bool = False) -> Iterator[tuple[Node, bool]]:
        for node in parent.elements("table-row", "table-rows", "table-row-group", "table-header-rows"):
            if node.name == "table-row":
                yield node, header
            else:
                yield from self._rows(node, header or node.name == "table-header-rows")

    def _table(self, table: Node) -> Iterator[str]:
        rows = list(self._rows(table))
        cells = [list(row.elements("table-cell")) for row, _ in rows]
        if all(len(row) < 2 for row in cells) or any(next(cell.every("table"), None) for row in cells for cell in row):
            for cell in (cell for row in cells for cell in row):
                yield from self.blocks(cell)
            return
        grid = Grid(self.room)
        for row, header in rows:
            for _ in range(min(_count(row, "number-rows-repeated"), 1_000)):
                grid.begin_row(header=header)
                for cell in row.elements("table-cell", "covered-table-cell"):
                    self._cell(grid, cell)
        yield from grid.blocks()

    def _cell(self, grid: Grid, cell: Node) -> None:
        if cell.name == "covered-table-cell":
            return  # the cell that covers it has given its value already
        text = "; ".join(block.lstrip("# ") for block in self.blocks(cell))
        times = _count(cell, "number-columns-repeated")
        for _ in range(times if text else min(times, COLUMNS_MAX - len(grid.rows[-1]))):
            grid.cell(text, _count(cell, "number-columns-spanned"), _count(cell, "number-rows-spanned"))

    def sheets(self, body: Node) -> Iterator[str]:
        tables = [
            table for table in body.elements("table") if not self.styles.get(table.get("style-name"), ("", False))[1]
        ]
        for table in tables:
            if len(tables) > 1:
                yield f"# {' '.join(table.get('table:name').split())}"
            yield from sheets.blocks(self._lines(table), level=2 if len(tables) > 1 else 1)

    def _lines(self, table: Node) -> Iterator[list[str]]:
        """Rows that hold something, however often an empty one is repeated down to the sheet's end."""
        for row, _ in self._rows(table):
            cells: list[str] = []
            for cell in row.elements("table-cell", "covered-table-cell"):
                text = "; ".join(self.blocks(cell))
                times = _count(cell, "number-columns-repeated")
                if text or len(cells) + times <= COLUMNS_MAX:
                    if len(cells) + times > COLUMNS_MAX:
                        raise Unreadable(f"more than {COLUMNS_MAX} columns: divide the table")
                    cells += [text] * times
            while cells and not cells[-1]:
                cells.pop()
            for _ in range(_count(row, "number-rows-repeated") if cells else 0):
                self.chars += sum(map(len, cells)) + 1
                if self.chars > CHARS_MAX:
                    raise Unreadable(f"more than {CHARS_MAX} characters: divide the document")
                yield cells


def _count(node: Node, name: str) -> int:
    written = node.get(name)
    return max(int(written[:7]), 1) if written.isascii() and written.isdecimal() else 1
