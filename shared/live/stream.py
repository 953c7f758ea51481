"""Publishes the pieces of an answer while it is generated, for pages that show its conversation."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Self

from shared.live.publisher import Publisher
from shared.live.topics import AnswerId, Chat, PartialAnswer, Stored, Withdrawn

EVERY_S = 0.05
"""Pieces within so long are one publication."""
UNHEARD_EVERY_S = 1.0
"""Nobody watches: PUBLISH itself says so. One publication a second then finds out when somebody does, which costs
less than a presence key, needs no second truth, and cannot expire under a watcher."""
LONG_CHARS = 4_000
"""A publication holds the whole text so far; a longer text goes out less often, so that the sum stays small."""


class AnswerStream:
    """Gathers a generation's text and publishes it. `piece` and `restart` belong on an event loop's thread.
    not_before_s: until then (time.monotonic()) nothing is published. After the end of the `with` nothing is published
    any more, whatever a cancelled call still says."""

    def __init__(self, publisher: Publisher, chat: Chat, answer: AnswerId, *, not_before_s: float = 0.0) -> None:
        self._publisher = publisher
        self._chat = chat
        self._answer = answer
        self._not_before_s = not_before_s
        self._text = ""
        self._pause_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._told = False

    def piece(self, text: str) -> None:
        """Add a piece of the text."""
        self._text += text
        if self._timer is None and not self._closed:
            pause_s = self._pause_s * (1 + len(self._text) // LONG_CHARS)
            pause_s = max(pause_s, self._not_before_s - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._publish)

    def restart(self) -> None:
        """Begin another attempt: the text of the one before it is dropped."""
        self._text = ""

    def became_message(self) -> None:
        """End the pieces, because the answer was committed and its message replaces them."""
        with self._lock:
            self._closed = True
            self._publisher.tell([self._chat], Stored(self._answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Unless it became a message nothing came of it, and who saw pieces must know."""
        with self._lock:
            if not self._closed and self._told:
                self._publisher.tell([self._chat], Withdrawn(self._answer))
            self._closed = True

    def _publish(self) -> None:
        self._timer = None
        with self._lock:
            if self._closed or not self._text:
                return
            self._pause_s, self._told = EVERY_S, True
            self._publisher.tell([self._chat], PartialAnswer(self._answer, self._text), self._was_heard)

    def _was_heard(self, watchers: int) -> None:
        # from the publisher's thread
        self._pause_s = EVERY_S if watchers else UNHEARD_EVERY_S
