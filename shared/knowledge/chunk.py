"""Text and Markdown cut into chunks along their own structure: headings, paragraphs, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.store.knowledge import NewChunk

TARGET_CHARS = 900
"""At most so long, so that eight passages fit a prompt and one fits a chat bubble."""
TAIL_CHARS = 200
"""A section's last chunk below this joins the one before it: alone it would have lost its context."""
VERSION = 1
"""Part of every content hash: raise it when the cuts change, and documents are chunked anew when added again."""

_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*")
_UNDERLINE = re.compile(r"(=+|-{2,})[ \t]*")
_FENCE = re.compile(r"[ \t]*(```|~~~)")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n")
_WORD_END = re.compile(r"\s+")

Span = tuple[int, int]


def clean(text: str) -> str:
    """The text as PostgreSQL can store it: no NUL, no lone surrogate, one kind of line end."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")


def split(title: str, text: str, target_chars: int = TARGET_CHARS) -> list[NewChunk]:
    """The chunks of a cleaned text, in order; none if it is blank.

    Each chunk's text is exactly text[start_char:start_char + len(chunk.text)], at most target_chars + TAIL_CHARS
    long, and lies inside one section. Its title is the document's and the headings above it: `Guide > Returns`.
    """
    chunks = []
    for headings, paragraphs in _sections(text):
        path = " > ".join([title, *(h for h in headings if h != title)])
        atoms = [atom for paragraph in paragraphs for atom in _atoms(text, paragraph, target_chars)]
        chunks += [NewChunk(path, text[start:end], start) for start, end in _packed(atoms, target_chars)]
    return chunks


def _sections(text: str) -> Iterator[tuple[list[str], list[Span]]]:
    """Each section's headings, outermost first, and the spans of its paragraphs."""
    path: list[tuple[int, str]] = []
    paragraphs: list[Span] = []
    pending: Span | None = None  # a heading that nothing has followed yet
    for start, end, level in _blocks(text):
        if level == 0:
            paragraphs.append((start, end))
            continue
        if paragraphs:
            yield [name for _, name in path], paragraphs
        elif pending is not None and path and level <= path[-1][0]:
            # Nothing stands under it: then the heading itself is all there is to find.
            yield [name for _, name in path[:-1]], [pending]
        pending, paragraphs = (start, end), []
        path = [part for part in path if part[0] < level]
        path.append((level, _heading_text(text[start:end])))
    if paragraphs:
        yield [name for _, name in path], paragraphs
    elif pending is not None:
        yield [name for _, name in path[:-1]], [pending]


def _heading_text(block: str) -> str:
    match = _HEADING.fullmatch(block)
    return match[2] if match else block.split("\n")[0].strip()


def _blocks(text: str) -> Iterator[tuple[int, int, int]]:
    """(start, end, level): paragraphs have level 0, headings 1 to 6. Fenced code is one paragraph."""
    lines = [(m.start(), m.end()) for m in re.finditer(r"[^\n]+", text)]
    begin: int | None = None
    last_end = 0
    fence: str | None = None
    for number, (start, end) in enumerate(lines):
        line = text[start:end]
        if fence is not None:
            last_end = end
            if line.strip() == fence:
                fence = None
            continue
        gap = begin is not None and "\n\n" in text[last_end : start + 1]
        heading = _HEADING.fullmatch(line)
        if begin is not None and (gap or heading or not line.strip()):
            yield begin, last_end, 0
            begin = None
        if heading:
            yield start, end, len(heading[1])
            continue
        if not line.strip():
            continue
        if (opening := _FENCE.match(line)) is not None:
            fence = opening[1]
        alone = begin is not None and lines[number - 1][0] == begin
        if begin is not None and alone and (underline := _UNDERLINE.fullmatch(line)):
            yield begin, end, 1 if underline[1][0] == "=" else 2
            begin = None
            continue
        begin, last_end = (start if begin is None else begin), end
    if begin is not None:
        yield begin, last_end, 0


def _atoms(text: str, span: Span, limit: int) -> list[Span]:
    """A paragraph as spans no longer than limit: itself, else its sentences and lines, else words, else cuts."""
    atoms = []
    for sentence in _pieces(text, span, _SENTENCE_END, limit):
        for start, end in _pieces(text, sentence, _WORD_END, limit):
            atoms += [(at, min(at + limit, end)) for at in range(start, end, limit)]
    return atoms


def _pieces(text: str, span: Span, boundary: re.Pattern[str], limit: int) -> list[Span]:
    """The span itself if it fits, else what the boundaries divide it into."""
    return [span] if span[1] - span[0] <= limit else _cut(text, span, boundary)


def _cut(text: str, span: Span, boundary: re.Pattern[str]) -> list[Span]:
    pieces, start = [], span[0]
    for match in boundary.finditer(text, span[0], span[1]):
        if match.start() > start:
            pieces.append((start, match.start()))
        start = match.end()
    if start < span[1]:
        pieces.append((start, span[1]))
    return pieces


def _packed(atoms: list[Span], limit: int) -> list[Span]:
    """Neighbouring spans joined while they fit; what lies between them is white space and comes along."""
    packed: list[Span] = []
    for start, end in atoms:
        if packed and end - packed[-1][0] <= limit:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    if len(packed) > 1 and packed[-1][1] - packed[-1][0] < TAIL_CHARS:
        tail = packed.pop()
        if tail[1] - packed[-1][0] <= limit + TAIL_CHARS:
            packed[-1] = (packed[-1][0], tail[1])
        else:
            packed.append(tail)
    return packed
