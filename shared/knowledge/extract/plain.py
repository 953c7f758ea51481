"""Text, Markdown, tables."""

from __future__ import annotations

import csv
import io
from itertools import islice

from shared.knowledge.extract.base import Extracted, Unreadable, bounded, decoded

ROWS_MAX = 100_000
FIELD_MAX = 200_000


def read_text(raw: bytes) -> Extracted:
    return Extracted(bounded(decoded(raw)))


def read_markdown(raw: bytes) -> Extracted:
    """The title is a heading that stands first."""
    text = bounded(decoded(raw))
    first = text.lstrip().split("\n", 1)[0]
    return Extracted(text, first.lstrip("# ").strip() or None if first.startswith("#") else None)


def read_csv(raw: bytes) -> Extracted:
    """Each row is a paragraph of `column: value` lines, so that what stands in a cell is found with its column."""
    text = bounded(decoded(raw))
    csv.field_size_limit(FIELD_MAX)
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = list(islice(csv.reader(io.StringIO(text, newline=""), dialect), ROWS_MAX + 2))
    except csv.Error as e:
        raise Unreadable(f"no table: {e}") from None
    if len(rows) > ROWS_MAX + 1:
        raise Unreadable(f"more than {ROWS_MAX} rows: divide the table")
    if not rows:
        return Extracted("")
    header = [name.strip() or f"column {place}" for place, name in enumerate(rows[0], 1)]
    paragraphs = []
    for row in rows[1:]:
        named = zip([*header, *(f"column {n}" for n in range(len(header) + 1, len(row) + 1))], row, strict=False)
        lines = [f"{name}: {' '.join(value.split())}" for name, value in named if value.strip()]
        if lines:
            paragraphs.append("\n".join(lines))
    return Extracted(bounded("\n\n".join(paragraphs)))
