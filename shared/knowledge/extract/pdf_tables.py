"""Tables of PDF pages. A PDF knows none: there is text at places, and there are lines.

Where texts stand in columns that nothing crosses, and were drawn row by row, they are a table. Whatever may be read in
two ways stays lines, with a bar where a gap was: a value in a wrong column would be worse. The characters of the page
are the same before and after, or nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from shared.knowledge.extract.pdf_drawn import Piece, Rule, pieces
from shared.knowledge.extract.tables import CELLS_MAX, Grid

if TYPE_CHECKING:
    from pypdf import PageObject

PAGES_MAX, PAGE_CHARS_MAX = 500, 20_000
"""Tables are sought on so many pages of a document, on pages of at most so many characters."""
_MARKER = re.compile(r"[•●○▪■◦·*–—o-]|\(?(?:\d{1,3}|[A-Za-z])[.)]")
_LEADER = re.compile(r"\.{4}|(?:\. ){4}")
_DIGIT = re.compile(r"\d")
CELL_GAP = 0.9
"""In heights of the letters: a wider gap divides cells. Blanks between words are about a quarter, in justified lines up
to three quarters."""
WORD_GAP = 0.12
LINE_GAP = 3.0
PROSE_CHARS = 25
"""Two columns whose texts are longer on the average, without lines between them, are no table."""
CLOSER = 0.85
"""Lines that follow each other within this part of the usual distance belong to one row."""


@dataclass(slots=True)
class _Cell:
    left: float
    right: float
    pieces: list[Piece]

    @property
    def text(self) -> str:
        said = ""
        for before, piece in zip([None, *self.pieces], self.pieces, strict=False):
            apart = before is not None and (
                abs(before.y - piece.y) > piece.height / 2 or piece.left - before.right > WORD_GAP * piece.height
            )
            said += f" {piece.text}" if apart else piece.text
        return " ".join(said.split())

    @property
    def first(self) -> int:
        return min(piece.place for piece in self.pieces)

    @property
    def last(self) -> int:
        return max(piece.place for piece in self.pieces)


@dataclass(slots=True)
class _Line:
    y: float
    height: float
    cells: list[_Cell]


Row = dict[int, _Cell]
"""Cells by their column."""
Band = tuple[float, float]


def with_tables(page: PageObject, text: str, rules: Sequence[Rule]) -> str:
    """A page's text with its tables as Markdown. text: as pypdf extracts it. rules: the lines drawn on it."""
    if len(text) > PAGE_CHARS_MAX:
        return text
    drawn = pieces(page)
    found: list[tuple[int, int, str]] = []
    places = [place for place, char in enumerate(text) if not char.isspace()]
    compact = "".join(text[place] for place in places)
    for lines, bands in _blocks(_lines(drawn)):
        inside = sorted(
            (piece for line in lines for cell in line.cells for piece in cell.pieces), key=lambda p: p.place
        )
        if inside[-1].place - inside[0].place + 1 != len(inside):
            continue  # something else was drawn in between
        said = "".join("".join(piece.text.split()) for piece in inside)
        written = _written(lines, bands, rules)
        if written and compact.count(said) == 1:
            at = compact.index(said)
            found.append((places[at], places[at + len(said) - 1] + 1, written))
    found.sort(reverse=True)
    for begin, end, written in found:
        text = f"{text[:begin].rstrip()}\n\n{written}\n\n{text[end:].lstrip()}"
    return text.strip()


def _lines(drawn: Sequence[Piece]) -> list[_Line]:
    lines: list[list[Piece]] = []
    for piece in sorted(drawn, key=lambda piece: (-piece.y, piece.left)):
        if lines and abs(lines[-1][0].y - piece.y) <= 0.35 * max(lines[-1][0].height, piece.height):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [_line(sorted(line, key=lambda piece: piece.left)) for line in lines]


def _line(found: list[Piece]) -> _Line:
    height = max(piece.height for piece in found)
    cells: list[_Cell] = []
    for piece in found:
        if cells and piece.left - cells[-1].right <= CELL_GAP * height:
            cells[-1].pieces.append(piece)
            cells[-1].right = max(cells[-1].right, piece.right)
        else:
            cells.append(_Cell(piece.left, piece.right, [piece]))
    return _Line(found[0].y, height, cells)


def _blocks(lines: list[_Line]) -> Iterator[tuple[list[_Line], list[Band]]]:
    """Lines below each other whose cells stand in columns that no cell crosses."""
    begin = 0
    while begin < len(lines):
        bands: list[Band] | None = _banded([], lines[begin]) if len(lines[begin].cells) > 1 else None
        end = begin + 1
        while bands is not None and end < len(lines):
            line = lines[end]
            wider = _banded(bands, line)
            if wider is None or lines[end - 1].y - line.y > LINE_GAP * line.height:
                break
            if len(line.cells) == 1 and len(wider) > len(bands):
                break
            bands, end = wider, end + 1
        if bands is not None and sum(len(line.cells) > 1 for line in lines[begin:end]) > 1:
            yield lines[begin:end], bands
        begin = end


def _banded(bands: list[Band], line: _Line) -> list[Band] | None:
    """The columns with this line's cells; None if one of them reaches over two, or two of them stand in one."""
    for cell in line.cells:
        met = [band for band in bands if cell.left < band[1] and band[0] < cell.right]
        if len(met) > 1:
            return None
        bands = [band for band in bands if band not in met]
        bands.append((min([cell.left, *(b[0] for b in met)]), max([cell.right, *(b[1] for b in met)])))
    bands.sort()
    apart = all(right[0] - left[1] > CELL_GAP * line.height / 2 for left, right in pairwise(bands))
    return bands if apart and len({_column(bands, cell) for cell in line.cells}) == len(line.cells) else None


def _column(bands: Sequence[Band], cell: _Cell) -> int:
    return next(number for number, band in enumerate(bands) if band[0] <= cell.left and cell.right <= band[1])


def _written(lines: list[_Line], bands: list[Band], rules: Sequence[Rule]) -> str:
    """A block as Markdown, as lines with bars where its rows or its header are unclear; empty to leave it as it is."""
    as_lines: list[Row] = [{_column(bands, cell): cell for cell in line.cells} for line in lines]
    texts = [cell.text for row in as_lines for cell in row.values()]
    if any(_LEADER.search(text) for text in texts) or all(
        _MARKER.fullmatch(row[0].text) for row in as_lines if 0 in row
    ):
        return ""  # a table of contents; a list
    ruled = _ruled(lines, bands, rules)
    if len(bands) == 2 and not any(ruled) and sum(map(len, texts)) > PROSE_CHARS * len(texts):
        return ""
    rows = _rows(lines, as_lines, ruled)
    if rows is not None:
        header = _has_header(rows, len(bands), ruled[0])
        cells = [[row[place].text if place in row else "" for place in range(len(bands))] for row in rows]
        if header and len(rows) > 2 - any(ruled):
            grid = Grid([CELLS_MAX])
            for number, row in enumerate(cells):
                grid.begin_row(header=not number)
                for text in row:
                    grid.cell(text)
            return "\n\n".join(grid.blocks())
        if len(rows) < 2:
            return ""
        return "\n".join(" | ".join(row) for row in cells)
    if not _in_order(as_lines):
        return ""
    return "\n".join(" | ".join(row[place].text for place in sorted(row)) for row in as_lines)


def _ruled(lines: list[_Line], bands: list[Band], rules: Sequence[Rule]) -> list[bool]:
    """Whether a line is drawn below each line of text but the last, over most of the block's width."""
    left, right = bands[0][0], bands[-1][1]
    found = []
    for above, below in pairwise(lines):
        over = [(max(rule.left, left), min(rule.right, right)) for rule in rules if below.y < rule.y < above.y]
        covered, reached = 0.0, left
        for begin, end in sorted(over):
            covered += max(0.0, end - max(begin, reached))
            reached = max(reached, end)
        found.append(covered > 0.6 * (right - left))
    return found


def _rows(lines: list[_Line], as_lines: list[Row], ruled: list[bool]) -> list[Row] | None:
    """The lines, those of one row together; None where that is unclear.

    Programs draw cell by cell. So where a second line of a cell was drawn before the next cell's first one, it goes on;
    where it is alone in the last column, distance and rules have to tell.
    """
    gaps = [above.y - below.y for above, below in pairwise(lines)]
    usual = [gap for gap, row in zip(gaps, as_lines[1:], strict=True) if 0 in row and len(row) > 1]
    if not usual:
        return None
    pitch, widest = median(usual), max(usual)
    rows = [dict(as_lines[0])]
    for row, gap, line_drawn in zip(as_lines[1:], gaps, ruled, strict=True):
        above = rows[-1]
        first = min(cell.first for cell in row.values())
        after = first > max(cell.last for cell in above.values())
        alone = len(row) == 1 and min(row) >= max(above)
        if line_drawn or (after and not alone and gap >= CLOSER * pitch and sum(ruled) < 2):
            if not after:
                return None
            rows.append(dict(row))
        elif (not after or alone) and (sum(ruled) > 1 or gap < CLOSER * (pitch if after else widest)):
            if (joined := _joined(above, row)) is None:
                return None
            rows[-1] = joined
        else:
            return None
    return rows if _in_order(rows) else None


def _joined(above: Row, below: Row) -> Row | None:
    """A row that goes on in the next line; None if its cells were not drawn one after the other."""
    found = {}
    for place in sorted(above.keys() | below.keys()):
        parts = [row[place] for row in (above, below) if place in row]
        found[place] = _Cell(
            min(part.left for part in parts),
            max(part.right for part in parts),
            [p for part in parts for p in part.pieces],
        )
    return found if _in_order([found]) else None


def _in_order(rows: Sequence[Row]) -> bool:
    """Whether the cells were drawn row by row, from left to right."""
    cells = [row[place] for row in rows for place in sorted(row)]
    return all(before.last < after.first for before, after in pairwise(cells))


def _has_header(rows: list[Row], width: int, line_drawn: bool) -> bool:
    """Whether the first row names the columns: without figures, and set off from the others by its letters, a line, or
    because there are figures below."""
    head, *body = rows
    if not body or len(head) < width - (0 not in head) or any(_DIGIT.search(cell.text) for cell in head.values()):
        return False
    if _is_bold(head) and not all(_is_bold(row) for row in body):
        return True
    figures = any(
        2 * sum(place in row and bool(_DIGIT.search(row[place].text)) for row in body) > len(body)
        for place in range(1, width)
    )
    return figures and (width > 2 or line_drawn)


def _is_bold(row: Row) -> bool:
    return all(piece.bold for cell in row.values() for piece in cell.pieces)
