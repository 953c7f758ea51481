"""How long a call of a model may take, by its purpose: until it is connected, until it begins, between two pieces, and
in all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from shared.model import Purpose
from shared.settings import Settings

SHORT: tuple[Purpose, ...] = ("triage", "intent", "transcription")
"""Purposes for which somebody waits before the answer is begun."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """In seconds of wall clock. first_token_s: from the call's beginning to the first piece of its text or reasoning.
    stall_s: without a byte of a stream that has begun. total_s: for one call."""

    connect_s: float = 5.0
    first_token_s: float = 20.0
    stall_s: float = 10.0
    total_s: float = 30.0

    def within(self, left_s: float) -> Deadlines:
        """The same, with no more time in all than is left."""
        return self if left_s >= self.total_s else replace(self, total_s=max(0.0, left_s))


USUAL = Deadlines()


def of(settings: Settings, purpose: Purpose) -> Deadlines:
    llm = settings.llm
    total_s = llm.short_call_deadline_s if purpose in SHORT else llm.call_deadline_s
    return Deadlines(llm.connect_deadline_s, llm.first_token_deadline_s, llm.stall_deadline_s, total_s)


class Watch:
    """Ends a call that has waited for its first token, or for the next byte, for as long as it may.

    timeout: the call's own, which is entered. outcome: the word for what was waited for, None while nothing was for too
    long. A piece that comes costs one look at the clock; the one timer looks by itself whether it is due.
    """

    def __init__(self, deadlines: Deadlines, timeout: asyncio.Timeout) -> None:
        self.outcome: str | None = None
        self._loop, self._timeout = asyncio.get_running_loop(), timeout
        self._stall_s = deadlines.stall_s
        self._due_at = self._loop.time() + deadlines.first_token_s
        self._begun = False
        self._timer = self._loop.call_at(self._due_at, self._look)

    def heard(self) -> None:
        """Bytes came."""
        if self._begun:
            self._due_at = self._loop.time() + self._stall_s

    def begin(self) -> None:
        """The first token came."""
        if not self._begun:
            self._begun = True
            self._timer.cancel()
            self._due_at = self._loop.time() + self._stall_s
            self._timer = self._loop.call_at(self._due_at, self._look)

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now_s = self._loop.time()
        if now_s < self._due_at:
            self._timer = self._loop.call_at(self._due_at, self._look)
        elif not self._timeout.expired():
            self.outcome = "stalled" if self._begun else "slow_start"
            self._timeout.reschedule(now_s)
