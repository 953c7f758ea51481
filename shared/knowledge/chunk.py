"""Text and Markdown cut into chunks along their own structure: headings, paragraphs, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared.knowledge.extract.base import Turn
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


# ------------------------------------------------------------------ transcripts
PAUSE_S = 15.0
"""After such a silence something else begins."""
OPENING_CHARS = 300
"""A part shorter than this goes on across a pause."""


def transcribed(turns: Sequence[Turn]) -> str:
    """The text of a transcript: a line for each turn, `Ann: …`."""
    return "\n".join(_line(turn) for turn in turns)


def _line(turn: Turn) -> str:
    return f"{turn.speaker}: {turn.text}" if turn.speaker else turn.text


def split_turns(title: str, turns: Sequence[Turn], target_chars: int = TARGET_CHARS) -> list[NewChunk]:
    """The chunks of `transcribed(turns)`: whole turns while they fit, cut where somebody falls silent; a turn that is
    too long alone is cut at its sentences and keeps its speaker. A chunk's title says when it begins: `Call > 0:12:30`.
    """
    text = transcribed(turns)
    chunks: list[NewChunk] = []
    part: list[tuple[int, Turn]] = []  # where a turn begins in the text
    at = 0
    for turn in turns:
        end = at + len(_line(turn))
        if part and (end - part[0][0] > target_chars or _silent(part, at, turn)):
            chunks += _spoken(title, text, part, at - 1, target_chars)
            part = []
        part.append((at, turn))
        at = end + 1
    if part:
        chunks += _spoken(title, text, part, at - 1, target_chars)
    return chunks


def _silent(part: Sequence[tuple[int, Turn]], at: int, turn: Turn) -> bool:
    before = part[-1][1].starts_s
    if turn.starts_s is None or before is None or at - part[0][0] < OPENING_CHARS:
        return False
    # How long the turn before lasted is not known: 15 characters are a second of speech.
    return turn.starts_s - before - len(part[-1][1].text) / 15 > PAUSE_S


def _spoken(title: str, text: str, part: Sequence[tuple[int, Turn]], end: int, limit: int) -> list[NewChunk]:
    begin, first = part[0]
    named = title if first.starts_s is None else f"{title} > {_clock(first.starts_s)}"
    speakers = tuple(dict.fromkeys(turn.speaker for _, turn in part if turn.speaker))
    spans = [(begin, end)] if end - begin <= limit else _packed(_atoms(text, (begin, end), limit), limit)
    return [NewChunk(named, text[start:stop], start, speakers) for start, stop in spans if text[start:stop].strip()]


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
