"""How a long answer becomes parts that a platform takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, takewhile

import regex

from shared.text import without_surrogates

_CLUSTER = regex.compile(r"\X")
# \X alone looks back over a whole run of flags at each of them: quadratic. Pairs are taken first.
_CLUSTERS = regex.compile(r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*|\X")

# From the best place to cut to the worst. Each separator ends in a character that joins with nothing but
# combining marks, so that looking at two characters tells whether a cluster begins after it.
_PARAGRAPH = ("\n\n", "\r\n\r\n")
_LINE = ("\n", "\u2028")
_SENTENCE = (". ", "! ", "? ", "… ", "。", "\uff01", "\uff1f")  # the last two: fullwidth
_WORD = (" ", "\t", "\u3000")
LOOK_AHEAD = 5  # the longest separator and one character more


Fitting = Callable[[str, int], int]
"""How many code points of a window, which has at most `limit`, fit in `limit` units."""


def utf16_units(text: str) -> int:
    """How long platforms that count in UTF-16 think the text is."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split_utf16(text: str, limit: int) -> list[str]:
    """The text as parts of at most `limit` UTF-16 units (2 or more), in linear time.

    Cuts at paragraphs, else lines, sentences, words, and never inside a grapheme cluster; only a cluster that
    is longer than a part is cut, between code points. No part is empty or whitespace only; whitespace at the
    cuts is lost, and nothing else.
    """
    return _split(text, limit, fitting_utf16)


def split_utf8(text: str, limit: int) -> list[str]:
    """The same for platforms that count bytes: parts of at most `limit` (4 or more) in UTF-8."""
    return _split(text, limit, fitting_utf8)


def _split(text: str, limit: int, fitting: Fitting) -> list[str]:
    """fitting: how many code points of a window, which has at most `limit`, fit in a part."""
    text = without_surrogates(text)
    parts = []
    start = skip_space(text, 0)
    while start < len(text):
        room = fitting(text[start : start + limit], limit)
        rest_fits = start + room >= len(text)
        end = len(text) if rest_fits else start + best_cut(text[start : start + room + LOOK_AHEAD], room)
        parts.append(text[start : back_over_space(text, start, end)])
        start = skip_space(text, end)
    return parts


def fitting_utf16(window: str, limit: int) -> int:
    """How many code points of the window fit in `limit` units."""
    if window.isascii():
        return len(window)
    encoded = window.encode("utf-16-le")
    if len(encoded) <= 2 * limit:
        return len(window)
    # "ignore" drops half a surrogate pair at the end
    return len(encoded[: 2 * limit].decode("utf-16-le", "ignore"))


def fitting_utf8(window: str, limit: int) -> int:
    """How many code points of the window fit in `limit` bytes."""
    encoded = window.encode()
    # "ignore" drops part of a character at the end
    return len(window) if len(encoded) <= limit else len(encoded[:limit].decode("utf-8", "ignore"))


def best_cut(window: str, room: int) -> int:
    """Where to end a part: an index above 0, beyond `room` only by whitespace, which the part loses."""
    for separators, least in ((_PARAGRAPH, room // 8), (_LINE, room // 8), (_SENTENCE, room // 8), (_WORD, 0)):
        cut = max(_last_after(window, separator, least, room) for separator in separators)
        if cut:
            return cut
    if window.isascii():
        return room
    lengths = map(len, _CLUSTERS.findall(window[: room + 1]))
    last = max(takewhile(lambda end: end <= room, accumulate(lengths)), default=0)
    return last or room


def _last_after(window: str, separator: str, least: int, room: int) -> int:
    """The last index that follows the separator and is no place inside a cluster, 0 if none is above `least`."""
    end = room + len(separator) - len(separator.rstrip())
    while (found := window.rfind(separator, 0, end)) >= 0:
        cut = found + len(separator)
        if cut <= least:
            return 0
        if not _joined(window, found) and not _joined(window, cut):
            return cut
        end = cut - 1
    return 0


def _joined(text: str, index: int) -> bool:
    """Whether the characters around `index` are one cluster, as far as the two alone can tell."""
    pair = text[index - 1 : index + 1] if index else ""
    if len(pair) < 2 or (pair.isascii() and pair != "\r\n"):
        return False
    match = _CLUSTER.match(pair)
    return match is not None and match.end() == 2


def skip_space(text: str, start: int) -> int:
    """The first index from `start` that is no whitespace; a space that carries a combining mark stays."""
    index = start
    while index < len(text):
        window = text[index : index + 4096]
        index += len(window) - len(window.lstrip())
        if window.lstrip():
            break
    return index - 1 if index > start and _joined(text, index) else index


def back_over_space(text: str, start: int, end: int) -> int:
    """Where text[start:end] ends without its trailing whitespace; one that is part of a cluster stays."""
    stripped = start + len(text[start:end].rstrip())
    return stripped + 1 if stripped < end and _joined(text, stripped) else stripped
