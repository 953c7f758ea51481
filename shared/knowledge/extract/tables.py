"""Tables as Markdown: each value in its cell, whatever is empty, merged or has several paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared.knowledge.extract.base import Unreadable, joined

COLUMNS_MAX = 1_000
CELLS_MAX = 1_000_000
"""Of a document's tables, the cells that merged ones cover included."""
CAPTION_CHARS = 300
"""A longer text above a table is a paragraph of its own: it would stand above each part of the table again."""
_DIGIT = re.compile(r"\d")

Rows = list[list[str]]


class Grid:
    """A table that is being read, row by row. Merged cells give their value to each place that they cover."""

    def __init__(self, room: list[int] | None = None) -> None:
        """room: a list of one number, how many cells may still come; several tables of a document share it."""
        self.rows: Rows = []
        self.captions: list[str] = []
        self._flagged: list[bool] = []
        self._merged: list[bool] = []
        self._down: dict[int, tuple[int, str]] = {}  # by column: rows that a cell still reaches down, its text
        self._left = [CELLS_MAX] if room is None else room

    def begin_row(self, *, header: bool = False) -> None:
        self.rows.append([])
        self._flagged.append(header)
        self._merged.append(False)
        self._covered()

    def cell(self, text: str, across: int = 1, down: int = 1) -> None:
        """The next cell of the row. across, down: how many places it covers."""
        across, down = max(1, across), max(1, down)
        text = " ".join(text.split())
        row = self.rows[-1]
        if len(row) + across > COLUMNS_MAX:
            raise Unreadable(f"more than {COLUMNS_MAX} columns: divide the table")
        self._take(across)
        for _ in range(across):
            if down > 1:
                self._down[len(row)] = (down - 1, text)
            row.append(text)
        self._merged[-1] |= across > 1
        self._covered()

    def above(self) -> str:
        """What stands over the cell that comes next."""
        place = len(self.rows[-1])
        return self.rows[-2][place] if len(self.rows) > 1 and place < len(self.rows[-2]) else ""

    def skip(self, places: int) -> None:
        for _ in range(min(places, COLUMNS_MAX)):
            self.cell("")

    def _covered(self) -> None:
        """Fill the places that cells of rows above reach down into."""
        row = self.rows[-1]
        while (reaching := self._down.get(len(row))) is not None:
            left, text = reaching
            if left > 1:
                self._down[len(row)] = (left - 1, text)
            else:
                del self._down[len(row)]
            self._take(1)
            row.append(text)

    def _take(self, cells: int) -> None:
        self._left[0] -= cells
        if self._left[0] < 0:
            raise Unreadable(f"more than {CELLS_MAX} cells: divide the table")

    # ------------------------------------------------------------------ as text
    def blocks(self) -> list[str]:
        """The table as Markdown; a row that spans all columns in its middle divides it, and is the caption of what
        follows. Of a single column its paragraphs."""
        kept = [place for place, row in enumerate(self.rows) if any(row)]
        rows, flagged = [self.rows[n] for n in kept], [self._flagged[n] for n in kept]
        merged = [self._merged[n] for n in kept]
        width = max((max((n + 1 for n, cell in enumerate(row) if cell), default=0) for row in rows), default=0)
        rows = [(row + [""] * width)[:width] for row in rows]
        captions = [caption for caption in self.captions if caption]
        if width < 2 or len(rows) < 2:
            lines = ["\n\n".join(captions)] + [" | ".join(row) for row in rows]
            return [line for line in lines if line.strip(" |")]
        while len(rows) > 2 and _is_banner(rows[0], merged[0]):
            captions.append(rows.pop(0)[0])
            del flagged[0], merged[0]
        header, body = _header(rows, flagged, merged)
        lead = [" – ".join(captions)] if sum(map(len, captions)) > CAPTION_CHARS else []
        return [*lead, *_parts([] if lead else captions, header, rows[body:], merged[body:])]


def _is_banner(row: Sequence[str], merged: bool) -> bool:
    """A row whose one cell covers all columns."""
    return merged and len(set(row)) == 1 and bool(row[0])


def _header(rows: Rows, flagged: Sequence[bool], merged: Sequence[bool]) -> tuple[list[str], int]:
    """The columns' names, and how many rows they take: those marked as such, else the first, and the second where the
    first groups columns (`Price` above `Summer` and `Winter`)."""
    count = next((n for n, mark in enumerate(flagged) if not mark), len(flagged) - 1)
    if count == 0:
        grouped = merged[0] and len(rows) > 2 and len(set(rows[1])) > len(set(rows[0]))
        count = 2 if grouped and not any(_DIGIT.search(cell) for cell in rows[1]) else 1
    columns = zip(*rows[:count], strict=True)
    return [" / ".join(dict.fromkeys(part for part in column if part)) for column in columns], count


def _parts(captions: list[str], header: list[str], rows: Rows, merged: Sequence[bool]) -> Iterator[str]:
    """A table for each group of rows, below the row that spans all columns. Where there are only such rows, each says
    the same of every column."""
    banners = [_is_banner(row, is_merged) for row, is_merged in zip(rows, merged, strict=True)]
    if all(banners):
        yield markdown(header, rows, captions)
        return
    group: str | None = None
    part: Rows = []
    for row, is_banner in zip(rows, banners, strict=True):
        if not is_banner:
            part.append(row)
            continue
        if part:
            yield markdown(header, part, captions if group is None else [*captions, group])
        elif group is not None:
            yield group
        group, part = row[0], []
    if part:
        yield markdown(header, part, captions if group is None else [*captions, group])
    elif group is not None:
        yield group


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], captions: Sequence[str] = ()) -> str:
    """A table as Markdown has it, what it is called on the line above it."""
    width = max(len(header), 1)
    lines = [" – ".join(captions)] if captions else []
    lines += [_line(header), "|" + " --- |" * width]
    return joined((*lines, *(_line(row) for row in rows)), "\n")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
