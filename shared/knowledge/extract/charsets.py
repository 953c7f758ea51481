"""Which encoding a text is in: what it says of itself, as browsers understand it."""

from __future__ import annotations

import codecs
import re

from shared.knowledge.extract.base import Unreadable

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_NAMED = re.compile(rb"""charset\s{0,20}=\s{0,20}["']?\s{0,20}([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_HEAD_BYTES = 4096
_NOT_OF_THE_WEB = frozenset(("punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7"))
# What a label means to browsers (encoding.spec.whatwg.org), where Python means something narrower by it.
_WIDER = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
    "utf-16": "utf-8", "utf-16-le": "utf-8", "utf-16-be": "utf-8", "utf-32": "utf-8", "hz": "utf-8",
}  # fmt: skip


def of_page(raw: bytes, label: str | None = None) -> str:
    """A page's text: by its byte order mark, else by what it was sent with (label), else by what it says of itself,
    else as UTF-8, else as windows-1252.

    What is whole UTF-8 beyond ASCII is taken for it whatever it is called: no other text reads so by chance."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass  # then it is what its label or its head says
    named = _NAMED.search(raw[:_HEAD_BYTES])
    for said in (label, named[1].decode("ascii") if named else None):
        if said and (found := known(said)) not in (None, "utf-8"):
            return raw.decode(found or "", "replace")
    broken = raw.decode("utf-8", "replace")
    if (label or named) and broken.count("�") * 10 < sum(byte > 127 for byte in raw[:1_000_000]):
        return broken  # it calls itself UTF-8, and nearly all of it is
    return raw.decode("cp1252", "replace")


def known(label: str) -> str | None:
    """Python's name of the encoding that a browser takes for a label; None for a label that browsers do not know."""
    try:
        found = codecs.lookup(label.strip()).name
    except (LookupError, ValueError):
        return None
    return None if found in _NOT_OF_THE_WEB else _WIDER.get(found, found)


_SHARED = frozenset("€‚„…†‡‰‹‘’“”•–—™›\xa0¤¦§¨©«¬®°±´µ¶·¸»ÁÂÄÇÉËÍÎÓÔÖ×ÚÜÝßáâäçéëíîóôö÷úüý")
"""What a byte means in the encodings of western and of central Europe alike: of these nothing is guessed."""

_INSIDE = re.compile(r"(?<=[A-Za-z])[‚„…‹“”›©®](?=[a-z])|[†‡‰•™¤¦¨¬±´¶¸](?=[a-z])")
"""Signs where letters should be: umlauts of an older encoding."""


def _utf_16(raw: bytes) -> str | None:
    """A text in UTF-16 without its mark, told by its NUL bytes: one half of each blank, figure and line end is one.
    None where there are few. Raises Unreadable."""
    if raw.count(0) < MANY_NULS * len(raw) or not raw:
        return None
    for encoding, halves in (("utf-16-le", raw[1::2]), ("utf-16-be", raw[::2])):
        if halves.count(0) == raw.count(0):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                break
    raise Unreadable("the file is no text, or in an encoding that would have to be guessed: save it as UTF-8")


MANY_NULS = 0.02
"""Of a file's bytes."""


def of_text(raw: bytes) -> str:
    """The text of a file that says nothing of its encoding: UTF-8, or UTF-16 by its mark or its NUL bytes, or what
    Windows writes in western Europe where no byte could mean something else. Raises Unreadable."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                raise Unreadable(f"the text is not {encoding[:6].upper()}: save it as UTF-8") from None
    if (unmarked := _utf_16(raw)) is not None:
        return unmarked
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass  # then it may be Windows' own
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        text = "�"
    foreign = [c for c in text if c > "\x7f"]
    letters = sum(c.isalpha() for c in text)
    if not set(foreign) <= _SHARED or _INSIDE.search(text) or 4 * sum(c.isalpha() for c in foreign) > letters:
        raise Unreadable("the text is not UTF-8: save it as UTF-8")
    return text
