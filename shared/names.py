"""Names that people give: to companies, agents, collections. The database holds the same rules.

Unique without regard to case is the database's work: `name_key(name)` there is what two names are compared by.
"""

from __future__ import annotations

import re
import unicodedata

NAME_CHARS = 100
SLUG_CHARS = 63

_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line ends, and marks that change the direction in which text is read."""
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_UNSEEN_CATEGORIES = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"))
_SLUG = re.compile(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*")


def name_of(text: str, what: str = "name") -> str:
    """The name, trimmed. Raises ValueError, which says what is wrong; what: how the message calls it."""
    name = text.strip()
    if refused := _REFUSED.search(name):
        raise ValueError(f"a {what} holds no control characters: take out U+{ord(refused[0]):04X}")
    if not any(map(_seen, name)):
        raise ValueError(f"a {what} has at least one character that can be seen")
    if len(name) > NAME_CHARS:
        raise ValueError(f"a {what} has at most {NAME_CHARS} characters: this one has {len(name)}")
    return name


def _seen(character: str) -> bool:
    if character in _UNSEEN or "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character <= "\U000e0fff":
        return False
    return unicodedata.category(character) not in _UNSEEN_CATEGORIES


def slug_of(text: str) -> str:
    """A company's slug as it was given, in lower case. Raises ValueError, which says what is wrong."""
    slug = text.strip().lower()
    if len(slug) > SLUG_CHARS or not slug.isascii() or not _SLUG.fullmatch(slug):
        raise ValueError(
            f"a slug has up to {SLUG_CHARS} of a-z, 0-9 and single hyphens between them, and at least one letter"
        )
    return slug
