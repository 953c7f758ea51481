"""Text, Markdown, tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from shared.knowledge.extract.base import Extracted, Unreadable, bounded, decoded, joined, title_cut

ROWS_MAX = 100_000
FIELD_MAX = 200_000
COLUMNS_MAX = 1_000
CELL_CHARS = 200
"""Of a column's name, which each of its cells repeats."""
DELIMITERS = "\t;|,"
"""The comma last: in `1,50;2,75` it is none."""
SAMPLE_CHARS, SAMPLE_ROWS = 16_384, 20


def read_text(raw: bytes) -> Extracted:
    return Extracted(bounded(decoded(raw)))


def read_markdown(raw: bytes) -> Extracted:
    """The title is a heading that stands first."""
    text = bounded(decoded(raw))
    first = text[:8_000].lstrip().split("\n", 1)[0]
    return Extracted(text, title_cut(first.lstrip("# ")) if first.startswith("#") else None)


def read_csv(raw: bytes) -> Extracted:
    """Each row is a paragraph of `column: value` lines, so that what stands in a cell is found with its column."""
    text = bounded(decoded(raw))
    delimiter, begins = _delimiter(text)
    csv.field_size_limit(FIELD_MAX)
    lines = io.StringIO(text[begins:], newline="")
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        return Extracted(joined(_paragraphs(rows)))
    except csv.Error as e:
        raise Unreadable(f"not a valid table: {e}") from None


def _delimiter(text: str) -> tuple[str, int]:
    """What stands between cells, and where the first row begins: as the file says (`sep=;`), else what divides its
    first rows alike, into the most cells."""
    first = text[:8].split("\n", 1)[0].rstrip("\r")
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[4], min(len(text), text.index(first) + len(first) + 1)
    sample = io.StringIO(text[:SAMPLE_CHARS], newline="")
    whole = len(text) <= SAMPLE_CHARS
    alike = {}
    for delimiter in DELIMITERS:
        sample.seek(0)
        widths = _widths(csv.reader(sample, delimiter=delimiter, skipinitialspace=True), whole)
        alike[delimiter] = max(((widths.count(width), width) for width in set(widths) if width > 1), default=(0, 0))
    best = max(DELIMITERS, key=lambda each: alike[each])  # of equals the first
    return (best if alike[best] > (0, 0) else ","), 0


def _widths(rows: Iterator[list[str]], whole: bool) -> list[int]:
    """How many cells the first rows have; without the last one of a part, which may be cut off."""
    widths = []
    try:
        for row in islice(rows, SAMPLE_ROWS):
            widths.append(len(row))  # noqa: PERF401  what was counted before an error stays
    except csv.Error:
        return widths
    return widths if whole or len(widths) < 2 else widths[:-1]


def _paragraphs(rows: Iterator[list[str]]) -> Iterator[str]:
    header: list[str] | None = None
    for number, row in enumerate(rows):
        if number > ROWS_MAX:
            raise Unreadable(f"more than {ROWS_MAX} rows: divide the table")
        if len(row) > COLUMNS_MAX:
            raise Unreadable(f"more than {COLUMNS_MAX} columns: divide the table")
        if header is None:
            if not any(map(str.strip, row)):
                continue  # blank lines before the table, and what the line end behind `sep=;` leaves
            header = [" ".join(name[:CELL_CHARS].split()) or f"column {place}" for place, name in enumerate(row, 1)]
            continue
        yield from _paragraph(header, row)


def _paragraph(header: list[str], row: list[str]) -> Iterator[str]:
    """The row's lines, if it has any; a wide row of long column names is counted before it is joined."""
    lines = [
        f"{header[place] if place < len(header) else f'column {place + 1}'}: {' '.join(value.split())}"
        for place, value in enumerate(row) if value.strip()
    ]  # fmt: skip
    if lines:
        yield "\n".join(lines)
