"""Server-sent events as the WHATWG defines them: any line end, comments, named events, data of several lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. name: `message` where the stream gives none. data: its lines, joined by a line feed."""

    name: str
    data: str


@dataclass(slots=True)
class EventDecoder:
    """Turns a stream's bytes into events, however the bytes are cut. It bounds nothing: count the bytes before.

    The `id` and `retry` fields are passed over, for nothing here resumes a stream.
    """

    _held: list[bytes] = field(default_factory=list)  # of a line that has not ended
    _name: str = ""
    _data: list[str] = field(default_factory=list)
    _after_cr: bool = False
    _begun: bool = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")  # the second half of a line end whose first half came before
            self._after_cr = False
        if piece:
            self._after_cr = piece.endswith(b"\r")
        if _LINE_END.search(piece) is None:
            self._held.append(piece)
            return []
        *lines, rest = _LINE_END.split(b"".join(self._held) + piece)
        self._held = [rest]
        return [event for line in lines if (event := self._take(line)) is not None]

    def end(self) -> list[Event]:
        """What the stream's end completes. The standard throws an unfinished event away; servers that forget the last
        blank line are common, so it counts here."""
        found = self.feed(b"\n\n")
        return [event for event in found if event.data]

    def _take(self, line: bytes) -> Event | None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"event":
            self._name = text
        elif name == b"data":
            self._data.append(text)
        return None

    def _dispatch(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return Event(name or "message", "\n".join(data)) if data or name else None
