"""Words that are one slip of the finger from words of a table: a letter left out, one too many, or two swapped. A wrong
letter is none: "agenda" is no agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LETTERS_MIN = 5
"""Of a word of the table; among shorter ones a neighbour is a word of its own ("mens", "menu")."""
LETTERS_MAX = 30


class Near:
    """words: of a table. Of several near ones the first in the alphabet is meant."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(word for word in words if LETTERS_MIN <= len(word) <= LETTERS_MAX)
        self._shortened: dict[str, str] = {}
        for word in sorted(self._words):
            for short in _shortened(word):
                self._shortened.setdefault(short, word)

    def to(self, word: str) -> str | None:
        """The word that is meant by a misspelt one; None: it is far from all."""
        if word in self._words or not LETTERS_MIN - 1 <= len(word) <= LETTERS_MAX + 1:
            return None
        if word in self._shortened:
            return self._shortened[word]
        for short in _shortened(word):
            if short in self._words:
                return short
            meant = self._shortened.get(short)
            if meant is not None and sorted(meant) == sorted(word):
                return meant
        return None


def _shortened(word: str) -> Iterator[str]:
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]
