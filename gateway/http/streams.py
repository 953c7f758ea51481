"""Limits open event streams: each holds memory and a socket for as long as somebody has a page open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from shared.live import metrics
from shared.live.topics import Chat

T = TypeVar("T")

PER_VISITOR_MAX = 5


class TooMany(Exception):
    """No further stream is opened. own: the visitor or the address has too many, not the company or the process."""

    def __init__(self, what: str, *, own: bool) -> None:
        super().__init__(what)
        self.own = own


@dataclass(slots=True)
class Streams:
    """The streams of this process. most: at once; most_of_address, most_of_company: of these."""

    most: int
    most_of_address: int
    most_of_company: int
    total: int = 0
    of_chat: Counter[Chat] = field(default_factory=Counter)
    of_address: Counter[str] = field(default_factory=Counter)
    of_company: Counter[int] = field(default_factory=Counter)
    _models: int = 0

    def tell(self) -> None:
        """Let the metrics know; by itself after each change, by the process once it counts."""
        metrics.STREAMS.set(self.total)
        metrics.STREAMS_ALLOWED.set(self.most)

    def check(self, chat: Chat, address: str) -> None:
        """Count another stream as open. Raises TooMany above a limit."""
        if self.of_chat[chat] >= PER_VISITOR_MAX:
            raise TooMany(f"this visitor has {PER_VISITOR_MAX} event streams open", own=True)
        if self.of_address[address] >= self.most_of_address:
            raise TooMany(f"this address has {self.most_of_address} event streams open", own=True)
        if self.of_company[chat.company_id] >= self.most_of_company:
            raise TooMany("this gateway has no room for another event stream of this company", own=False)
        if self.total >= self.most:
            raise TooMany("this gateway has no room for another event stream", own=False)

    @contextmanager
    def of_model(self, company_id: int, address: str) -> Iterator[None]:
        """Count the stream of a model's answer, which belongs to no visitor, while it is open. Raises TooMany."""
        self._models += 1
        chat = Chat(company_id, 0, f"model {self._models}")
        self.check(chat, address)
        self.add(chat, address, 1)
        try:
            yield
        finally:
            self.add(chat, address, -1)

    def add(self, chat: Chat, address: str, count: int) -> None:
        self.total += count
        _add(self.of_chat, chat, count)
        _add(self.of_address, address, count)
        _add(self.of_company, chat.company_id, count)
        self.tell()


def _add(counts: Counter[T], key: T, count: int) -> None:
    counts[key] += count
    if not counts[key]:
        del counts[key]
