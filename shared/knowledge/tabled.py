"""Tables of a text in pieces that each say what the columns are, so that no row is found without its header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared.knowledge.extract.base import joined

LEAD_CHARS = 200
"""A paragraph above a table, up to so long, says what the table is of, and in which unit."""
_DASHES = re.compile(r":?-+:?")
_BAR = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def with_headers(text: str, limit: int) -> str:
    """The text with each table that is longer than limit divided into several, all with its caption and its header. A
    row that does not fit beside the header becomes paragraphs of `column: value`. Raises Unreadable beyond the bound
    of a document."""
    if "|" not in text or "-" not in text:
        return text
    return joined(_lines(text.split("\n"), limit), "\n")


def _lines(lines: Sequence[str], limit: int) -> Iterator[str]:
    at, fence = 0, ""
    held: list[str] = []  # the paragraph before, with the blank lines behind it
    while at < len(lines):
        line = lines[at]
        opening = _FENCE.match(line)
        if opening and not fence:
            fence = opening[1]
        elif opening and line.strip() == opening[1] and opening[1].startswith(fence):
            fence = ""
        if fence or not begins_table(lines, at):
            if line.strip() and held and not held[-1].strip():
                yield from held  # a new paragraph
                held = []
            held.append(line)
            if len(held) > 20:
                yield from held[:-1]
                held = held[-1:]
            at += 1
            continue
        end = at + 2
        while end < len(lines) and "|" in lines[end]:
            end += 1
        yield from _table(held, lines[at], lines[at + 1], lines[at + 2 : end], limit)
        held, at = [], end
    yield from held


def begins_table(lines: Sequence[str], at: int) -> bool:
    """A line of cells above one of dashes, as many as there are cells."""
    if "|" not in lines[at] or at + 1 == len(lines) or "-" not in lines[at + 1]:
        return False
    below = cells_of(lines[at + 1])
    return all(map(_DASHES.fullmatch, below)) and len(cells_of(lines[at])) == len(below)


def cells_of(line: str) -> list[str]:
    """What stands in the cells of a row."""
    bare = line.strip().removeprefix("|")
    if bare.endswith("|") and not bare.endswith("\\|"):
        bare = bare[:-1]
    return [cell.strip() for cell in _BAR.split(bare)]


def _table(above: list[str], header: str, dashes: str, rows: Sequence[str], limit: int) -> Iterator[str]:
    """above: the paragraph before the table, which is its caption where it is short."""
    said = [line for line in above if line.strip()]
    caption = "\n".join(said)
    is_caption = (
        bool(said) and len(caption) <= LEAD_CHARS and not caption.startswith(("#", "- ", "* ")) and "|" not in caption
    )
    attached = bool(above) and bool(above[-1].strip())
    head = [*(said if is_caption else ()), header, dashes]
    length = sum(len(line) + 1 for line in head)
    if length + sum(len(row) + 1 for row in rows) <= limit:
        if attached and not is_caption:
            yield from [*above, ""]
        elif is_caption:
            yield from said
        else:
            yield from above
        yield from [header, dashes, *rows]
        return
    if not is_caption:
        yield from [*above, *([""] if attached else [])]
    yield from _pieces(head, cells_of(header), caption if is_caption else "", rows, length, limit)


def _pieces(
    head: list[str], names: list[str], caption: str, rows: Sequence[str], length: int, limit: int
) -> Iterator[str]:  # fmt: skip
    part: list[str] = []
    size = length
    for row in rows:
        if length + len(row) > limit or 2 * length > limit:
            if part:
                yield from [*head, *part, ""]
            yield from _spelt_out(names, caption, cells_of(row), limit)
            part, size = [], length
            continue
        if part and size + len(row) > limit:
            yield from [*head, *part, ""]
            part, size = [], length
        part.append(row)
        size += len(row) + 1
    if part:
        yield from [*head, *part, ""]


def _spelt_out(names: Sequence[str], caption: str, row: Sequence[str], limit: int) -> Iterator[str]:
    """A row as `column: value`, one line a cell. What does not fit begins a paragraph of its own, which says the
    caption and the row's first cell again."""
    key = f"{names[0]}: {row[0]}"[: limit // 6]
    size = 0
    for place, value in enumerate(row):
        if not value:
            continue
        name = (names[place] if place < len(names) and names[place] else f"column {place + 1}")[: limit // 6]
        opening = [each for each in (caption, key if place else "") if each]
        taken = sum(len(each) + 1 for each in opening)
        for piece in _cut(value, limit - taken - len(name) - 3):
            line = f"{name}: {piece}"
            if size and size + len(line) > limit:
                yield ""
                size = 0
            if not size:
                yield from opening
                size = taken
            yield line
            size += len(line) + 1
    yield ""


def _cut(value: str, limit: int) -> Iterator[str]:
    """A long value between its words."""
    while len(value) > limit:
        end = value.rfind(" ", limit // 2, limit)
        end = limit if end < 0 else end
        yield value[:end]
        value = value[end:].lstrip()
    yield value
