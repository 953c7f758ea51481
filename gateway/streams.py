"""How many event streams are open: each holds memory and a socket for as long as somebody has a page open."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from shared.live.topics import Chat
from shared.telemetry import metrics

PER_VISITOR_MAX = 5


class TooMany(Exception):
    """No further stream is opened. own: the visitor has too many, not the process."""

    def __init__(self, what: str, *, own: bool) -> None:
        super().__init__(what)
        self.own = own


@dataclass(slots=True)
class Streams:
    """The streams of this process. most: at once."""

    most: int
    total: int = 0
    of_chat: Counter[Chat] = field(default_factory=Counter)

    def tell(self) -> None:
        """Let the metrics know; by itself after each change, by the process once it counts."""
        metrics.STREAMS.set(self.total)
        metrics.STREAMS_ALLOWED.set(self.most)

    def check(self, chat: Chat) -> None:
        """Whether another may open. Raises TooMany."""
        if self.of_chat[chat] >= PER_VISITOR_MAX:
            raise TooMany(f"this visitor has {PER_VISITOR_MAX} event streams open", own=True)
        if self.total >= self.most:
            raise TooMany("this gateway has no room for another event stream", own=False)

    def add(self, chat: Chat, count: int) -> None:
        self.total += count
        self.of_chat[chat] += count
        if not self.of_chat[chat]:
            del self.of_chat[chat]
        self.tell()
