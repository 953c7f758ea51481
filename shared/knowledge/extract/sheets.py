"""Rows of cells as text: what stands above a table, which row names the columns, and each value beside its column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from shared.knowledge.extract.base import TITLE_CHARS, Unreadable

ROWS_MAX = 100_000
COLUMNS_MAX = 1_000
NAME_CHARS = 200
"""Of a column's name, which each of its cells repeats."""
LOOK_ROWS = 50
_NUMBER = re.compile(r"[-+]?[€$£¥]? ?\d[\d.,' ]{0,30}(?:%|€|\$|£|¥|EUR|USD|CHF)?")
_YEAR = re.compile(r"(?:19|20)\d\d")


def blocks(rows: Iterable[Sequence[str]], level: int = 1) -> Iterator[str]:
    """Each row is a paragraph of `column: value` lines, so that what stands in a cell is found with its column.

    Rows of a single cell above the table become a heading of this level. Where the first row holds figures it names no
    columns: then the rows' cells stand beside each other. Raises Unreadable beyond the bounds.
    """
    first, rest = _begun(iter(rows))
    above = []
    while len(first) > 1 and _is_title(first[0]) and any(not _is_title(row) for row in first[1:]):
        above.append(" ".join(next(cell for cell in first.pop(0) if cell.strip()).split()))
    if above:
        yield f"{'#' * level} {' – '.join(above)[:TITLE_CHARS]}"
    if not first:
        return
    names: list[str] | None = None
    if not _holds_figures(first[0]):
        row = _bounded(first.pop(0))
        names = [" ".join(name[:NAME_CHARS].split()) or f"column {place}" for place, name in enumerate(row, 1)]
        if not first and (row := next(rest, [])) == []:
            yield " | ".join(names)  # nothing but this row
            return
        first = first or [row]
    for row in first:
        yield from _paragraph(names, row)
    for row in rest:
        yield from _paragraph(names, row)


def _begun(rows: Iterator[Sequence[str]]) -> tuple[list[Sequence[str]], Iterator[Sequence[str]]]:
    """The first rows that hold something, and all others."""
    counted = _counted(rows)
    first = []
    for row in counted:
        first.append(row)
        if len(first) == LOOK_ROWS:
            break
    return first, counted


def _counted(rows: Iterator[Sequence[str]]) -> Iterator[Sequence[str]]:
    for number, row in enumerate(rows):
        if number > ROWS_MAX:
            raise Unreadable(f"more than {ROWS_MAX} rows: divide the table")
        if any(cell.strip() for cell in row):
            yield _bounded(row)


def _bounded(row: Sequence[str]) -> Sequence[str]:
    if len(row) > COLUMNS_MAX:
        raise Unreadable(f"more than {COLUMNS_MAX} columns: divide the table")
    return row


def _is_title(row: Sequence[str]) -> bool:
    """One cell, or one that was merged over the others."""
    return len({cell.strip() for cell in row if cell.strip()}) == 1


def _holds_figures(row: Sequence[str]) -> bool:
    """Whether the row is one of data: a number that is no year, in a cell of its own."""
    cells = [cell.strip() for cell in row if cell.strip()]
    return any(len(cell) < 40 and _NUMBER.fullmatch(cell) and not _YEAR.fullmatch(cell) for cell in cells)


def _paragraph(names: Sequence[str] | None, row: Sequence[str]) -> Iterator[str]:
    """The row's lines, if it has any; a wide row of long column names is counted before it is joined."""
    cells = [" ".join(value.split()) for value in row]
    if names is None:
        yield " | ".join(cells)
        return
    lines = [
        f"{names[place] if place < len(names) else f'column {place + 1}'}: {value}"
        for place, value in enumerate(cells) if value
    ]  # fmt: skip
    if lines:
        yield "\n".join(lines)
