"""A message as tokens that compare equal however it was typed: letter case, accents, emoji, invisible characters.

Everything is one pass over the text and stops after VISIBLE_MAX visible characters, so that a hostile message costs no
more than a long one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

VISIBLE_MAX = 200
"""Visible characters; a text with more of them is more than a courtesy."""
KEY_CHARS = 4_000
"""Of a text; those that are alike so far are the same."""
RUN_MAX = 3
"""Of one character in a row: "hellooooooo" reads as "hellooo"."""
_EMOTICONS = frozenset(
    [
        ":)", ":-)", ":(", ":-(", ";)", ";-)", ":d", ":-d", "=)", "=(", ":p", ":-p", ":3", "<3", "</3", ":*", ":-*",
        "xd", "xdd", ":o", ":-o", ":')", ":'(", "^^", "^_^", ":/", ":-/", ":|", "(:", "(;", "=]", ":]",
    ]
)  # fmt: skip
QUESTION_MARKS = frozenset("?؟;՞፧⁇⁈⁉❓❔")
_QUESTION_MARKS_WITHIN = frozenset("⁉❓❔")
_DRAWN_OUT = frozenset("~∼〜")
"""Behind a word they only make it longer."""
_APOSTROPHES = frozenset("'’‘`´ʼ＇")
_FOLDED = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ـ": None, "ى": "ي", "ک": "ك", "ی": "ي"})
_BREAKS = "\n\t\r\v\f\x1c\x1d\x1e\x1f\x85"
_BLANKS = "\u2800\u3164\u115f\u1160\uffa0"  # an empty Braille cell and fillers of Hangul
_ASCII_PLAIN = dict.fromkeys((*range(0x20), 0x7F), "") | {ord(char): " " for char in _BREAKS if char.isascii()}
"""Control characters are left out, and breaks are blanks."""
_ASCII_RUN = re.compile(r"(.)\1{3,}")  # RUN_MAX, and more of them
_ASCII_BLANKS = re.compile(r" {2,}")
_ASCII_SIGNS = re.compile(r"[0-9$+<=>|]")
"""Digits, and signs that mean something."""
_ASCII_APOSTROPHES = str.maketrans(dict.fromkeys("'`"))
_ASCII_SILENT = re.compile(r"[^0-9a-z?;]+")
"""Neither letters, nor digits, nor QUESTION_MARKS."""
_ASCII_LETTERS = re.compile(r"[a-z]+")
_WIDE = (("぀", "ヿ"), ("㐀", "鿿"), ("豈", "﫿"))  # kana and Han: written without spaces, so that each is a token


@dataclass(frozen=True, slots=True)
class Tokens:
    """words: in order, None: too many, or something that no courtesy has (digits, currency signs). asks: there is a
    question mark."""

    words: tuple[str, ...] | None
    asks: bool


def tokens(text: str) -> Tokens:
    if len(text) <= 4 * VISIBLE_MAX and text.isascii():
        return of_ascii(text)
    return of_any(text)


def of_ascii(text: str) -> Tokens:
    """What of_any returns for a text in ASCII, in an eighth of the time: it needs no tables of Unicode."""
    plain = _ASCII_RUN.sub(r"\1\1\1", _ASCII_BLANKS.sub(" ", text.translate(_ASCII_PLAIN)))
    if len(plain) > VISIBLE_MAX:
        return Tokens(None, "?" in text)
    asks = "?" in plain or ";" in plain
    chunks = (chunk for chunk in plain.lower().split() if chunk not in _EMOTICONS)
    said = " ".join(map(_without_mention, chunks) if "@" in plain else chunks)
    if _ASCII_SIGNS.search(said):
        return Tokens(None, asks)
    return Tokens(tuple(_ASCII_LETTERS.findall(said.translate(_ASCII_APOSTROPHES))), asks)


def of_any(text: str) -> Tokens:
    shortened = _visible(text)
    if shortened is None:
        return Tokens(None, "?" in text[: 4 * VISIBLE_MAX])
    plain = unicodedata.normalize("NFKC", shortened)
    asks = any(c in QUESTION_MARKS for c in plain) or any(c in _QUESTION_MARKS_WITHIN for c in shortened)
    words: list[str] = []
    for chunk in plain.casefold().split():
        if chunk in _EMOTICONS:
            continue
        found = _words(_without_mention(chunk))
        if found is None:
            return Tokens(None, asks)
        words += found
    return Tokens(tuple(words), asks)


def key(text: str) -> str:
    """Equal for texts that say the same to a reader: letters, digits and question marks, without case, markup,
    punctuation, spaces and what nobody sees."""
    if text.isascii():
        return _ASCII_SILENT.sub("", text[: 2 * KEY_CHARS].lower()).replace(";", "?")[:KEY_CHARS]
    return key_of_any(text)


def key_of_any(text: str) -> str:
    """What key() returns for a text in any script."""
    plain = unicodedata.normalize("NFKC", text[: 2 * KEY_CHARS]).casefold()
    marked = ("?" if c in QUESTION_MARKS else c for c in plain if c in QUESTION_MARKS or c.isalnum())
    return "".join(marked)[:KEY_CHARS]


def shows(text: str, signs: str) -> bool:
    """Whether one of these characters is in the part of a text that tokens() reads."""
    return not frozenset(signs).isdisjoint(text[: 4 * VISIBLE_MAX])


def phrase(text: str) -> tuple[str, ...]:
    """The tokens of a phrase of a table."""
    found = tokens(text).words
    assert found
    return found


def is_wide(char: str) -> bool:
    """Whether it is of a script that is written without spaces."""
    return any(first <= char <= last for first, last in _WIDE)


def collapsed(word: str) -> str:
    """Each run of a letter as one: "hellooo", "helloo" and "hello" are the same."""
    return "".join(c for i, c in enumerate(word) if i == 0 or c != word[i - 1])


def _visible(text: str) -> str | None:
    """What a reader sees of it, runs shortened; None if that is too much to be a courtesy."""
    kept: list[str] = []
    last, run = "", 0
    for written in text:
        category = unicodedata.category(written)
        if category in ("Cf", "Cc", "Cs", "Co", "Cn") and written not in _BREAKS:
            continue  # zero-width, direction marks, joiners, variation tags
        blank = category[0] == "Z" or written in _BREAKS or written in _BLANKS
        char = " " if blank else written
        run = run + 1 if char == last else 1
        last = char
        if run > (1 if char == " " else RUN_MAX):
            continue
        kept.append(char)
        if len(kept) > VISIBLE_MAX:
            return None
    return "".join(kept)


def _without_mention(chunk: str) -> str:
    """Without a leading @name or Slack's <@U123>; what is glued to it stays."""
    if chunk.startswith("<@"):
        return chunk.partition(">")[2]
    if not chunk.startswith("@"):
        return chunk
    end = 1
    while end < len(chunk) and (chunk[end].isalnum() or chunk[end] in "_."):
        end += 1
    return chunk[end:]


def _words(chunk: str) -> list[str] | None:
    """Runs of letters and their marks, wide characters one by one; punctuation and emoji part them and are left out.
    None: the chunk has a digit or a sign that means something."""
    words: list[str] = []
    open_word = ""
    for char in _unaccented(chunk):
        category = unicodedata.category(char)
        if category[0] == "N" or (category in ("Sc", "Sm") and char not in _DRAWN_OUT):
            return None
        if char in _APOSTROPHES:
            continue
        if category[0] in "LM" and char != "\ufe0f":
            if is_wide(char):
                words += [*([open_word] if open_word else []), char]
                open_word = ""
            else:
                open_word += char
        elif open_word:
            words.append(open_word)
            open_word = ""
    return [*words, open_word] if open_word else words


def _unaccented(chunk: str) -> str:
    """Without accents of Latin, Greek and Cyrillic and without Arabic's vowel signs; other scripts' marks are letters
    to their readers and stay."""
    kept: list[str] = []
    base = ""
    for char in unicodedata.normalize("NFD", chunk.translate(_FOLDED)):
        if unicodedata.category(char) != "Mn":
            base = char
        elif base < "\u0530" or "\u0600" <= base <= "\u06ff":
            continue
        kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept)).translate(_FOLDED)
