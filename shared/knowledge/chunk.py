"""Text and Markdown cut into chunks along their own structure: headings, paragraphs, sentences."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from shared.knowledge.extract.base import CHUNKED_CHARS_MAX, CHUNKS_MAX, TITLE_CHARS, Parsed, Turn, Unreadable
from shared.knowledge.tabled import with_headers
from shared.model import NewChunk
from shared.text import without_surrogates

TARGET_CHARS = 900
"""At most so long, so that eight passages fit a prompt and one fits a chat bubble."""
TAIL_CHARS = 200
"""A section's last chunk below this joins the one before it: alone it would have lost its context."""
VERSION = 2
"""Part of every content hash: raise it when the cuts change, and documents are chunked anew when added again."""

_UNDERLINE = re.compile(r"(=+|-{2,})[ \t]*")
_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n")
_WORD_END = re.compile(r"\s+")

_PLAIN = (
    dict.fromkeys(map(ord, "\u00ad\u034f\u200b\u2060\ufeff"))
    | dict.fromkeys(
        map(ord, "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"), " "
    )
    | dict.fromkeys(map(ord, "\u2010\u2011"), "-")
    | dict.fromkeys(map(ord, "\u2028\u2029"), "\n")
)
"""Soft hyphens, and what else nobody sees; spaces and hyphens that only differ in where a line may break."""
_FORMS = re.compile(
    "[\uff05\uff0d-\uff19\uff20-\uff3a\uff3f\uff41-\uff5a\uff66-\uffdc\ufb00-\ufb06\ufe70-\ufefc\ufb50-\ufbb1]+"
)
"""Wide and narrow forms of letters, digits and what stands in codes; ligatures; Arabic letters as they are drawn. The
punctuation of Chinese and Japanese stays: the model was made with it."""

Span = tuple[int, int]


def clean(text: str) -> str:
    """The text as PostgreSQL can store it and as people write it: no NUL, no lone surrogate, one kind of line end; no
    invisible marks between letters; letters with their accents in one (NFC), ligatures and wide forms as plain ones. So
    a word reads the same in a document and in a question. Figures above the line stay as they are: 10² is not 102."""
    if text.isascii():
        return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    text = without_surrogates(text).replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").translate(_PLAIN)
    return unicodedata.normalize("NFC", _FORMS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text))


def parsed(title: str, text: str = "", turns: Sequence[Turn] = ()) -> Parsed:
    """A text or Markdown document, or what was said in a conversation, as it is stored. Raises Unreadable where it is
    more than a document may be. For what somebody sent call it in a child (extract.read_document)."""
    title = clean(title).strip()[:TITLE_CHARS].strip()
    if not turns:
        text = with_headers(clean(text), TARGET_CHARS)
        return Parsed(title, text, tuple(split(title, text)))
    turns = [Turn(clean(turn.speaker), clean(turn.text), turn.starts_s) for turn in turns]
    times = "".join(str(turn.starts_s) for turn in turns)
    return Parsed(title, transcribed(turns), tuple(split_turns(title, turns)), "transcript", times)


def split(title: str, text: str, target_chars: int = TARGET_CHARS) -> list[NewChunk]:
    """The chunks of a cleaned text, in order; none if it is blank.

    Each chunk's text is exactly text[start_char:start_char + len(chunk.text)], at most target_chars + TAIL_CHARS
    long, and lies inside one section. Its title is the document's and the headings above it: `Guide > Returns`.
    """
    chunks, count = [], _Count()
    for headings, paragraphs in _sections(text):
        path = _path(title, headings)
        atoms = (atom for paragraph in paragraphs for atom in _atoms(text, paragraph, target_chars))
        for start, end in _packed(atoms, target_chars):
            count.add(path, end - start)
            chunks.append(NewChunk(path, text[start:end], start))
    return chunks


class _Count:
    """What a document's chunks come to, counted while they are made. Raises Unreadable beyond the bounds."""

    def __init__(self) -> None:
        self._chunks = self._chars = 0

    def add(self, title: str, chars: int) -> None:
        self._chunks += 1
        self._chars += len(title) + chars
        if self._chunks > CHUNKS_MAX or self._chars > CHUNKED_CHARS_MAX:
            raise Unreadable(f"more than {CHUNKS_MAX} sections, or headings that are too long: divide the document")


def _path(title: str, headings: Sequence[str]) -> str:
    """`Guide > Returns`, at most TITLE_CHARS long: what is too long loses its middle, because the innermost heading
    tells most."""
    whole = " > ".join([title, *(h for h in headings if h != title)])
    if len(whole) <= TITLE_CHARS:
        return whole
    end = whole[-(TITLE_CHARS // 2) :] if headings else ""
    return f"{whole[: TITLE_CHARS - len(end) - 1].rstrip()}…{end}"


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
    match = _heading(block)
    return (match[1] if match else block[: 4 * TITLE_CHARS].split("\n")[0].strip())[:TITLE_CHARS]


def _heading(line: str) -> tuple[int, str] | None:
    """(level, text) of a line such as `## Returns ##`; None if it is no heading. In steps rather than by an expression,
    because what may stand at the end of a heading may stand inside it, too."""
    level = len(line) - len(line.lstrip("#"))
    if not 1 <= level <= 6 or line[level : level + 1] not in (" ", "\t"):
        return None
    text = line[level:].strip(" \t")
    bare = text.rstrip("#").rstrip(" \t")
    return (level, bare or text[:1]) if text else None


def _blocks(text: str) -> Iterator[tuple[int, int, int]]:
    """(start, end, level): paragraphs have level 0, headings 1 to 6. Fenced code is one paragraph."""
    begin: int | None = None
    last_end = before = 0
    fence: str | None = None
    for match in _LINE.finditer(text):
        start, end = match.span()
        before, previous = start, before
        line = text[start:end]
        if fence is not None:
            last_end = end
            if (bare := line.strip()).startswith(fence) and not bare.strip(fence[0]):
                fence = None
            continue
        gap = begin is not None and "\n\n" in text[last_end : start + 1]
        heading = _heading(line)
        if begin is not None and (gap or heading or not line.strip()):
            yield begin, last_end, 0
            begin = None
        if heading:
            yield start, end, heading[0]
            continue
        if not line.strip():
            continue
        if (opening := _FENCE.match(line)) is not None:
            fence = opening[1]
        alone = begin is not None and previous == begin
        if begin is not None and alone and (underline := _UNDERLINE.fullmatch(line)):
            yield begin, end, 1 if underline[1][0] == "=" else 2
            begin = None
            continue
        begin, last_end = (start if begin is None else begin), end
    if begin is not None:
        yield begin, last_end, 0


def _atoms(text: str, span: Span, limit: int) -> Iterator[Span]:
    """A paragraph as spans no longer than limit: itself, else its sentences and lines, else words, else cuts."""
    for sentence in _pieces(text, span, _SENTENCE_END, limit):
        for start, end in _pieces(text, sentence, _WORD_END, limit):
            for at in range(start, end, limit):
                yield at, min(at + limit, end)


def _pieces(text: str, span: Span, boundary: re.Pattern[str], limit: int) -> Iterable[Span]:
    """The span itself if it fits, else what the boundaries divide it into."""
    return [span] if span[1] - span[0] <= limit else _cut(text, span, boundary)


def _cut(text: str, span: Span, boundary: re.Pattern[str]) -> Iterator[Span]:
    start = span[0]
    for match in boundary.finditer(text, span[0], span[1]):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < span[1]:
        yield start, span[1]


def _packed(atoms: Iterable[Span], limit: int) -> list[Span]:
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
    text, count = transcribed(turns), _Count()
    chunks: list[NewChunk] = []
    part: list[tuple[int, Turn]] = []  # where a turn begins in the text
    at = 0
    for turn in turns:
        end = at + len(_line(turn))
        if part and (end - part[0][0] > target_chars or _silent(part, at, turn)):
            chunks += _spoken(title, text, part, at - 1, target_chars, count)
            part = []
        part.append((at, turn))
        at = end + 1
    if part:
        chunks += _spoken(title, text, part, at - 1, target_chars, count)
    return chunks


def _silent(part: Sequence[tuple[int, Turn]], at: int, turn: Turn) -> bool:
    before = part[-1][1].starts_s
    if turn.starts_s is None or before is None or at - part[0][0] < OPENING_CHARS:
        return False
    # How long the turn before lasted is not known: 15 characters are a second of speech.
    return turn.starts_s - before - len(part[-1][1].text) / 15 > PAUSE_S


def _spoken(
    title: str, text: str, part: Sequence[tuple[int, Turn]], end: int, limit: int, count: _Count
) -> Iterator[NewChunk]:
    begin, first = part[0]
    named = title if first.starts_s is None else _path(title, [_clock(first.starts_s)])
    speakers = tuple(dict.fromkeys(turn.speaker for _, turn in part if turn.speaker))
    spans = [(begin, end)] if end - begin <= limit else _packed(_atoms(text, (begin, end), limit), limit)
    for start, stop in spans:
        if text[start:stop].strip():
            count.add(named, stop - start + sum(map(len, speakers)))
            yield NewChunk(named, text[start:stop], start, speakers)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
