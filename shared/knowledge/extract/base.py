"""What every format gives, and what it may cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from shared.errors import Permanent
from shared.model import NewChunk

BYTES_MAX = 25 * 1024 * 1024
"""Of a file."""
CHARS_MAX = 4_000_000
"""Of its text: twenty novels."""
TITLE_CHARS = 500
"""Of a document's title, and of a chunk's, which is the title with the headings above the chunk."""
SPEAKER_CHARS = 200
CHUNKS_MAX = 50_000
CHUNKED_CHARS_MAX = 12_000_000
"""Of all chunks' texts and titles together: each chunk repeats the headings above it."""
PAGES_MAX = 3_000
UNPACKED_MAX = 60 * 1024 * 1024
"""Of what a compressed file unfolds to."""


class Unreadable(Permanent):
    """The file is not a valid one of its kind, or more than we read. The message says what to do about it, without its
    content."""

    def __init__(self, why: str) -> None:
        super().__init__("unreadable", why)


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody says at once. speaker: empty where nobody is named. starts_s: since the beginning, if known."""

    speaker: str
    text: str
    starts_s: float | None = None


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text, headings as Markdown. title: the file's own, None if it has none. turns: of a transcript, whose
    text is then empty."""

    text: str
    title: str | None = None
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document, ready to be stored: cleaned, bounded, cut into chunks. times: when each turn of a transcript begins,
    end to end, for the hash of its content."""

    title: str
    text: str
    chunks: tuple[NewChunk, ...]
    kind: Literal["text", "transcript"] = "text"
    times: str = ""


class XmlReader:
    """Reads XML from somebody else. Entities of its own are refused, because they unfold, and names are taken as they
    are written, because a namespace's address would stand in each of them. Subclasses say what elements mean."""

    def parse(self, body: bytes) -> None:
        """Raises Unreadable for entities, and expat.ExpatError for what is not XML."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._refuse
        parser.Parse(body, True)

    def _refuse(self, *_: object) -> None:
        raise Unreadable("it declares entities of its own")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def _end(self, name: str) -> None:
        raise NotImplementedError

    def _data(self, data: str) -> None:
        raise NotImplementedError


def bounded(text: str) -> str:
    if len(text) > CHARS_MAX:
        raise Unreadable(f"more than {CHARS_MAX} characters: divide the document")
    return text


def joined(parts: Iterable[str], between: str = "\n\n") -> str:
    """The parts in one text, counted while they come: no more than the bound is ever held. Raises Unreadable."""
    kept, size = [], 0
    for part in parts:
        size += len(part) + len(between)
        if size > CHARS_MAX + len(between):
            raise Unreadable(f"more than {CHARS_MAX} characters: divide the document")
        kept.append(part)
    return between.join(kept)


def title_cut(text: str) -> str | None:
    """A title on one line, at most TITLE_CHARS long; None if nothing is left."""
    return " ".join(text[: 8 * TITLE_CHARS].split())[:TITLE_CHARS].strip() or None
