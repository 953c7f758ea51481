"""Old forms of commands: whoever uses one is told today's form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ANY, NUMBER = "COMPANY", "N"


@dataclass(frozen=True, slots=True)
class Renamed:
    """old: how such a command line began; COMPANY stands for any word, N for a number."""

    old: str
    new: str

    def begins(self, words: Sequence[str]) -> bool:
        old = self.old.split()
        return len(words) >= len(old) and all(map(_fits, old, words))


def _fits(old: str, word: str) -> bool:
    if old == NUMBER:
        return word.isascii() and word.isdecimal()
    return not word.startswith("-") if old == ANY else old == word


RENAMED = (
    Renamed("conversation", "conversations"),
    Renamed("parked", "dead-letters"),
    Renamed("outbound uncertain", "outbound unknown-outcomes"),
    Renamed("outbound settle", "outbound unknown-outcomes settle COMPANY/ID --sent|--not-sent"),
    Renamed("spaces", "embedding-models"),
    Renamed("channel connect-telegram", "channel connect telegram --company COMPANY --slug SLUG"),
    Renamed("archive terms COMPANY", "archive terms --company COMPANY"),
    Renamed("budget N", "budget tokens N --company COMPANY"),
    Renamed("budget none", "budget tokens none --company COMPANY"),
    Renamed("conversations list COMPANY", "conversations list --company COMPANY"),
    *(
        Renamed(f"conversations {name} {NUMBER} {NUMBER}", f"conversations {name} COMPANY/ID")
        for name in ("show", "take-over", "hand-back", "mark-read")
    ),
    Renamed("limits show", "limit list"),
    Renamed("limits set", "limit set"),
    Renamed("limits unset", "limit reset"),
    Renamed("limits", "limit"),
    Renamed("company texts", "assistant texts COMPANY/ID"),
    Renamed("documents delete N", "documents delete COMPANY/ID"),
)
"""In the order in which they are tried, and only on a command line that is refused as it is."""


def told(words: Sequence[str]) -> str | None:
    """Return a sentence with today's form; None where the words were never a command."""
    found = next((one for one in RENAMED if one.begins(words)), None)
    return None if found is None else f"`{found.old}` is now `./switchboard {found.new}`"
