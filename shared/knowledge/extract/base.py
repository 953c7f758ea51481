"""What every format gives, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import Permanent

BYTES_MAX = 25 * 1024 * 1024
"""Of a file."""
CHARS_MAX = 4_000_000
"""Of its text: twenty novels."""
PAGES_MAX = 3_000
UNPACKED_MAX = 60 * 1024 * 1024
"""Of what a compressed file unfolds to."""


class Unreadable(Permanent):
    """The file is none of its kind, or more than we read. The message says what to do about it, without its content."""

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


def decoded(raw: bytes) -> str:
    """The text of a file that says nothing of its encoding. Raises Unreadable."""
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable("the text is not UTF-8: save it as UTF-8") from None


def bounded(text: str) -> str:
    if len(text) > CHARS_MAX:
        raise Unreadable(f"more than {CHARS_MAX} characters: divide the document")
    return text
