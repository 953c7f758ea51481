"""Excel workbooks: each sheet's rows as sheets.blocks() has them, values as they are shown.

A reader of our own: python-calamine gives 0.19 where the sheet shows 19 %, and openpyxl loads numpy, whose threads the
process that forks readers must not have (docs/decisions/0019-which-readers.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

from shared.knowledge.extract import charts, sheets
from shared.knowledge.extract.base import Extracted, Unreadable, XmlReader, joined
from shared.knowledge.extract.numbers import epoch, number
from shared.knowledge.extract.package import Node, Package, opened
from shared.knowledge.extract.tables import CELLS_MAX, COLUMNS_MAX

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0", 6: "$#,##0", 7: "$#,##0.00", 8: "$#,##0.00", 9: "0%",
    10: "0.00%", 14: "yyyy-mm-dd", 15: "yyyy-mm-dd", 16: "mm-dd", 17: "yyyy-mm", 18: "hh:mm", 19: "hh:mm:ss",
    20: "hh:mm", 21: "hh:mm:ss", 22: "yyyy-mm-dd hh:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
}  # fmt: skip
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")


def read(raw: bytes) -> Extracted:
    with opened(raw, "Excel workbook", ".xlsx") as package:
        main = next((r.target for r in package.relations("").values() if r.kind == "officeDocument"), "xl/workbook.xml")
        workbook = package.tree(main)
        related = package.relations(main)
        by_kind = {relation.kind: relation.target for relation in related.values()}
        properties = workbook.first("workbookPr")
        since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        strings = _strings(package.tree_or_none(by_kind.get("sharedStrings", "xl/sharedStrings.xml")))
        formats = _formats(package.tree_or_none(by_kind.get("styles", "xl/styles.xml")))
        workbook_sheets = workbook.first("sheets")
        shown = [
            sheet for sheet in (workbook_sheets.elements("sheet") if workbook_sheets is not None else ())
            if sheet.get("state") not in ("hidden", "veryHidden")
        ]  # fmt: skip
        read_sheets: list[tuple[str, _Sheet, list[str]]] = []
        room = [CELLS_MAX]
        for sheet in shown:
            relation = related.get(sheet.get("r:id") or sheet.get("id"))
            if relation is not None and relation.kind == "worksheet":
                found = _sheet(package, relation.target, strings, formats, since_1904, room)
                read_sheets.append((sheet.get("name"), found, list(_charts(package, relation.target, room))))
    return Extracted(joined(_told([one for one in read_sheets if one[1].rows or one[2]])))


def _told(read_sheets: list[tuple[str, _Sheet, list[str]]]) -> Iterator[str]:
    for name, sheet, drawn in read_sheets:
        if len(read_sheets) > 1:
            yield f"# {' '.join(name.split())}"
        yield from sheets.blocks(sheet.lines(), level=2 if len(read_sheets) > 1 else 1)
        yield from drawn


def _charts(package: Package, sheet: str, room: list[int]) -> Iterator[str]:
    for relation in package.relations(sheet).values():
        if relation.kind == "drawing":
            for found in charts.of(package, relation.target, room).values():
                yield from found


def _strings(root: Node | None) -> list[str]:
    """Texts that cells share, without the readings above characters."""
    items = root.elements("si") if root is not None else ()
    return ["".join(map(_string, item.elements("t", "r"))) for item in items]


def _string(part: Node) -> str:
    return part.text() if part.name == "t" else "".join(text.text() for text in part.elements("t"))


def _formats(root: Node | None) -> list[str]:
    """By a cell's style: how its number is shown; empty: as it is."""
    if root is None:
        return []
    own = {node.get("numFmtId"): node.get("formatCode") for node in root.every("numFmt")}
    cells = root.first("cellXfs")
    found = []
    for style in cells.elements("xf") if cells is not None else ():
        id_ = style.get("numFmtId")
        found.append(own.get(id_) or _BUILT_IN.get(int(id_) if id_.isdecimal() else 0, ""))
    return found


def _sheet(
    package: Package, name: str, strings: list[str], formats: list[str], since_1904: bool, room: list[int]
) -> _Sheet:
    reader = _Sheet(strings, formats, since_1904, room)
    try:
        reader.parse(package.bytes(name))
    except expat.ExpatError as e:
        raise Unreadable(f"not a valid Excel workbook (its XML is broken at line {e.lineno})") from None
    if reader.unsaved:
        raise Unreadable(
            f"{reader.unsaved} cells hold formulas without their results: open it in Excel or LibreOffice and save it"
        )
    return reader


class _Merged(NamedTuple):
    top: int
    left: int
    bottom: int
    right: int


class _Sheet(XmlReader):
    """SpreadsheetML as a stream: row, c (a cell: r its place, t its type, s its style), v, f, is/t, mergeCell, col."""

    def __init__(self, strings: list[str], formats: list[str], since_1904: bool, room: list[int]) -> None:
        self.rows: dict[int, dict[int, str]] = {}
        self.unsaved = 0
        self._strings, self._formats, self._room = strings, formats, room
        self._epoch = epoch(since_1904)
        self._merged: list[_Merged] = []
        self._hidden: set[int] = set()
        self._row = self._column = 0
        self._cell: dict[str, str] = {}
        self._text: list[str] = []
        self._taking = self._formula = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                written = attributes.get("r", "")
                self._row = int(written[:8]) if written.isdecimal() else self._row + 1
                self._column = 0
            case "c":
                place = _REFERENCE.fullmatch(attributes.get("r", ""))
                self._column = _column(place[1]) if place else self._column + 1
                self._cell, self._text = attributes, []
                self._formula = False
            case "f":
                self._formula = True
            case "v" | "t":
                self._taking = True
            case "rPh":
                self._cell = {}
            case "mergeCell":
                self._merge(attributes.get("ref", ""))
            case "col" if attributes.get("hidden") in ("1", "true"):
                first, last = (int(attributes.get(key, "0")[:6] or 0) for key in ("min", "max"))
                self._hidden.update(range(first, min(last, first + COLUMNS_MAX) + 1))

    def _data(self, data: str) -> None:
        if self._taking:
            self._text.append(data)

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "v" | "t":
                self._taking = False
            case "c":
                self._end_cell()

    def _end_cell(self) -> None:
        text = "".join(self._text)
        if self._formula and not text and self._cell.get("t") != "str":
            self.unsaved += 1
        shown = self._shown(text, self._cell.get("t", "n"))
        if not shown or self._column in self._hidden:
            return
        if self._column > COLUMNS_MAX:
            raise Unreadable(f"more than {COLUMNS_MAX} columns: divide the table")
        self._take(1)
        self.rows.setdefault(self._row, {})[self._column] = shown

    def _take(self, cells: int) -> None:
        self._room[0] -= cells
        if self._room[0] < 0:
            raise Unreadable(f"more than {CELLS_MAX} cells: divide the workbook")

    def _shown(self, text: str, kind: str) -> str:
        match kind:
            case "s":
                place = int(text[:9]) if text.isdecimal() else len(self._strings)
                return self._strings[place].strip() if place < len(self._strings) else ""
            case "b":
                return "TRUE" if text == "1" else "FALSE" if text else ""
            case "n":
                style = self._cell.get("s", "")
                format_ = self._formats[int(style)] if style.isdecimal() and int(style) < len(self._formats) else ""
                return number(text, format_, self._epoch) if text else ""
            case "d":
                return text.removesuffix("T00:00:00")
            case "e":
                return ""  # #N/A: no value
        return text.strip()

    def _merge(self, reference: str) -> None:
        begin, _, end = reference.partition(":")
        first, last = _REFERENCE.fullmatch(begin), _REFERENCE.fullmatch(end)
        if first and last:
            self._merged.append(_Merged(int(first[2]), _column(first[1]), int(last[2]), _column(last[1])))

    def lines(self) -> Iterator[list[str]]:
        """The rows, each as wide as it has cells; what was merged gives its value to each row and column of it."""
        for merged in self._merged:
            value = self.rows.get(merged.top, {}).get(merged.left)
            if value is None:
                continue
            for row in range(merged.top, min(merged.bottom, merged.top + sheets.ROWS_MAX) + 1):
                if row != merged.top and row not in self.rows:
                    continue  # nothing else stands there
                places = range(merged.left, min(merged.right, COLUMNS_MAX) + 1)
                self._take(len(places))
                for column in places:
                    self.rows[row].setdefault(column, value)
        first = min((min(row) for row in self.rows.values()), default=1)
        for place in sorted(self.rows):
            row_cells = self.rows[place]
            yield [row_cells.get(column, "") for column in range(first, max(row_cells) + 1)]


def _column(letters: str) -> int:
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found
