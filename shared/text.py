"""Text from outside as PostgreSQL and UTF-8 can take it."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    """The text with the halves of surrogate pairs joined, and lone ones replaced by U+FFFD: no encoding takes them."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def storable(text: str) -> str:
    """The same, and NUL replaced by U+FFFD, which PostgreSQL does not take either."""
    return without_surrogates(text).replace("\0", "\ufffd")
