"""The pieces of a model's answer, held back until its first citation."""

from __future__ import annotations

from collections.abc import Sequence

from shared.llm import prompt
from shared.llm.router import Listener
from shared.model import Passage

_MARK_ENDS = frozenset("]】")


class CitedPieces:
    """Passes on nothing of an answer that cites no passage: it is replaced by another text once it is whole, and who
    watched would see it vanish. From the first citation on every piece goes through as it comes."""

    def __init__(self, listener: Listener, passages: Sequence[Passage]) -> None:
        self._listener = listener
        self._passages = passages
        self._held = ""
        self._cited = False

    def piece(self, text: str) -> None:
        if self._cited:
            self._listener.piece(text)
            return
        self._held += text
        if not _MARK_ENDS.isdisjoint(text) and prompt.cites(self._held, self._passages):
            self._cited = True
            self._listener.piece(prompt.without_marker(self._held))
            self._held = ""

    def restart(self) -> None:
        self._held, self._cited = "", False
        self._listener.restart()
