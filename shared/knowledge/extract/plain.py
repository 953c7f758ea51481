"""Text, Markdown, and tables as text."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from shared.knowledge.extract import charsets, sheets
from shared.knowledge.extract.base import Extracted, Unreadable, bounded, joined, title_cut

FIELD_MAX = 200_000
DELIMITERS = "\t;|,"
"""The comma last: in `1,50;2,75` it is none."""
FRONT_MATTER_LINES = 200
_DECIMAL = re.compile(r"(?<=\d),(?=\d)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def read_text(raw: bytes) -> Extracted:
    return Extracted(bounded(charsets.of_text(raw)))


# ------------------------------------------------------------------ Markdown
def read_markdown(raw: bytes) -> Extracted:
    """Without front matter, comments and the marks around code, which keeps its lines, moved in by four blanks. The
    title is the front matter's, else a heading that stands first."""
    text = bounded(charsets.of_text(raw)).replace("\r\n", "\n").replace("\r", "\n")
    title, begins = _front_matter(text)
    text = joined(_without_marks(_without_comments(text[begins:]).split("\n")), "\n")
    first = text[:8_000].strip("\n").split("\n", 1)[0]
    is_heading = first.lstrip(" ").startswith("#") and not first.startswith("    ")
    return Extracted(text, title or (title_cut(first.lstrip("# ")) if is_heading else None))


def _front_matter(text: str) -> tuple[str | None, int]:
    """The title that it names, and where the text behind it begins. It stands between two lines of three dashes (or
    pluses) and tells `name: value`."""
    mark = text[:3]
    if mark not in ("---", "+++") or text[3:4] != "\n":
        return None, 0
    at, title, told = 4, None, False
    for _ in range(FRONT_MATTER_LINES):
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)]
        if line.rstrip() in (mark, "..."):
            return (title_cut(title or ""), len(text) if end < 0 else end + 1) if told else (None, 0)
        name, sign, value = line.partition(":" if mark == "---" else "=")
        if sign and name.strip().replace("_", "").replace("-", "").isalnum():
            told = True
            if name.strip().lower() == "title":
                title = value.strip().strip("\"'")
        elif line.strip() and not line.startswith((" ", "\t", "-", "#", "]", "[")):
            return None, 0  # a line between two rules
        if end < 0:
            break
        at = end + 1
    return None, 0


def _without_comments(text: str) -> str:
    """HTML's comments are notes among those who write."""
    if "<!--" not in text:
        return text
    kept, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        kept.append(text[at:begin])
        at = end + 3
    return "".join([*kept, text[at:]])


def _without_marks(lines: list[str]) -> Iterator[str]:
    fence = ""
    for line in lines:
        opening = _FENCE.match(line)
        if not fence:
            if opening is None:
                yield line
            elif "`" in line[opening.end() :] and opening[1][0] == "`":
                yield line  # code within a line
            else:
                fence = opening[1]
        elif opening is not None and not line.strip().strip(fence[0]) and len(opening[1]) >= len(fence):
            fence = ""
        elif opening is None:
            yield "    " + line if line.strip() else ""


# ------------------------------------------------------------------ tables
class _Dialect(NamedTuple):
    """begins: where the first row does. quoting: csv's. escapes: a backslash does, in place of doubled quotes."""

    delimiter: str
    begins: int
    quoting: Literal[0, 3]
    escapes: bool


def read_csv(raw: bytes) -> Extracted:
    """How its cells are divided is decided on the whole file; sheets.blocks() tells what becomes of the rows."""
    text = bounded(charsets.of_text(raw))
    csv.field_size_limit(FIELD_MAX)
    dialect = _dialect(text)
    try:
        return Extracted(joined(sheets.blocks(_rows(text, dialect))))
    except csv.Error as e:
        raise Unreadable(f"not a valid table: {e}") from None


def _rows(text: str, dialect: _Dialect, *, strict: bool = False) -> Iterator[list[str]]:
    reader = csv.reader(
        io.StringIO(text[dialect.begins :] if dialect.begins else text, newline=""), delimiter=dialect.delimiter,
        skipinitialspace=True, quoting=dialect.quoting, doublequote=not dialect.escapes,
        escapechar="\\" if dialect.escapes else None, strict=strict,
    )  # fmt: skip
    if dialect.quoting != csv.QUOTE_NONE:
        return iter(reader)
    return ([_bare(cell.strip()) for cell in row] for row in reader)


def _bare(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _dialect(text: str) -> _Dialect:
    """What stands between cells, and where the first row begins: as the file says (`sep=;`), else what divides most of
    its rows alike, into the most cells. Where quotes do not close as they should and the rows fit better without them,
    they mean inches."""
    begins = 0
    escapes = '\\"' in text and '""' not in text.replace('\\""', "")
    delimiters: Sequence[str] = DELIMITERS
    first = text[:8].split("\n", 1)[0].rstrip("\r")
    if first.lower().startswith("sep=") and len(first) == 5:
        delimiters = first[4]
        begins = min(len(text), text.index(first) + len(first) + 1)
    alike = {each: _alike(text, _Dialect(each, begins, csv.QUOTE_MINIMAL, escapes)) for each in delimiters}
    commas = text.count(",")
    if commas and len(_DECIMAL.findall(text)) == commas and any(alike[each][:2] > (0, 0) for each in delimiters[:-1]):
        alike[","] = (0, 0, True)  # each of them stands in a number
    best = max(delimiters, key=lambda each: alike[each][:2])  # of equals the first
    if alike[best][0] == 0 and len(delimiters) > 1:
        best = ","
    quoted = _Dialect(best, begins, csv.QUOTE_MINIMAL, escapes)
    bare = _Dialect(best, begins, csv.QUOTE_NONE, False)
    return quoted if alike[best][2] or _alike(text, bare)[:2] <= alike[best][:2] else bare


def _alike(text: str, dialect: _Dialect) -> tuple[int, int, bool]:
    """How many rows have as many cells as most have, how many cells those are, and whether all quotes close."""
    widths: Counter[int] = Counter()
    try:
        for number, row in enumerate(_rows(text, dialect)):
            widths[len(row)] += 1
            if number > sheets.ROWS_MAX:
                break
    except csv.Error:
        pass  # what was counted before stays
    count, width = max(((count, width) for width, count in widths.items() if width > 1), default=(0, 0))
    return count, width, dialect.quoting == csv.QUOTE_NONE or _closes(text, dialect)


def _closes(text: str, dialect: _Dialect) -> bool:
    if '"' not in text:
        return True
    try:
        for _ in _rows(text, dialect, strict=True):
            pass
    except csv.Error:
        return False
    return True
